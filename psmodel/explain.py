"""Why a scenario takes as long as it does: which resource binds, what would bind next, and what each change brings.

>>> from psmodel.scenario import load
>>> said = explain(load("ingress-sharded", shards=50))
>>> said.binding, said.next_binding, said.headroom
('shard ingress', 'shard egress', 1.0)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from psmodel.analytic import total_work
from psmodel.analytic_grid import predict_grid
from psmodel.calibration import IDEAL, Calibration
from psmodel.errors import BadInput, UserError
from psmodel.factors import FACTORS, Factor
from psmodel.methods import Calibrated, Predictor, interval, predictor
from psmodel.results import Method
from psmodel.scenario import Scenario, ScenarioError

Array = NDArray[np.float64]
_ONE_BY_ONE = 64
"""So many base samples of Sobol indices are predicted one by one."""


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What one change alone brings.

    Attributes
    ----------
    change
        In words, as "bandwidth × 2".
    ratio
        Iteration time after ÷ before.
    elasticity
        log2 of the ratio for a doubling (its negative for a halving): −1 where the time halves when the factor
        doubles, 0 where it does not matter. The arc elasticity d ln T / d ln x over that step.
    bottleneck
        What binds then.
    interval
        Of the ratio, by the fit's draws.
    """

    factor: str
    change: str
    ratio: float
    elasticity: float
    bottleneck: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Answer of `explain`; times in s.

    Attributes
    ----------
    resources
        Resource → its work in one iteration of all workers, the busiest first.
    headroom
        Work of the binding resource ÷ work of the next: how much faster it can get before the next one binds.
    left_out
        Change (in words) that this scenario does not permit → why.
    """

    scenario: str
    method: Method
    iteration_time_s: float
    interval: tuple[float, float] | None
    resources: Mapping[str, float]
    gains: tuple[Gain, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    sobol: "Sobol | None" = field(default=None)

    @property
    def binding(self) -> str:
        """The busiest resource."""
        return next(iter(self.resources))

    @property
    def next_binding(self) -> str | None:
        """The next one that has any work."""
        second = [name for name, work in self.resources.items() if work > 0][1:2]
        return second[0] if second else None

    @property
    def headroom(self) -> float | None:
        """See the class."""
        return self.resources[self.binding] / self.resources[self.next_binding] if self.next_binding else None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "scenario": self.scenario,
            "method": self.method,
            "iteration_time_s": self.iteration_time_s,
            "interval": self.interval,
            "binding": self.binding,
            "next_binding": self.next_binding,
            "headroom": self.headroom,
            "resources": dict(self.resources),
            "gains": [vars(gain) for gain in self.gains],
            "left_out": dict(self.left_out),
            "sobol": self.sobol and vars(self.sobol),
        }


def explain(
    scenario: Scenario, known: Calibrated | None = None, *, method: Method = "analytic", sobol: bool = False,
    seed: int = 0,
) -> Explanation:  # fmt: skip
    """Explain a scenario's iteration time.

    Parameters
    ----------
    known
        Coefficients, and the draws that give intervals; the ideal system if None.
    method
        Predicts the iteration times; the resources' work is a closed form in any case.
    sobol, seed
        Whether to add `sobol_indices`, and the seed of its samples.
    """
    known = known or Calibrated()
    predict = predictor(method)
    before = predict(scenario, known.best)
    time = before.metrics.iteration_time_s
    if time <= 0:
        raise BadInput(f"{scenario.name}: an iteration takes no time, so that nothing explains it")
    drawn = [predict(scenario, draw).metrics.iteration_time_s for draw in known.draws]
    gains: list[Gain] = []
    left_out: dict[str, str] = {}
    for factor in FACTORS:
        try:
            gains.append(_gain(factor, scenario, predict, known, time, drawn))
        except UserError as error:
            left_out[factor.words] = str(error)
    ordered = sorted(total_work(scenario, known.best).items(), key=lambda pair: -pair[1])
    return Explanation(
        scenario=scenario.name,
        method=method,
        iteration_time_s=time,
        interval=interval(drawn) if drawn else None,
        resources=dict(ordered),
        gains=tuple(gains),
        left_out=left_out,
        sobol=sobol_indices(scenario, known.best, seed=seed) if sobol else None,
    )


def _gain(
    factor: Factor,
    scenario: Scenario,
    predict: Predictor,
    known: Calibrated,
    time: float,
    drawn: Sequence[float],
) -> Gain:
    """What the factor's change brings to a scenario whose iteration takes `time` (with each of the draws: `drawn`)."""
    changed = factor.scaled(scenario, factor.multiple)
    step = math.log2(factor.value(changed) / factor.value(scenario))
    if step == 0:
        raise ScenarioError(f"{factor.name} is as small as it can be")
    after = predict(changed, known.best)
    ratio = after.metrics.iteration_time_s / time
    if ratio <= 0:
        raise ScenarioError("an iteration then takes no time")
    return Gain(
        factor=factor.name,
        change=factor.words,
        ratio=ratio,
        elasticity=math.log2(ratio) / step + 0.0,  # no minus before a zero
        bottleneck=after.bottleneck,
        interval=_ratio_interval(changed, predict, known, drawn),
    )


