"""Intervals cover the truth as often as they claim, against series whose mean is known; and nonsense is refused."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import signal, stats

from psmodel.output_analysis import (
    CORRELATED,
    TOO_FEW,
    WARMING_UP,
    Estimate,
    batch_means,
    quantile,
    replications,
    replications_needed,
    steady_state,
    student_quantile,
    warmup_length,
)
from tests.effort import runs

values = arrays(np.float64, st.integers(1, 200), elements=st.floats(-1e6, 1e6))


def autoregressive(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    """A stationary AR(1) series of mean 10 and innovations of variance 1."""
    noise = rng.normal(size=n)
    noise[0] /= math.sqrt(1 - phi**2)
    return 10 + np.asarray(signal.lfilter([1], [1, -phi], noise))


def waiting_times(rng: np.random.Generator, n: int, load: float) -> np.ndarray:
    """Successive waiting times in M/M/1 (mean service 1), which starts empty, by Lindley's recursion."""
    steps = np.concatenate([[0.0], np.cumsum(rng.exponential(1, n) - rng.exponential(1 / load, n))])
    return np.asarray(steps - np.minimum.accumulate(steps))


def coverage(
    truth: float, runs: int, seed: int, experiment: Callable[[np.random.Generator], Estimate]
) -> tuple[float, float]:
    """Share of the intervals that cover the truth, and of the estimates that are flagged."""
    estimates = [
        experiment(np.random.default_rng(child)) for child in np.random.SeedSequence(seed).spawn(runs)
    ]
    covered = [estimate.low <= truth <= estimate.high for estimate in estimates]
    return float(np.mean(covered)), float(np.mean([not estimate.converged for estimate in estimates]))


class TestReplications:
    def test_as_in_law(self) -> None:
        """Law 2015, example 4.26: ten values, 90 %, 1.34 ± 0.24."""
        result = replications([1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09], confidence=0.90)
        assert result.mean == pytest.approx(1.34, abs=0.005)
        assert result.half_width == pytest.approx(0.24, abs=0.005)
        assert result.converged

    @given(values.filter(lambda x: x.size > 1), st.floats(0.5, 0.999))
    def test_equals_scipy(self, x: np.ndarray, confidence: float) -> None:
        result = replications(x, confidence=confidence)
        mean, error = np.mean(x), stats.sem(x)
        assert result.mean == mean
        if error > 0:
            low, high = stats.t.interval(confidence, x.size - 1, loc=mean, scale=error)
            assert result.high - result.low == pytest.approx(high - low, rel=1e-6)
        assert result.count == x.size

    @pytest.mark.parametrize("confidence", [0.8, 0.95])
    def test_covers_as_often_as_it_claims(self, confidence: float) -> None:
        covered, _ = coverage(
            3, 2000, 1, lambda rng: replications(rng.normal(3, 2, size=10), confidence=confidence)
        )
        assert covered == pytest.approx(confidence, abs=0.02)

    def test_one_value_says_nothing_of_its_error(self) -> None:
        result = replications([2.0])
        assert (result.mean, result.half_width, result.flags) == (2.0, math.inf, (TOO_FEW,))
        assert result.relative_half_width == math.inf
        assert replications([1.0, 2.0]).flags == (TOO_FEW,)
        assert replications([2.0, 2.0]).converged

    @pytest.mark.parametrize("degrees", [1, 5, 30, 1000])
    def test_student_quantile(self, degrees: int) -> None:
        assert student_quantile(0.9, degrees) == pytest.approx(stats.t.ppf(0.95, degrees), rel=1e-9)


class TestPrecision:
    def test_is_reached_as_often_as_claimed(self) -> None:
        """Runs until 5 %: the true mean is then within 5 %, by a sequential rule that only looks at the values."""

        def experiment(rng: np.random.Generator) -> Estimate:
            x: list[float] = []
            while (needed := replications_needed(x, precision=0.05)) > len(x):
                x.extend(rng.gamma(4, 0.25, size=needed - len(x)))
            result = replications(x)
            assert result.relative_half_width <= 0.05
            return result

        covered, flagged = coverage(1, 500, 2, experiment)
        assert covered > 0.92
        assert flagged == 0

    @given(st.integers(10, 50), st.floats(0.01, 0.5), st.integers(0, 1000))
    def test_asks_for_more_until_it_is_reached(self, n: int, precision: float, seed: int) -> None:
        x = np.random.default_rng(seed).exponential(size=n)
        needed = replications_needed(x, precision=precision)
        assert n <= needed <= 2 * n
        relative = replications(x).relative_half_width
        assert (needed == n) == (relative <= precision / (1 + precision))

    def test_what_never_varies_is_known(self) -> None:
        assert replications_needed([3.0] * 10, precision=1e-9) == 10
        assert replications_needed([0.0] * 10, precision=1e-9) == 10

    def test_nonsense_is_refused(self) -> None:
        with pytest.raises(ValueError, match="precision is 0; it must be greater than 0"):
            replications_needed([1.0], precision=0)


