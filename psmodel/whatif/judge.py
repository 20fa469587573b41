"""Whether one configuration meets its targets: by a method's value, or simulated until that is certain."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from psmodel import output_analysis
from psmodel.derived_metrics import OF_ONE_WORKER, alone, derived
from psmodel.errors import BadInput
from psmodel.predictors import Predictor, predictor
from psmodel.results import Prediction
from psmodel.scenario import Scenario
from psmodel.whatif.parameter_space import Point
from psmodel.whatif.prices import cost_of_1000
from psmodel.whatif.setup import Setup
from psmodel.whatif.targets import COSTS, Target

Decision = Literal["meets", "misses", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Certainty:
    """How sure a plan is.

    Attributes
    ----------
    risk
        Probability with which chance may make the answer of a whole plan wrong. It is divided among its tests
        (Bonferroni).
    indifference
        Part of a target: where a mean is nearer to it than that, either answer is right.
    budget
        Simulations of one configuration after which it stays undecided.
    """

    risk: float = 0.05
    indifference: float = 0.01
    budget: int = 400

    def __post_init__(self) -> None:
        for name in ("risk", "indifference"):
            if not 0 < getattr(self, name) < 0.5:
                raise BadInput(
                    f"{name} = {getattr(self, name)}; it is a share above 0 and below 0.5, like 1%"
                )
        if self.budget < 1:
            raise BadInput(f"budget = {self.budget}; it is a number of simulations, at least 1")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What one configuration comes to.

    Attributes
    ----------
    miss
        The largest ratio by which a mean misses its target, 1 or less where it meets it.
    """

    decision: Decision
    row: Mapping[str, Any]
    miss: float
    runs: Sequence[Prediction] = field(default=(), repr=False)


def decision_of(
    targets: Sequence[Target],
    values: Mapping[str, Sequence[float | None]],
    *,
    certain: bool,
    indifference: float,
    error: float,
) -> Decision:
    """Whether the means of independent simulations, or of real runs, meet all targets (`psmodel.output_analysis.side`).

    Parameters
    ----------
    values
        Metric → one value per simulation or run.
    certain
        Whether they are without chance, so that one tells all.
    error
        Probability of a wrong answer that is accepted, of each target.
    """
    decisions = [_of_one(target, values[target.name], certain, indifference, error) for target in targets]
    if "misses" in decisions:
        return "misses"
    return "undecided" if "undecided" in decisions else "meets"


def _of_one(
    target: Target, values: Sequence[float | None], certain: bool, indifference: float, error: float
) -> Decision:
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return "misses"
    if certain or target.name == "cost_per_hour":
        return "meets" if target.met(numbers[-1]) else "misses"
    sign = 1.0 if target.at_most else -1.0
    tolerance = indifference * (abs(target.value) or max(map(abs, numbers)))
    if tolerance == 0:
        return "meets"
    side = output_analysis.side(
        [sign * value for value in numbers], sign * target.value, tolerance=tolerance, error=error
    )
    return "undecided" if side is None else "meets" if side == "below" else "misses"


