"""Which factors a scenario's iteration time depends on, if all vary at once.

>>> from psmodel.scenario import load
>>> shares = sobol_indices(load("ingress-single", compute="1000 s"), samples=128)
>>> max(shares.total, key=shares.total.get)
'compute'
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from psmodel.analytic import predict_grid
from psmodel.calibration import IDEAL, Calibration
from psmodel.errors import BadInput
from psmodel.predictors import predictor
from psmodel.scenario import Scenario, ScenarioError
from psmodel.whatif.factors import FACTORS, Factor

Array = NDArray[np.float64]
_ONE_BY_ONE = 64
"""So many base samples are predicted where a grid of closed forms cannot do it."""


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
    scenario: Scenario,
    calibration: Calibration = IDEAL,
    *,
    samples: int = 2048,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Sobol:
    """Global sensitivity of the logarithm of the iteration time, by ``scipy.stats.sobol_indices``.

    Each factor is log-uniform between half and twice its value; numbers of workers and shards are rounded. Where a
    grid of closed forms leaves a feature of the scenario out, they are evaluated one by one, with fewer samples.

    Parameters
    ----------
    samples
        A power of two; the most.
    progress
        Called with the number of scenarios that were predicted one by one, and how many there are.
    """
    tell = progress or (lambda count, of: None)
    factors, left_out = _varied(scenario, calibration)
    if _in_a_grid(scenario, calibration, factors):
        logarithm = partial(_log_times, scenario, calibration, factors)
        first_order, total = _shares(logarithm, len(factors), samples, seed)
    else:
        samples = min(samples, _ONE_BY_ONE)
        while True:
            count = _counter(tell, samples * (len(factors) + 2))
            logarithm = partial(_log_times_one_by_one, scenario, calibration, factors, count)
            try:
                first_order, total = _shares(logarithm, len(factors), samples, seed)
                break
            except _NoScenario as none:
                # Half and twice are possible, but something between is not: a rounded share of a tiny model, say.
                factors = [factor for factor in factors if factor is not none.factor]
                left_out[none.factor.name] = none.reason
    names = [factor.name for factor in factors]
    return Sobol(
        first_order=dict(zip(names, first_order.tolist(), strict=True)),
        total=dict(zip(names, total.tolist(), strict=True)),
        samples=samples,
        seed=seed,
        left_out=left_out,
    )


def _counter(tell: Callable[[int, int], None], of: int) -> Callable[[], None]:
    numbers = itertools.count(1)
    return lambda: tell(next(numbers), of)


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


class _NoScenario(Exception):
    """A factor's multiple that makes no scenario, and why."""

    def __init__(self, factor: Factor, reason: str) -> None:
        super().__init__(reason)
        self.factor, self.reason = factor, reason


def _varied(scenario: Scenario, calibration: Calibration) -> tuple[list[Factor], dict[str, str]]:
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
    return varied, left_out


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
    scenario: Scenario,
    calibration: Calibration,
    factors: Sequence[Factor],
    count: Callable[[], None],
    steps: Array,
) -> Array:
    predict = predictor("analytic")
    times = []
    for row in (2.0**steps).T:
        count()
        changed = scenario
        for factor, by in zip(factors, row, strict=True):
            try:
                changed = factor.scaled(changed, float(by))
            except ScenarioError as error:
                raise _NoScenario(factor, str(error)) from None
        times.append(predict(changed, calibration).metrics.iteration_time_s)
    return _logarithm(times)


def _logarithm(times: ArrayLike) -> Array:
    # Rounded, lest the last digits of equal times have a variance to share.
    return np.asarray(np.round(np.log(times), 12), np.float64)
