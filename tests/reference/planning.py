"""Random planning problems with answers that exhaustive simulation knows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from psmodel import simulation
from psmodel.calibration import IDEAL, Calibration
from psmodel.derived_metrics import communication_share
from psmodel.predictors import Calibrated
from psmodel.scenario import Scenario, load
from psmodel.whatif.judge import Certainty
from psmodel.whatif.parameter_space import Grid
from psmodel.whatif.plans import Objective, Plan, plan
from psmodel.whatif.prices import load_catalogue, machines_for, price_per_hour
from psmodel.whatif.sweeps import Setup, grid
from psmodel.whatif.targets import Target

REAL = Calibration(
    goodput_factor=0.9,
    submit_overhead_s=2e-4,
    handle_overhead_s=3e-4,
    call_latency_s=5e-4,
    object_overhead_s=1e-3,
    put_s_per_byte=4e-10,
    copy_s_per_byte=4e-10,
    update_s_per_byte=4e-10,
)
CERTAINTY = Certainty(indifference=0.03, budget=2000)
"""Runs of a few iterations differ by tens of percent, so that 1 % would take thousands of them."""
_FEW, _TRUTH = 10, 60
"""Simulations of each configuration, none of which the plan sees: more of those that may be near the target."""
_STEADY = 7
"""Every so many-th problem is asked for in its steady state, of which a simulation is as long as that takes."""
_FEW_STEADY, _TRUTH_STEADY = 3, 8
_FROM = 10_000


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A question whose answer is known up to the error of many simulations."""

    base: Scenario
    points: Grid
    target: Target
    minimise: Objective
    setup: Setup
    values: Sequence[float]
    errors: Sequence[float]
    costs: Sequence[float]

    def solve(self) -> Plan:
        """Ask `plan`."""
        return plan(
            self.base,
            self.points,
            [self.target],
            minimise=self.minimise,
            setup=self.setup,
            certainty=CERTAINTY,
        )

    def is_right(self, answer: Plan) -> bool:
        """Whether the answer meets the target, and nothing better does, but for the indifference zone."""
        margin = CERTAINTY.indifference * self.target.value
        sign = 1 if self.target.at_most else -1
        excess = [sign * (value - self.target.value) for value in self.values]
        surely = [c for c, x, e in zip(self.costs, excess, self.errors, strict=True) if x < -margin - 2 * e]
        if answer.best is None:
            return not surely and "Undecided" not in answer.verdict
        row = list(self.points).index({k: self._given(answer, k) for k in self.points[0]})
        acceptable = excess[row] <= margin + 2 * self.errors[row]
        return acceptable and not any(cost < self.costs[row] * (1 - 1e-9) for cost in surely)

    def _given(self, answer: Plan, key: str) -> Any:
        assert answer.best is not None
        value = answer.best[key]
        (axis,) = (a for a in self.points.axes if a.key == key)
        return next(v for v in axis.values if v == value or _rate(v) == value)


def _rate(value: Any) -> float | None:
    return float(value.removesuffix("Gbps")) * 1e9 / 8 if str(value).endswith("Gbps") else None


def value_of(name: str, scenario: Scenario, calibration: Calibration, replication: int) -> float:
    """A metric of one simulation."""
    metrics = simulation.predict(scenario, calibration, replication=replication).prediction.metrics
    value = communication_share(metrics) if name == "communication_share" else getattr(metrics, name)
    assert value is not None
    return float(value)


def _sample(name: str, scenario: Scenario, calibration: Calibration, numbers: range) -> list[float]:
    return [value_of(name, scenario, calibration, _FROM + number) for number in numbers]


def _error(sample: Sequence[float]) -> float:
    return float(np.std(sample, ddof=1)) / math.sqrt(len(sample))


def problem(seed: int) -> Problem:
    """The problem of a seed: a small space, one target near what one of its configurations has."""
    rng = np.random.default_rng(seed)

    def pick(*choices: Any) -> Any:
        return choices[int(rng.integers(len(choices)))]

    is_steady = seed % _STEADY == 0
    few, truth = (_FEW_STEADY, _TRUTH_STEADY) if is_steady else (_FEW, _TRUTH)
    mean = f"{pick(20, 60, 150)} ms"
    compute: Any = pick(
        {"kind": "exponential", "mean": mean},
        {"kind": "lognormal", "mean": mean, "cv": pick(0.2, 0.6)},
        {"kind": "gamma", "mean": mean, "cv": 0.4},
    )
    if is_steady:  # with more chance each takes minutes
        compute = {"kind": "gamma", "mean": mean, "cv": pick(0.1, 0.2)}
    mode = pick("bsp", "bsp", "asp", "ssp")
    base = load(
        "ingress-single",
        workers=pick(2, 3),
        **({} if is_steady else {"iterations": pick(4, 6), "warmup": 1}),
        model_size=pick("8MB", "80MB"),
        compute=compute,
        mode=mode,
        **({"staleness_bound": pick(0, 2)} if mode == "ssp" else {}),
        pull=pick("parallel", "parallel", "sequential"),
        push=pick("blocking", "blocking", "sequential"),
        seed=int(rng.integers(1000)),
    )
    calibration = pick(IDEAL, REAL)
    points = grid("shards=1,2,3", "bandwidth=" + pick("5Gbps,10Gbps", "1Gbps,10Gbps", "10Gbps,25Gbps"))
    minimise: Objective = pick("cost", "shards")
    name = pick(
        "iteration_time_s", "iteration_time_s", "updates_per_s", "communication_share", "ingress_time_s"
    )
    catalogue = load_catalogue()
    setup = Setup(method="simulate", calibrated=Calibrated(best=calibration), catalogue=catalogue)
    scenarios = [setup.scenario(base, point) for point in points]
    samples = [_sample(name, scenario, calibration, range(few)) for scenario in scenarios]
    limit = float(np.mean(samples[int(rng.integers(len(samples)))])) * float(rng.uniform(0.93, 1.07))
    costs = []
    for index, (scenario, point) in enumerate(zip(scenarios, points, strict=True)):
        if abs(np.mean(samples[index]) / limit - 1) < 0.1 + 5 * _error(samples[index]) / limit:
            samples[index] += _sample(name, scenario, calibration, range(few, truth))
        machines = machines_for(scenario, point, catalogue)
        assert machines is not None
        costs.append(price_per_hour(scenario, machines) if minimise == "cost" else float(scenario.shards))
    return Problem(
        base=base,
        points=points,
        target=Target(name=name, at_most=name != "updates_per_s", value=limit),
        minimise=minimise,
        setup=setup,
        values=[float(np.mean(sample)) for sample in samples],
        errors=[_error(sample) for sample in samples],
        costs=costs,
    )
