"""Why a run took longer than the bound: the loss, term by term.

The model is simulated again and again, each time with one more of its terms switched on. A term's loss is what it
adds to those before it, so that all of them and the bound sum up to the measured time exactly; the order is that
in which the bytes meet them, from the wire to the shard's thread.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

from psmodel import analytic, simulation
from psmodel.calibration import COEFFICIENTS, IDEAL, Calibration
from psmodel.calibration import Loss as LossTerm
from psmodel.scenario import Scenario
from validate.measurements.measurement import Measurement

SCHEMA_VERSION = 1
MEANING = {
    "bound": "work of the busiest resource of each phase, at nominal rates",
    "queueing": "waiting for each other: taking turns, stragglers, unequal shards",
    "headers": "IP, TCP and link headers",
    "links": "goodput that the links did not reach",
    "sharing": "transfers that stay behind those that came first",
    "calls": "time of calls, whatever their size",
    "copies": "copies into the object store and out of it",
    "shard CPU": "adding updates to the parameters",
    "restarts": "starting processes anew that have died",
    "unexplained": "measured, but not predicted",
}


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Seconds of an iteration that a term costs; negative if it saves some."""

    term: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The iteration time (s) of a run, from the lower bound to what was measured.

    Attributes
    ----------
    bound_by
        Phase → resource whose lower bound is the largest.
    losses
        In order; they and `bound_s` sum up to `measured_s`.
    """

    run_id: str
    scenario: str
    bound_s: float
    bound_by: dict[str, str]
    predicted_s: float
    measured_s: float
    losses: tuple[Loss, ...]

    @property
    def saturation(self) -> float:
        """Share of the measured time in which the bounding resources had to work."""
        return self.bound_s / self.measured_s

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self) | {
            "losses": [asdict(loss) | {"meaning": MEANING[loss.term]} for loss in self.losses],
            "saturation": self.saturation,
        }


def diagnose(measurement: Measurement, calibration: Calibration = IDEAL) -> Diagnosis:
    """Break a run's mean iteration time down into the bound and the loss by each term.

    Parameters
    ----------
    calibration
        The coefficients of the system it ran on; without them all that is not the links' is unexplained.
    """
    scenario = measurement.scenario
    bare = scenario.replace(mtu=None)  # links that carry payload alone
    binding = analytic.ClosedForm(scenario=bare).busiest
    bound = sum(work.time_s for work in binding.values())
    steps: list[tuple[str, Scenario, Calibration]] = [("queueing", bare, IDEAL), ("headers", scenario, IDEAL)]
    switched_on = IDEAL
    for term in get_args(LossTerm):
        names = [name for name, about in COEFFICIENTS.items() if about.loss == term]
        switched_on = replace(switched_on, **{name: getattr(calibration, name) for name in names})
        steps.append((term, scenario, switched_on))
    losses = []
    predicted = last = bound
    for term, case, coefficients in steps:
        run = simulation.predict(case, coefficients, replication=measurement.repetition)
        predicted = run.prediction.metrics.iteration_time_s
        losses.append(Loss(term=term, seconds=predicted - last))
        last = predicted
    measured = measurement.metrics.iteration_time_s
    losses.append(Loss(term="unexplained", seconds=measured - predicted))
    return Diagnosis(
        run_id=measurement.run_id,
        scenario=scenario.name,
        bound_s=bound,
        bound_by={phase: work.resource for phase, work in binding.items() if work.time_s > 0},
        predicted_s=predicted,
        measured_s=measured,
        losses=tuple(losses),
    )
