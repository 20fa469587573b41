"""The two or three configurations between which a plan is decided, and the choice by real runs of them.

Whoever makes real runs says so by an entry point ``testbed`` of the group ``psmodel.real_runs``: a function from the
name of a testbed to its `RealRuns`. `psmodel` thus never imports it.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Protocol

from psmodel import output_analysis
from psmodel.derived_metrics import OF_ONE_WORKER, derived
from psmodel.errors import BadInput, CannotRun
from psmodel.output_analysis import Estimate
from psmodel.predictors import predictor
from psmodel.results import Metrics
from psmodel.scenario import Scenario
from psmodel.whatif.candidates import Candidate, Objective
from psmodel.whatif.judge import Certainty, Decision, Judgement, decision_of
from psmodel.whatif.prices import cost_of_1000
from psmodel.whatif.setup import Setup
from psmodel.whatif.targets import COSTS, Target

_ENTRY_POINTS = "psmodel.real_runs"


@dataclass(frozen=True, kw_only=True)
class Finalist:
    """A configuration that may be the answer, with its row as predicted and its price per hour."""

    scenario: Scenario
    row: Mapping[str, Any]
    price: float | None


@dataclass(frozen=True, kw_only=True)
class RealRun:
    """What a real run gave, and why not to believe it (empty if nothing speaks against it)."""

    metrics: Metrics
    suspect: str = ""


class RealRuns(Protocol):
    """Who makes real runs on one testbed."""

    testbed: str

    def begin(self, context: Any) -> None:
        """Go on in a process of its own, if real runs want one; `context` is that of the command."""
        ...

    def prepared(self, scenario: Scenario) -> Scenario:
        """The scenario as this testbed has it.

        Raises
        ------
        BadInput
            If it cannot be run there.
        """
        ...

    def running(self, scenarios: Sequence[Scenario]) -> AbstractContextManager[Callable[[Scenario], RealRun]]:
        """The testbed, large enough for each of the scenarios: a function that runs one of them once."""
        ...


def real_runs(testbed: str) -> RealRuns:
    """Who makes real runs on the testbed of that name.

    Raises
    ------
    BadInput
        If there is no such testbed.
    CannotRun
        If nothing that is installed makes real runs.
    """
    entries = entry_points(group=_ENTRY_POINTS, name="testbed")
    if not entries:
        raise CannotRun("real runs cannot be made: install psmodel with its package validate")
    make: Callable[[str], RealRuns] = next(iter(entries)).load()
    return make(testbed)


def finalists_of(
    possible: Sequence[Candidate],
    judgements: Sequence[tuple[Candidate, Judgement]],
    best: tuple[Candidate, Judgement] | None,
    minimise: Objective,
    targets: Sequence[Target],
) -> tuple[Finalist, ...]:
    """The answer, the one that misses least of those that would be better, and the next best that should meet too.

    Where no configuration meets the targets, the two that miss least.
    """
    decisions = {id(candidate): judgement for candidate, judgement in judgements}

    def miss(candidate: Candidate) -> float:
        judgement = decisions.get(id(candidate))
        return candidate.estimated_miss(targets) if judgement is None else judgement.miss

    if best is None:
        contenders = sorted(possible, key=miss)[:2]
    else:
        price = best[0].cost(minimise)
        better = (c for c in possible if c.cost(minimise) < price)
        further = (c for c in possible if c.cost(minimise) > price and miss(c) <= 1)
        nearest, following = min(better, key=miss, default=None), next(further, None)
        contenders = [c for c in (nearest, best[0], following) if c is not None]
    rows = {id(c): decisions[id(c)].row if id(c) in decisions else c.estimate for c in contenders}
    ordered = sorted(contenders, key=lambda c: c.cost(minimise))
    return tuple(Finalist(scenario=c.scenario, row=rows[id(c)], price=c.price) for c in ordered)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What real runs of one finalist came to.

    Attributes
    ----------
    predicted
        Metric → its value by the plan's method, of the scenario as the testbed has it.
    measured
        Metric → mean of the runs with its 95 % interval; empty if none was needed.
    """

    finalist: Finalist
    decision: Decision
    predicted: Mapping[str, float | None]
    measured: Mapping[str, Estimate]
    runs: Sequence[RealRun] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "scenario": self.finalist.scenario.to_json(),
            "planned": dict(self.finalist.row),
            "decision": self.decision if self.runs else None,
            "predicted": dict(self.predicted),
            "measured": {
                name: {"mean": e.mean, "half_width": e.half_width if e.count > 1 else None}
                for name, e in self.measured.items()
            },
            "runs": [run.metrics.to_json() | {"suspect": run.suspect} for run in self.runs],
        }


