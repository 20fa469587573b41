"""Lower bounds by which `psmodel.plans` rules configurations out."""

from psmodel.analytic import ClosedForm
from psmodel.analytic.bounds import Floor
from psmodel.calibration import Calibration
from psmodel.scenario import Scenario

__all__ = ["Floor", "floor"]


def floor(scenario: Scenario, calibration: Calibration) -> Floor:
    """The best that each metric of a scenario can be, by proved bounds."""
    return ClosedForm(scenario=scenario, calibration=calibration).floor