def _ratio_interval(
    changed: Scenario, predict: Predictor, known: Calibrated, drawn: Sequence[float]
) -> tuple[float, float] | None:
    if not drawn:
        return None
    after = [predict(changed, draw).metrics.iteration_time_s for draw in known.draws]
    return interval([a / b for a, b in zip(after, drawn, strict=True)])


@dataclass(frozen=True, kw_only=True)
class Sobol:
    """Which factors the iteration time's variance comes from, if each varies between half and twice its value.

    Attributes
    ----------
    first_order, total
        Factor → share of the variance of ln T that it explains alone, and with all its interactions (Sobol 2001,
        Mathematics and Computers in Simulation 55:271; estimators of Saltelli et al. 2010).
    samples
        Base samples n; n·(factors + 2) scenarios were predicted by closed forms.
    left_out
        Factor that this scenario does not let vary so → why.
    """

    first_order: Mapping[str, float]
    total: Mapping[str, float]
    samples: int
    seed: int
    left_out: Mapping[str, str] = field(default_factory=dict)


def sobol_indices(
    scenario: Scenario, calibration: Calibration = IDEAL, *, samples: int = 2048, seed: int = 0
) -> Sobol:
    """Global sensitivity of the logarithm of the iteration time, by ``scipy.stats.sobol_indices``.

    Each factor is log-uniform between half and twice its value; numbers of workers and shards are rounded. Where a
    grid of closed forms leaves a feature of the scenario out, they are evaluated one by one, with fewer samples.

    Parameters
    ----------
    samples
        A power of two; the most.
    """
    factors, left_out = _varied(scenario, calibration)
    logarithm = partial(_log_times, scenario, calibration, factors)
    if not _in_a_grid(scenario, calibration, factors):
        samples = min(samples, _ONE_BY_ONE)
        logarithm = partial(_log_times_one_by_one, scenario, calibration, factors)
    first_order, total = _shares(logarithm, len(factors), samples, seed)
    names = [factor.name for factor in factors]
    return Sobol(
        first_order=dict(zip(names, first_order.tolist(), strict=True)),
        total=dict(zip(names, total.tolist(), strict=True)),
        samples=samples,
        seed=seed,
        left_out=left_out,
    )


def _shares(
    logarithm: Callable[[Array], Array], factors: int, samples: int, seed: int
) -> tuple[Array, Array]:
    """Of each factor alone and with its interactions, shape (factors,)."""
    from scipy import stats

    if factors == 0:
        return np.zeros(0), np.zeros(0)
    if factors == 1:  # SciPy wants two; all that varies is due to a single one
        alone = np.array([float(np.ptp(logarithm(np.array([[-1.0, 0.0, 1.0]]))) > 0)])
        return alone, alone
    indices = stats.sobol_indices(
        func=logarithm, n=samples, dists=[stats.uniform(-1, 2)] * factors, rng=np.random.default_rng(seed)
    )
    return indices.first_order, indices.total_order


def _varied(scenario: Scenario, calibration: Calibration) -> tuple[tuple[Factor, ...], dict[str, str]]:
    """The factors that may all be halved and doubled together, and why not the others."""
    predict = predictor("analytic")
    varied: list[Factor] = []
    left_out: dict[str, str] = {}
    corners = [scenario]
    for factor in FACTORS:
        try:
            if factor.indivisible(scenario):
                raise ScenarioError(factor.indivisible(scenario))
            further = [factor.scaled(corner, by) for corner in corners for by in (0.5, 2.0)]
            if not all(predict(corner, calibration).metrics.iteration_time_s > 0 for corner in further):
                raise ScenarioError("with half or twice as much of it an iteration takes no time")
            corners = further
            varied.append(factor)
        except ScenarioError as error:
            left_out[factor.name] = str(error)
    return tuple(varied), left_out


def _columns(scenario: Scenario, factors: Sequence[Factor], steps: Array) -> dict[str, Array] | None:
    """Columns of a grid at `steps` (log2 of each factor's multiple), shape (factors, rows); None without a grid."""
    columns: dict[str, Array] = {}
    for factor, by in zip(factors, 2.0**steps, strict=True):
        more = factor.columns(scenario, by)
        if more is None:
            return None
        columns |= more
    return columns


def _in_a_grid(scenario: Scenario, calibration: Calibration, factors: Sequence[Factor]) -> bool:
    columns = _columns(scenario, factors, np.zeros((len(factors), 1)))
    if columns is None:
        return False
    try:
        predict_grid(scenario, columns, calibration)
    except BadInput:
        return False
    return True


def _log_times(
    scenario: Scenario, calibration: Calibration, factors: Sequence[Factor], steps: Array
) -> Array:
    columns = _columns(scenario, factors, steps)
    assert columns is not None
    return _logarithm(predict_grid(scenario, columns, calibration)["iteration_time_s"])


def _log_times_one_by_one(
    scenario: Scenario, calibration: Calibration, factors: Sequence[Factor], steps: Array
) -> Array:
    predict = predictor("analytic")
    times = []
    for row in (2.0**steps).T:
        changed = scenario
        for factor, by in zip(factors, row, strict=True):
            changed = factor.scaled(changed, float(by))
        times.append(predict(changed, calibration).metrics.iteration_time_s)
    return _logarithm(times)


def _logarithm(times: ArrayLike) -> Array:
    # Rounded, lest the last digits of equal times have a variance to share.
    return np.asarray(np.round(np.log(times), 12), np.float64)