@dataclass(frozen=True, kw_only=True)
class RealChoice:
    """The choice by real runs: the best finalist that meets every target, or None; certain or not."""

    testbed: str
    best: Trial | None
    is_certain: bool
    trials: tuple[Trial, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "testbed": self.testbed,
            "best": None if self.best is None else self.trials.index(self.best),
            "is_certain": self.is_certain,
            "trials": [trial.to_json() for trial in self.trials],
        }


def check(targets: Sequence[Target], scenarios: Sequence[Scenario], runs: RealRuns) -> None:
    """Refuse what real runs cannot tell, or cannot be made of, before anything is searched.

    Raises
    ------
    BadInput
        If a target is of one worker alone, or a scenario cannot be run.
    """
    for target in targets:
        if target.name in OF_ONE_WORKER:
            raise BadInput(
                f"{target.name} is over one worker alone, of which real runs are not made; leave out that target"
            )
    for scenario in scenarios:
        runs.prepared(scenario)


def choose(
    candidates: Sequence[Finalist],
    targets: Sequence[Target],
    *,
    testbed: str,
    run: Callable[[Scenario], RealRun],
    prepared: Callable[[Scenario], Scenario],
    setup: Setup,
    certainty: Certainty,
    progress: Callable[[str], None],
) -> RealChoice:
    """Run the finalists for real, the best first, until the choice is certain.

    One is run until it is certain that it meets or misses the targets (the sequential test that simulations are judged
    by), or `Certainty.budget` runs of it are made. Of what is dearer than one that meets them no run is needed.
    """
    error = certainty.risk / max(1, len(candidates)) / len(targets)
    trials: list[Trial] = []
    for finalist in candidates:
        scenario = prepared(finalist.scenario)
        results: list[RealRun] = []
        values: dict[str, list[float | None]] = {}
        decision: Decision = "undecided"
        needed = not any(trial.decision == "meets" for trial in trials)
        while needed and decision == "undecided" and len(results) < certainty.budget:
            progress(f"{finalist.row['scenario']}, run {len(results) + 1}")
            results.append(run(scenario))
            for name, value in _told(scenario, results[-1].metrics, finalist.price).items():
                values.setdefault(name, []).append(value)
            decision = decision_of(
                targets, values, certain=False, indifference=certainty.indifference, error=error
            )
        trials.append(
            Trial(
                finalist=finalist,
                decision=decision,
                predicted=_predicted(scenario, finalist.price, setup),
                measured=_means(values),
                runs=tuple(results),
            )
        )
    best = next((trial for trial in trials if trial.decision == "meets"), None)
    ended = [trial for trial in trials if trial.runs]
    return RealChoice(
        testbed=testbed,
        best=best,
        is_certain=all(trial.decision != "undecided" for trial in ended),
        trials=tuple(trials),
    )


def _told(scenario: Scenario, metrics: Metrics, price: float | None) -> dict[str, float | None]:
    """Everything that a target may be of."""
    time = metrics.iteration_time_s
    costs = {"cost_per_hour": price, "cost_per_1000_iterations": price and cost_of_1000(price, time)}
    return metrics.to_json() | derived(scenario, metrics, None) | costs


def _predicted(scenario: Scenario, price: float | None, setup: Setup) -> dict[str, float | None]:
    predict = predictor(setup.method, replications=setup.replications)
    return _told(scenario, predict(scenario, setup.calibrated.best).metrics, price)


def _means(values: Mapping[str, Sequence[float | None]]) -> dict[str, Estimate]:
    complete = {name: [v for v in column if v is not None] for name, column in values.items()}
    return {
        name: output_analysis.replications(column)
        for name, column in complete.items()
        if column and len(column) == len(values[name]) and name not in COSTS[:1]
    }
