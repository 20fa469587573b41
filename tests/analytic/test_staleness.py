"""Stale-synchronous workers where only chance holds them back: a recursion says how long an iteration takes."""

import numpy as np
import pytest

from psmodel.analytic import mva, predict
from psmodel.scenario import load

_ITERATIONS = 12_000


def recursion(workers: int, bound: int, cv: float) -> float:
    """Mean iteration (s) where each one begins once it has ended its last, and all that `bound` before."""
    rng = np.random.default_rng(11)
    sigma = np.sqrt(np.log1p(cv**2))
    ends = np.zeros((_ITERATIONS + 1, workers))
    for k in range(_ITERATIONS):
        begins = np.maximum(ends[k], ends[max(k - bound, 0)].max())
        ends[k + 1] = begins + rng.lognormal(-(sigma**2) / 2, sigma, workers)
    return float(ends[-1].max() / _ITERATIONS)


@pytest.mark.parametrize("workers", [2, 8, 32])
@pytest.mark.parametrize(("cv", "within"), [(0.1, 0.02), (0.3, 0.02), (1.0, 0.13)])
@pytest.mark.parametrize("bound", [0, 1, 3])
def test_the_bound_holds_workers_back_as_in_the_recursion(
    workers: int, cv: float, within: float, bound: int
) -> None:
    scenario = load(
        "tutorial-sharded",
        workers=workers,
        shards=1,
        mode="ssp",
        staleness_bound=bound,
        model_size="8 B",
        bandwidth="100Gbps",
        compute={"kind": "lognormal", "mean": "1 s", "cv": cv},
    )
    expected = pytest.approx(recursion(workers, bound, cv), rel=within)
    assert predict(scenario).metrics.iteration_time_s == expected
    assert mva.predict(scenario).metrics.iteration_time_s == expected
