"""The configurations of a space, with what is known of each before anything is simulated: bounds, price, estimate."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from psmodel.analytic import ClosedForm
from psmodel.analytic.lower_bounds import Floor
from psmodel.derived_metrics import OF_ONE_WORKER, payload_per_update
from psmodel.predictors import Calibrated, Predictor, predictor
from psmodel.scenario import Scenario
from psmodel.whatif.parameter_space import Point
from psmodel.whatif.prices import Catalogue, cost_of_1000, machines_for, price_per_hour
from psmodel.whatif.setup import Base, Setup
from psmodel.whatif.targets import Target

Objective = Literal["cost", "shards", "workers"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """One configuration, with what is known of it before anything is simulated.

    Attributes
    ----------
    estimate
        Its row by closed forms.
    """

    point: Point
    scenario: Scenario
    floor: Floor
    price: float | None
    estimate: Mapping[str, Any]

    def bound(self, target: Target) -> float | None:
        """The best value that the target's metric can have, where that is proven: of an exact one its value."""
        name, best = target.name, self.floor.best
        if self.estimate["claim"] == "exact" and name not in OF_ONE_WORKER:
            value: float | None = self.estimate[name]
            if value is not None:
                return value
        time, rate = best.get("iteration_time_s"), best.get("updates_per_s")
        if name == "cost_per_hour":
            return self.price
        if name == "updates_per_s":
            return None if target.at_most else rate
        if name == "goodput_bytes_per_s":
            return None if target.at_most or rate is None else rate * payload_per_update(self.scenario)
        if not target.at_most:
            return None  # of a time the least is known, which rules out nothing here
        if name == "cost_per_1000_iterations":
            return None if self.price is None or time is None else cost_of_1000(self.price, time)
        return best.get(name)

    def may_meet(self, target: Target) -> bool:
        """Whether no proven bound forbids it."""
        best = self.bound(target)
        return best is None or target.met(best)

    def misses_by(self, targets: Sequence[Target]) -> tuple[float, int]:
        """The largest ratio by which its bounds miss a target, and which."""
        ratios = [0.0 if (b := self.bound(t)) is None else t.distance(b) for t in targets]
        return max((ratio, index) for index, ratio in enumerate(ratios))

    def estimated_miss(self, targets: Sequence[Target]) -> float:
        """The largest ratio by which its estimates miss a target; of what they do not tell nothing is assumed."""
        values = [(t, self.estimate[t.name]) for t in targets]
        return max((t.distance(value) for t, value in values if value is not None), default=0.0)

    def cost(self, minimise: Objective) -> float:
        """What is to be as small as possible."""
        if minimise == "cost":
            assert self.price is not None
            return self.price
        return float(getattr(self.scenario, minimise))


def configurations(
    base: Base, points: Sequence[Point], setup: Setup, catalogue: Catalogue, tell: Callable[[str], None]
) -> Iterator[Candidate]:
    quick = replace(
        setup,
        calibrated=Calibrated(best=setup.calibrated.best),
        method="mva" if setup.method == "mva" else "analytic",
    )
    other = predictor(quick.method)
    for number, point in enumerate(points):
        tell(f"estimating {number + 1} of {len(points)}")
        scenario = setup.scenario(base, point)
        machines = machines_for(scenario, point, catalogue)
        closed = ClosedForm(scenario=scenario, calibration=setup.calibrated.best)
        yield Candidate(
            point=point,
            scenario=scenario,
            floor=closed.floor,
            price=None if machines is None else price_per_hour(scenario, machines),
            estimate=quick.row(scenario, point, _of(closed) if quick.method == "analytic" else other),
        )


def _of(closed: ClosedForm) -> Predictor:
    """Closed forms that know one scenario's answer already."""
    return lambda scenario, coefficients: (
        closed.prediction if scenario is closed.scenario else predictor("analytic")(scenario, coefficients)
    )
