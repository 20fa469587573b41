"""One description of a training set-up, read by the model and by the real run alike."""

from psmodel.scenario.changes import changed
from psmodel.scenario.reading import load, packaged, parse_toml
from psmodel.scenario.record import Scenario, from_mapping
from psmodel.scenario.sentences import ScenarioError

__all__ = ["Scenario", "ScenarioError", "changed", "from_mapping", "load", "packaged", "parse_toml"]
