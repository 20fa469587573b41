"""The sequential test keeps its error, whatever the spread and the distance."""

import numpy as np
import pytest
from scipy import integrate, stats

from psmodel.output_analysis import side
from psmodel.output_analysis.feasibility import log_bayes_factor


def decided(rng: np.random.Generator, mean: float, spread: float, error: float) -> tuple[str, int]:
    values: list[float] = []
    while True:
        values.append(mean + spread * rng.normal())
        answer = side(values, 1.0, tolerance=0.05, error=error)
        if answer is not None:
            return answer, len(values)


@pytest.mark.parametrize("mean", [0.95, 1.05, 0.8])
def test_wrong_answers_are_as_rare_as_stated(mean: float) -> None:
    rng = np.random.default_rng(1)
    error, runs = 0.1, 200
    right = "below" if mean < 1 else "above"
    wrong = sum(decided(rng, mean, 0.1, error)[0] != right for _ in range(runs))
    # One in ten is accepted; so many by chance are seen with a probability of 1 in 1000 at most.
    assert wrong <= stats.binom.ppf(0.999, runs, error)


def test_a_mean_far_away_takes_few_values_and_a_near_one_ends() -> None:
    rng = np.random.default_rng(2)
    assert max(decided(rng, 0.5, 0.02, 0.001)[1] for _ in range(50)) <= 6
    # On the limit itself, where either answer is right, the triangle closes.
    assert all(decided(rng, 1.0, 0.1, 0.05)[1] < 500 for _ in range(10))


def test_the_bayes_factor_is_the_integral_over_effect_sizes() -> None:
    x = np.array([0.3, 0.9, 0.1, 0.8, 0.4])
    n = x.size
    t = float(np.sqrt(n) * x.mean() / x.std(ddof=1))

    def density(effect: float, variance: float) -> float:
        return float(
            stats.nct.pdf(t, n - 1, effect * np.sqrt(n)) * stats.norm.pdf(effect, 0, np.sqrt(variance))
        )

    factors = [
        integrate.quad(density, -20 * np.sqrt(g), 20 * np.sqrt(g), args=(g,), limit=500, points=[0.0, 1.0])[0]
        / stats.t.pdf(t, n - 1)
        for g in (0.01, 1.0, 100.0)
    ]
    assert log_bayes_factor(x, 0.0) == pytest.approx(np.log(np.mean(factors)), abs=1e-3)


def test_values_that_do_not_differ_are_not_believed_at_once() -> None:
    assert side([1.0] * 3, 2.0, tolerance=0.1, error=0.05) is None
    assert side([1.0] * 10, 2.0, tolerance=0.1, error=0.05) == "below"
    assert side([3.0] * 10, 2.0, tolerance=0.1, error=0.05) == "above"


@pytest.mark.parametrize(("tolerance", "error"), [(0.0, 0.05), (0.1, 0.5), (0.1, 0.0)])
def test_nonsense_is_refused(tolerance: float, error: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        side([1.0], 2.0, tolerance=tolerance, error=error)
