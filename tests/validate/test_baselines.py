"""Baselines against data made by their own published formulas, and against each other's properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from validate.comparison.baselines import (
    BASELINES,
    Point,
    constant,
    ernest,
    fit_baselines,
    plain,
    plain_scaled,
    universal_scalability_law,
)

SIZES = [(1.0, 1), (2.0, 1), (2.0, 2), (8.0, 2), (8.0, 4), (8.0, 8), (16.0, 16)]
coefficient = st.floats(0.01, 10)


def points() -> list[Point]:
    return [Point(scale=scale, machines=p, plain_s=scale / p) for scale, p in SIZES]


@given(st.tuples(coefficient, coefficient, coefficient, coefficient))
def test_ernest_recovers_its_four_terms(theta: tuple[float, float, float, float]) -> None:
    """NSDI 2016, section 3.1: with exact data the least squares solution is the truth."""
    times = [float(np.dot(theta, [1, s / p, np.log(p), p])) for s, p in SIZES]
    assert list(ernest(points(), times).coefficients.values()) == pytest.approx(theta, rel=1e-5, abs=1e-6)


@given(coefficient, st.floats(0, 0.5), st.floats(0, 0.05))
def test_scalability_law_recovers_contention_and_coherency(lam: float, sigma: float, kappa: float) -> None:
    """Capacity p/(1 + σ(p−1) + κp(p−1)), as Gunther writes it."""
    times = [s / (lam * p / (1 + sigma * (p - 1) + kappa * p * (p - 1))) for s, p in SIZES]
    coefficients = universal_scalability_law(points(), times).coefficients
    assert coefficients["σ/λ"] / coefficients["1/λ"] == pytest.approx(sigma, abs=1e-6)
    assert coefficients["κ/λ"] / coefficients["1/λ"] == pytest.approx(kappa, abs=1e-6)


def test_scalability_law_has_its_peak_where_gunther_says() -> None:
    """Throughput is largest at p* = √((1 − σ)/κ) (Gunther 2008, eq. 8)."""
    sigma, kappa = 0.02, 0.0005
    times = [s * (1 + sigma * (p - 1) + kappa * p * (p - 1)) / p for s, p in SIZES]
    law = universal_scalability_law(points(), times)
    fastest = min(range(1, 200), key=lambda p: law.predict(Point(scale=1, machines=p, plain_s=1)))
    assert fastest == round(np.sqrt((1 - sigma) / kappa))


def test_two_sizes_leave_the_slowest_growing_terms() -> None:
    """Under weak scaling 1 and scale/machines are one column, and two sizes hold two coefficients."""
    two = [Point(scale=p, machines=p, plain_s=1.0) for p in (1, 2)]
    assert universal_scalability_law(two, [1.0, 1.2]).coefficients["κ/λ"] == 0
    fitted = ernest(two, [1.0, 1.2])
    assert fitted.coefficients["scale/machines"] == fitted.coefficients["machines"] == 0
    assert fitted.predict(two[1]) == pytest.approx(1.2)


def test_plain_and_constant() -> None:
    two = [Point(scale=1, machines=1, plain_s=2.0), Point(scale=1, machines=2, plain_s=1.0)]
    assert plain(two, [5.0, 7.0]).predict(two[1]) == 1.0
    assert plain_scaled(two, [3.0, 1.5]).predict(two[1]) == pytest.approx(1.5)
    assert constant(two, [4.0, 1.0]).predict(two[0]) == pytest.approx(2.0)


@given(
    st.lists(
        st.tuples(st.floats(1e-3, 1e3), st.integers(1, 64), st.floats(1e-3, 1e3)), min_size=1, max_size=8
    )
)
def test_every_baseline_predicts_a_finite_time_from_any_runs(runs: list[tuple[float, int, float]]) -> None:
    points_drawn = [Point(scale=s, machines=p, plain_s=s / p) for s, p, _ in runs]
    fitted = fit_baselines(points_drawn, [t for *_, t in runs])
    assert len(fitted) == len(BASELINES) == len({f.name for f in fitted})
    assert all(np.isfinite(f.predict(p)) and f.predict(p) >= 0 for f in fitted for p in points_drawn)


@pytest.mark.parametrize("times", [[], [1.0], [1.0, 0.0], [1.0, float("nan")]])
def test_what_cannot_be_fitted_is_refused(times: list[float]) -> None:
    with pytest.raises(ValueError, match="one positive time per point"):
        fit_baselines([Point(scale=1, machines=1, plain_s=1)] * 2, times)
