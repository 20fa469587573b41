"""The smallest or cheapest configuration that meets its targets: proven bounds rule out, simulation decides.

>>> from psmodel.scenario import load
>>> from psmodel.whatif.sweeps import grid
>>> answer = plan(load("ingress-single"), grid("shards=1:100:1"), ["iteration_time<=1s"], minimise="shards")
>>> answer.best["shards"], answer.best["iteration_time_s"], answer.simulations, answer.considered
(16, 1.0, 1, 100)
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from psmodel.analytic import ClosedForm
from psmodel.analytic.lower_bounds import Floor
from psmodel.derived_metrics import OF_ONE_WORKER, payload_per_update
from psmodel.errors import BadInput
from psmodel.predictors import Calibrated, Predictor, predictor
from psmodel.scenario import Scenario
from psmodel.whatif.judge import Certainty, Judge, Judgement
from psmodel.whatif.parameter_space import Point
from psmodel.whatif.prices import (
    SECONDS_PER_HOUR,
    Catalogue,
    load_catalogue,
    machines_for,
    no_machine,
    price_per_hour,
)
from psmodel.whatif.sweeps import Base, Setup
from psmodel.whatif.targets import COSTS, FORM, ROUNDING, Target, parse_target

Objective = Literal["cost", "shards", "workers"]
_FEWEST_TRIED = 30
_SHARE_TRIED = 0.1
"""At most this part of a space is simulated (of a small one, `_FEWEST_TRIED` configurations)."""
_CHECKED = 3
"""So many estimates have been compared with simulations before their errors say anything."""
_TRUST = 3.0
"""An estimate that misses a target by more than so many times the largest error seen is not simulated."""
_LEAST_ERROR, _FIRST_ERROR = 0.03, 0.1
"""Errors of the estimates (of their logarithm) that are assumed at least, and before `_CHECKED` are known."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a search comes to.

    Attributes
    ----------
    best
        The row (as of a sweep) of the configuration that is the answer, or None.
    verdict
        In a few sentences: what it is, or which bound forbids it, and what the answer rests on.
    considered
        Configurations of the space.
    ruled_out
        How many of them a proven bound or a price ruled out without a simulation.
    tried
        The rows of those that were predicted by the deciding method, in that order; ``decision`` says whether one
        meets the targets, ``replications`` how many simulations that took.
    untried
        How many were left out because their estimates miss by far, or because the budget ended.
    front
        Rows, cheapest first: no configuration is both cheaper and faster (Pareto). ``method`` says what each is by.
    """

    targets: tuple[Target, ...]
    minimise: Objective
    best: Mapping[str, Any] | None
    verdict: str
    considered: int
    ruled_out: int
    tried: tuple[Mapping[str, Any], ...] = field(repr=False)
    untried: int
    front: tuple[Mapping[str, Any], ...] = field(repr=False)

    @property
    def simulations(self) -> int:
        """How often the deciding method was used."""
        return sum(row["replications"] for row in self.tried)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "targets": [str(target) for target in self.targets],
            "minimise": self.minimise,
            "best": self.best and dict(self.best),
            "verdict": self.verdict,
            "considered": self.considered,
            "ruled_out": self.ruled_out,
            "simulations": self.simulations,
            "untried": self.untried,
            "tried": [dict(row) for row in self.tried],
            "front": [dict(row) for row in self.front],
        }


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
            return None if self.price is None or time is None else self.price * time * 1000 / SECONDS_PER_HOUR
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


def plan(
    base: Base,
    points: Sequence[Point],
    targets: Sequence[str | Target],
    *,
    minimise: Objective = "cost",
    setup: Setup | None = None,
    certainty: Certainty | None = None,
    progress: Callable[[str], None] | None = None,
) -> Plan:
    """Search a space for the smallest or cheapest configuration that meets all targets.

    By simulation (the default): a configuration whose proved bounds (`psmodel.analytic.lower_bounds`) miss a target is
    never simulated. The first by the objective that meets the targets by its estimate is; then those that are cheaper,
    the most promising first, until all have failed or their estimates miss by several times the largest error
    that estimates were seen to have, which the verdict says. Each is simulated until it is certain (`Certainty`).

    By a closed form or mean value analysis: that method's own value of every configuration is the answer.

    Parameters
    ----------
    points
        A `grid` or a Latin hypercube.
    minimise
        ``cost`` is the price of all hosts per hour.
    setup
        How to decide (by simulation, if None), with which coefficients, at whose prices (those of the example
        catalogue if it has none). Its number of replications is not used.
    progress
        Told in words what is under way.

    Raises
    ------
    BadInput
        If a target or point is not possible, or the cost is asked and no machine type is fast enough.
    """
    parsed = tuple(parse_target(t) if isinstance(t, str) else t for t in targets)
    if not parsed:
        raise BadInput(f"give at least one target; {FORM}")
    if minimise not in get_args(Objective):
        raise BadInput(f"minimise = {minimise!r}; it is one of {', '.join(get_args(Objective))}")
    setup = setup or Setup(method="simulate")
    catalogue = setup.catalogue or load_catalogue()
    setup = replace(setup, catalogue=catalogue)
    tell = progress or (lambda text: None)
    candidates = list(_candidates(base, points, setup, catalogue, tell))
    by_price = minimise == "cost" or any(t.name in COSTS for t in parsed)
    priced = [c for c in candidates if c.price is not None or not by_price]
    if not priced:
        raise no_machine(candidates[0].scenario, catalogue)
    search = _PlanSearch(parsed, minimise, setup, certainty or Certainty(), len(candidates), tell)
    search.go(priced)
    return search.plan(candidates, points)


def _candidates(
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


class _PlanSearch:
    def __init__(
        self,
        targets: tuple[Target, ...],
        minimise: Objective,
        setup: Setup,
        certainty: Certainty,
        considered: int,
        tell: Callable[[str], None],
    ) -> None:
        self.targets, self.minimise, self.setup, self.certainty = targets, minimise, setup, certainty
        self.most_tried = max(_FEWEST_TRIED, math.ceil(_SHARE_TRIED * considered))
        self.possible: list[Candidate] = []
        self.priced: list[Candidate] = []
        self.judgements: list[tuple[Candidate, Judgement]] = []
        self.best: tuple[Candidate, Judgement] | None = None
        self.untried: list[Candidate] = []
        self.budget_ended = False
        self._tell = tell

    def go(self, priced: list[Candidate]) -> None:
        """Search among those that have a price, or need none."""
        self.priced = priced
        simulated = self.setup.method == "simulate"
        self.possible = [
            c for c in priced if not simulated or all(c.may_meet(target) for target in self.targets)
        ]
        self.possible.sort(key=lambda c: (c.cost(self.minimise), c.estimated_miss(self.targets)))
        tests = min(len(self.possible), self.most_tried)
        judge = Judge(self.targets, self.setup, self.certainty, tests=max(1, tests), tell=self._tell)
        if simulated:
            self._by_simulation(judge)
        else:
            self._by_value(judge)

    def _by_value(self, judge: Judge) -> None:
        for candidate in self.possible:
            judgement = judge.by_value(candidate.scenario, candidate.point, candidate.estimate)
            self.judgements.append((candidate, judgement))
            if judgement.decision == "meets":
                self.best = candidate, judge.with_intervals(judgement, candidate.scenario, candidate.point)
                return

    def _by_simulation(self, judge: Judge) -> None:
        rest = list(self.possible)
        while rest:
            if len(self.judgements) >= self.most_tried:
                self.budget_ended, self.untried = True, rest
                break
            contender = self._next(rest)
            if contender is None:
                self.untried = rest
                break
            rest.remove(contender)
            judgement = judge.by_simulation(contender.scenario, contender.point)
            self.judgements.append((contender, judgement))
            if judgement.decision == "meets":
                self.best = contender, judgement
                rest = [c for c in rest if c.cost(self.minimise) < contender.cost(self.minimise)]
        if self.best is not None:
            candidate, judgement = self.best
            self.best = candidate, judge.with_intervals(judgement, candidate.scenario, candidate.point)

    def _next(self, rest: list[Candidate]) -> Candidate | None:
        """Whom to simulate next; None if the estimates of all that are left miss by far."""
        if self.best is None:
            bias = self.bias
            for candidate in rest:
                if candidate.estimated_miss(self.targets) * bias <= 1 + ROUNDING:
                    return candidate
        nearest = min(rest, key=lambda c: c.estimated_miss(self.targets))
        miss = nearest.estimated_miss(self.targets)
        trusted = miss > 0 and math.log(miss) > _TRUST * self.error
        return None if trusted and len(self.judgements) >= (1 if self.best else _CHECKED) else nearest

    @property
    def _ratios(self) -> list[float]:
        """Simulated over estimated miss of what has been tried: the estimates' errors, 1 where they are right."""
        pairs = [
            (j.miss, c.estimated_miss(self.targets)) for c, j in self.judgements if math.isfinite(j.miss)
        ]
        return [simulated / estimated for simulated, estimated in pairs if min(simulated, estimated) > 0]

    @property
    def bias(self) -> float:
        """By how much the last simulation was slower than its estimate."""
        ratios = self._ratios
        return ratios[-1] if ratios else 1.0

    @property
    def error(self) -> float:
        """The largest error of an estimate that was seen, as a difference of logarithms."""
        errors = [abs(math.log(ratio)) for ratio in self._ratios]
        return max([_LEAST_ERROR if len(errors) >= _CHECKED else _FIRST_ERROR, *errors])

    def plan(self, candidates: Sequence[Candidate], points: Sequence[Point]) -> Plan:
        """What has come of it."""
        from psmodel.whatif.verdicts import verdict

        rows = {id(c): j.row for c, j in self.judgements}
        best = self.best[1].row if self.best else None
        return Plan(
            targets=self.targets,
            minimise=self.minimise,
            best=best,
            verdict=verdict(self, points),
            considered=len(candidates),
            ruled_out=len(candidates) - len(self.possible),
            tried=tuple(rows.values()),
            untried=len(self.untried),
            front=pareto_front([rows.get(id(c), c.estimate) for c in candidates]),
        )


def pareto_front(rows: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The rows (of a sweep with prices) that no other beats in both cost per hour and iteration time."""
    priced = [row for row in rows if row["cost_per_hour"] is not None]
    front: list[Mapping[str, Any]] = []
    for row in sorted(priced, key=lambda r: (r["cost_per_hour"], r["iteration_time_s"])):
        if not front or row["iteration_time_s"] < front[-1]["iteration_time_s"] * (1 - ROUNDING):
            front.append(row)
    return tuple(front)
