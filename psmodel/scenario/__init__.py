"""One description of a training set-up, read by the model and by the real run alike."""

from psmodel.records import ScenarioError
from psmodel.scenario.changes import changed
from psmodel.scenario.files import load, packaged, parse_toml
from psmodel.scenario.scenario import Scenario, from_mapping

__all__ = ["Scenario", "ScenarioError", "changed", "from_mapping", "load", "packaged", "parse_toml"]