class Judge:
    """Judges configurations by the same targets.

    Parameters
    ----------
    tests
        How many configurations may be judged: the risk is divided among them.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        setup: Setup,
        certainty: Certainty,
        *,
        tests: int,
        tell: Callable[[str], None],
    ) -> None:
        self._targets = targets
        self._setup = setup
        self._quick = replace(setup, calibrated=replace(setup.calibrated, draws=()))
        self._certainty = certainty
        self._error = certainty.risk / tests / len(targets)
        self._tell = tell

    def by_value(self, scenario: Scenario, point: Point, row: Mapping[str, Any]) -> Judgement:
        """By the value that a row of the method has."""
        for target in self._targets:
            if row[target.name] is None and target.name not in COSTS and row["iteration_time_s"] > 0:
                raise BadInput(
                    f"method {self._setup.method} does not tell {target.name} of {scenario.name}; "
                    "decide by --method simulate"
                )
        meets = all(target.met(row[target.name]) for target in self._targets)
        return Judgement(
            decision="meets" if meets else "misses",
            row={**row, "decision": "meets" if meets else "misses", "replications": 1},
            miss=self._miss(row),
        )

    def _miss(self, row: Mapping[str, Any]) -> float:
        return max(target.distance(row[target.name]) for target in self._targets)

    def by_simulation(self, scenario: Scenario, point: Point) -> Judgement:
        """By as many independent simulations as it takes, see `psmodel.output_analysis.side`."""
        from psmodel import simulation

        runs: list[Prediction] = []
        values: dict[str, list[float | None]] = {target.name: [] for target in self._targets}
        best = self._setup.calibrated.best
        row: dict[str, Any] = {}
        decision: Decision = "undecided"
        while decision == "undecided" and len(runs) < self._certainty.budget:
            number = len(runs)
            self._tell(f"simulating {scenario.name}, {number + 1}")
            runs.append(simulation.predict(scenario, best, replication=number).prediction)
            if not row:
                row = self._quick.row(scenario, point, _always(runs[-1]))
            metrics = self._told(scenario, runs[-1], self._alone(scenario, number), row["cost_per_hour"])
            for name, column in values.items():
                column.append(metrics[name])
            decision = decision_of(
                self._targets,
                values,
                certain=not scenario.is_random,
                indifference=self._certainty.indifference,
                error=self._error,
            )
        row = self._row(scenario, point, runs, values)
        return Judgement(
            decision=decision, row={**row, "decision": decision, "replications": len(runs)},
            miss=self._miss(row), runs=runs,
        )  # fmt: skip

    @staticmethod
    def _told(
        scenario: Scenario,
        run: Prediction,
        one: Callable[[Scenario], Prediction] | None,
        price: float | None,
    ) -> dict[str, float | None]:
        """Everything that a target may be of, of one simulation."""
        each = None if price is None else cost_of_1000(price, run.metrics.iteration_time_s)
        costs = {"cost_per_hour": price, "cost_per_1000_iterations": each}
        return run.metrics.to_json() | derived(scenario, run.metrics, one) | costs

    def _alone(self, scenario: Scenario, number: int) -> Callable[[Scenario], Prediction] | None:
        from psmodel import simulation

        if not any(target.name in OF_ONE_WORKER for target in self._targets):
            return None
        if alone(scenario) is None:
            raise BadInput(
                f"{scenario.name} lists a number for each worker, or names some: one worker alone is not defined, "
                "so that speedup and scaling_efficiency are not"
            )
        best = self._setup.calibrated.best
        return lambda one: simulation.predict(one, best, replication=number).prediction

    def _row(
        self,
        scenario: Scenario,
        point: Point,
        runs: Sequence[Prediction],
        values: Mapping[str, Sequence[float | None]],
    ) -> dict[str, Any]:
        from psmodel.simulation.replications import combine

        row = self._quick.row(scenario, point, _always(combine(runs)))
        for name, column in values.items():
            numbers = [value for value in column if value is not None]
            if len(numbers) == len(column) and len(numbers) > 1:
                estimate = output_analysis.replications(numbers)
                row[name], row[f"{name}_half_width"] = estimate.mean, estimate.half_width
            elif numbers:
                row[name] = numbers[-1]
        return row

    def with_intervals(self, judgement: Judgement, scenario: Scenario, point: Point) -> Judgement:
        """The judgement with the intervals that the fit's draws give, if there are any."""
        if not self._setup.calibrated.draws:
            return judgement
        predict = predictor(self._setup.method, replications=min(10, max(1, len(judgement.runs))))
        row = self._setup.row(scenario, point, predict)
        return replace(judgement, row={**row, **judgement.row})


def _always(prediction: Prediction) -> Predictor:
    return lambda scenario, coefficients: prediction