class TestBatchMeans:
    @pytest.mark.parametrize(("phi", "n"), [(0.0, 200), (0.5, 2000), (0.9, 10_000), (-0.5, 1000)])
    def test_covers_as_often_as_it_claims(self, phi: float, n: int) -> None:
        covered, flagged = coverage(10, 400, 3, lambda rng: batch_means(autoregressive(rng, n, phi)))
        assert 0.92 <= covered <= 0.99
        assert flagged < 0.05

    def test_says_so_when_the_run_is_too_short(self) -> None:
        result = batch_means(autoregressive(np.random.default_rng(4), 200, 0.98))
        assert result.flags == (CORRELATED,)
        covered, flagged = coverage(10, 200, 5, lambda rng: batch_means(autoregressive(rng, 200, 0.98)))
        assert covered < 0.6
        assert flagged > 0.95

    @given(values)
    def test_of_any_series(self, x: np.ndarray) -> None:
        result = batch_means(x)
        assert np.min(x) - 1e-9 <= result.mean <= np.max(x) + 1e-9
        assert result.half_width >= 0
        assert 1 <= result.count <= min(x.size, 39)

    @given(values.filter(lambda x: x.size > 1), st.floats(0.1, 10), st.floats(-100, 100))
    def test_follows_a_change_of_unit(self, x: np.ndarray, scale: float, shift: float) -> None:
        one, other = batch_means(np.round(x)), batch_means(np.round(x) * scale + shift)
        assert other.mean == pytest.approx(one.mean * scale + shift, rel=1e-6, abs=1e-6)


class TestWarmup:
    def test_finds_where_a_decay_has_ended(self) -> None:
        """An AR(1) around 10 that starts 30 too high: gone to a tenth of its own noise after some 60 values."""
        rng = np.random.default_rng(6)
        lengths = []
        for _ in range(50):
            x = autoregressive(rng, 2000, 0.9) + 30 * 0.9 ** np.arange(2000)
            length, is_over = warmup_length(x)
            assert is_over
            lengths.append(length)
        assert 20 <= np.median(lengths) <= 80

    def test_removes_the_bias_of_the_start(self) -> None:
        """A start that lifts the mean of the run by 0.5, three times its standard error."""
        rng, start = np.random.default_rng(7), 100 * 0.95 ** np.arange(4000)
        runs = [autoregressive(rng, 4000, 0.9) + start for _ in range(200)]
        assert np.mean([x.mean() for x in runs]) > 10.45
        assert np.mean([steady_state(x).mean for x in runs]) == pytest.approx(10, abs=0.05)
        assert np.mean([abs(e.mean - 10) <= e.half_width for e in map(steady_state, runs)]) > 0.9

    def test_a_trend_is_never_over(self) -> None:
        """A fire-and-forget queue that grows: no steady state."""
        x = np.arange(1000.0)
        length, is_over = warmup_length(x)
        assert not is_over
        assert length <= 500
        assert WARMING_UP in steady_state(x).flags

    @pytest.mark.parametrize("n", [1, 5, 100])
    def test_what_never_varies_has_none(self, n: int) -> None:
        assert warmup_length([0.1 + 0.2, 0.3] * n) == (0, True)
        result = steady_state([0.1 + 0.2, 0.3] * n)
        assert result.mean == pytest.approx(0.3)
        assert result.half_width < 1e-15
        assert result.converged

    def test_few_values_do_not_say(self) -> None:
        assert warmup_length([1.0, 2.0, 3.0]) == (0, False)

    @given(values)
    def test_drops_at_most_half(self, x: np.ndarray) -> None:
        length, _ = warmup_length(x)
        assert 0 <= length <= x.size / 2


class TestSteadyState:
    @pytest.mark.parametrize(("load", "n"), [(0.5, 10_000), (0.8, 60_000)])
    def test_covers_the_waiting_time_of_a_queue(self, load: float, n: int) -> None:
        """M/M/1 started empty: the mean wait is ρ/(1 − ρ) services."""
        covered, flagged = coverage(
            load / (1 - load), runs(150, 600), 8, lambda rng: steady_state(waiting_times(rng, n, load))
        )
        assert 0.9 <= covered <= 0.99
        assert flagged < 0.1


class TestQuantile:
    @pytest.mark.parametrize("probability", [0.5, 0.95, 0.99])
    def test_covers_as_often_as_it_claims(self, probability: float) -> None:
        """AR(1): normal of variance 1/(1 − φ²)."""
        truth = 10 + stats.norm.ppf(probability) / math.sqrt(1 - 0.5**2)
        covered, flagged = coverage(
            truth, runs(300, 1000), 9, lambda rng: quantile(autoregressive(rng, 2000, 0.5), probability)
        )
        assert 0.92 <= covered <= 0.98
        assert flagged == 0

    def test_says_so_when_the_tail_was_not_seen(self) -> None:
        rng = np.random.default_rng(10)
        assert quantile(rng.normal(size=500), 0.99).flags == (TOO_FEW,)
        assert quantile(rng.normal(size=5), 0.5).half_width == math.inf
        assert quantile([1.0] * 500, 0.99).converged

    def test_nonsense_is_refused(self) -> None:
        with pytest.raises(ValueError, match="probability is 95; it must lie between 0 and 1"):
            quantile([1.0], 95)


@pytest.mark.parametrize("function", [replications, batch_means, warmup_length, steady_state])
def test_values_that_are_none_are_refused(function: Callable[[object], object]) -> None:
    with pytest.raises(ValueError, match=r"values have the shape \(0,\)"):
        function([])
    with pytest.raises(ValueError, match=r"values have the shape \(1, 2\)"):
        function([[1.0, 2.0]])
    with pytest.raises(ValueError, match="value 1 is nan; it must be finite"):
        function([1.0, math.nan])


def test_a_confidence_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence is 95; it must lie between 0 and 1"):
        replications([1.0, 2.0], confidence=95)
