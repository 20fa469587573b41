"""Stretched intervals hold as often as they say, whatever the errors are distributed like."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from validate.fitting import conformal
from validate.fitting.fit import Interval

INTERVAL = Interval(predicted=1.0, low=0.9, high=1.2)


@given(st.floats(0.05, 20.0))
def test_a_value_lies_on_the_bound_of_its_own_score(value: float) -> None:
    low, high = conformal.stretched(INTERVAL, conformal.score(INTERVAL, value))
    assert min(abs(low - value), abs(high - value)) == pytest.approx(0.0, abs=1e-9 * value + 1e-12)


def test_the_parametric_bounds_have_the_score_one() -> None:
    for bound in (INTERVAL.low, INTERVAL.high):
        assert conformal.score(INTERVAL, bound) == pytest.approx(1.0)
    assert conformal.score(INTERVAL, INTERVAL.predicted) == 0.0


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("tail", [1.5, 3.0, 100.0])
def test_coverage_is_that_of_the_theorem(level: float, tail: float) -> None:
    """Split conformal: (1 − α) ≤ coverage ≤ (1 − α) + 1/(n + 1), for any distribution (Lei et al. 2018)."""
    rng, n = np.random.default_rng(1), 99
    trials = 4000
    scores = np.abs(rng.standard_t(tail, (trials, n)))
    new = np.abs(rng.standard_t(tail, trials))
    inside = np.mean(
        [value <= conformal.factor_of(row, level) for row, value in zip(scores.tolist(), new, strict=True)]
    )
    error = 3 * (level * (1 - level) / trials) ** 0.5
    assert level - error <= inside <= level + 1 / (n + 1) + error


def test_factors_grow_with_the_level() -> None:
    factors = conformal.factors()
    assert tuple(factors) == conformal.LEVELS
    assert list(factors.values()) == sorted(factors.values())
