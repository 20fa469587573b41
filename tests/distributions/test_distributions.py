import math
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from psmodel.distributions import (
    KINDS,
    Deterministic,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Normal,
    Pareto,
    TimeDistribution,
)
from tests.strategies import continuous_distributions, distributions

ADAPTER: TypeAdapter[TimeDistribution] = TypeAdapter(Distribution)

# Each beside SciPy's distribution of the same parameters.
SCIPY = [
    (Normal(mean=2, sd=0.5), stats.truncnorm(-4, np.inf, loc=2, scale=0.5)),
    (Normal(mean=1, sd=2), stats.truncnorm(-0.5, np.inf, loc=1, scale=2)),
    (Normal(mean=0, sd=1), stats.halfnorm()),
    (LogNormal(mean=2, cv=0.3), stats.lognorm(math.sqrt(math.log(1.09)), scale=2 / math.sqrt(1.09))),
    (Exponential(mean=0.5), stats.expon(scale=0.5)),
    (Gamma(mean=3, cv=0.5), stats.gamma(4, scale=0.75)),
    (Gamma(mean=3, cv=2), stats.gamma(0.25, scale=12)),
    (Pareto(minimum=0.1, shape=3), stats.pareto(3, scale=0.1)),
]
IDS = [repr(distribution) for distribution, _ in SCIPY]


def make(value: object, **context: object) -> TimeDistribution:
    return ADAPTER.validate_python(value, context=context)


@pytest.mark.parametrize(("distribution", "truth"), SCIPY, ids=IDS)
class TestAgainstScipy:
    def test_moments(self, distribution: TimeDistribution, truth: stats.rv_continuous) -> None:
        assert distribution.expected() == pytest.approx(truth.mean(), rel=1e-12)
        assert distribution.variance() == pytest.approx(truth.var(), rel=1e-9)

    def test_probabilities(self, distribution: TimeDistribution, truth: stats.rv_continuous) -> None:
        x = np.array([-1, 0, *truth.ppf([1e-6, 0.01, 0.5, 0.99]), truth.isf(1e-12)])
        np.testing.assert_allclose(distribution.cdf(x), truth.cdf(x), rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(distribution.survival(x), truth.sf(x), rtol=1e-9)

    def test_draws_follow_it(self, distribution: TimeDistribution, truth: stats.rv_continuous) -> None:
        draws = distribution.sample(np.random.default_rng(7), 20_000)
        assert stats.kstest(draws, truth.cdf).pvalue > 0.01

    def test_order_statistics_follow_the_beta_law(
        self, distribution: TimeDistribution, truth: stats.rv_continuous
    ) -> None:
        for rank, n in [(1, 1), (1, 4), (3, 4), (4, 4), (90, 100), (100, 100)]:
            # F(X₍r₎) is Beta(r, n−r+1); integrated by SciPy on the scale of probability.
            law = stats.beta(rank, n - rank + 1)
            expected = law.expect(truth.ppf, limit=200)
            assert distribution.expected_order_statistic(rank, n) == pytest.approx(expected, rel=1e-5)


def test_maximum_of_two_normals() -> None:
    """Tippett 1925: σ/√π above the mean for two, 3σ/(2√π) for three."""
    compute = Normal(mean=100, sd=2)
    assert compute.expected_max(2) == pytest.approx(100 + 2 / math.sqrt(math.pi), rel=1e-14)
    assert compute.expected_max(3) == pytest.approx(100 + 3 / math.sqrt(math.pi), rel=1e-14)


@pytest.mark.parametrize(
    ("n", "expected"),
    # Harter 1961, "Expected values of normal order statistics", Biometrika 48:151, table 1.
    [(4, 1.02938), (5, 1.16296), (10, 1.53875), (20, 1.86748), (50, 2.24907), (100, 2.50759)],
)
def test_maximum_of_normals_as_tabulated(n: int, expected: float) -> None:
    assert Normal(mean=50, sd=1).expected_max(n) - 50 == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000, 100_000])
def test_gamma_of_cv_one_has_the_order_statistics_of_an_exponential(n: int) -> None:
    """The integral for one against the harmonic numbers of the other."""
    for rank in {1, (n + 1) // 2, n}:
        harmonic = math.fsum(1 / k for k in range(n - rank + 1, n + 1))
        assert Gamma(mean=2, cv=1).expected_order_statistic(rank, n) == pytest.approx(2 * harmonic, rel=1e-9)
        assert Exponential(mean=2).expected_order_statistic(rank, n) == pytest.approx(2 * harmonic, rel=1e-12)


def test_maximum_of_a_pareto_of_shape_two() -> None:
    """E[max of 2] = ∫ 1 − (1 − x⁻²)² dx + 1 = 1 + 2 − 1/3."""
    assert Pareto(minimum=1, shape=2).expected_max(2) == pytest.approx(8 / 3, rel=1e-14)


def test_order_statistics_of_samples_by_enumeration() -> None:
    samples = [1.0, 5.0, 2.0, 2.0]
    distribution = Empirical(samples=samples)
    for rank in (1, 2, 3):
        every = [sorted(draw)[rank - 1] for draw in np.stack(np.meshgrid(*[samples] * 3)).reshape(3, -1).T]
        assert distribution.expected_order_statistic(rank, 3) == pytest.approx(np.mean(every), rel=1e-14)


def test_scaled_maximum_of_exponentials_by_inclusion_and_exclusion() -> None:
    factors = [1, 1, 1.5, 3, 0.2, 7]
    truth = sum(
        (-1) ** (size + 1) / sum(1 / factor for factor in subset)
        for size in range(1, len(factors) + 1)
        for subset in combinations(factors, size)
    )
    assert Exponential(mean=2).expected_scaled_max(factors) == pytest.approx(2 * truth, rel=1e-12)


def test_scaled_maximum_of_samples_by_enumeration() -> None:
    samples, factors = np.array([1.0, 5.0, 0.7]), [1, 3, 1.1]
    every = np.max(np.meshgrid(*[samples * factor for factor in factors]), axis=0)
    assert Empirical(samples=samples).expected_scaled_max(factors) == pytest.approx(every.mean(), rel=1e-14)


@given(continuous_distributions, st.integers(2, 50))
def test_scaled_maximum_of_equal_workers_is_the_maximum(distribution: TimeDistribution, n: int) -> None:
    """Two quadratures of the same number: factors that differ by a rounding force the second one."""
    factors = [1.0] * (n - 1) + [1 + 1e-13]
    truth = distribution.expected_max(n)
    assert distribution.expected_scaled_max(factors) == pytest.approx(truth, rel=1e-7)


@given(distributions, st.lists(st.floats(0.1, 10), min_size=1, max_size=6))
def test_scaled_maximum_lies_between_the_slowest_and_the_sum(
    distribution: TimeDistribution, factors: list[float]
) -> None:
    latest = distribution.expected_scaled_max(factors)
    assert max(factors) * distribution.expected() <= latest * (1 + 1e-7)
    assert latest <= sum(factors) * distribution.expected() * (1 + 1e-7)
    assert latest <= max(factors) * distribution.expected_max(len(factors)) * (1 + 1e-7)


@given(distributions, st.integers(1, 12))
def test_order_statistics_rise_and_sum_to_the_mean(distribution: TimeDistribution, n: int) -> None:
    order = [distribution.expected_order_statistic(rank, n) for rank in range(1, n + 1)]
    assert np.all(np.diff(order) >= -1e-9 * order[-1])
    assert sum(order) == pytest.approx(n * distribution.expected(), rel=1e-7)


@given(distributions, st.integers(0, 2**32), st.lists(st.integers(0, 5), max_size=5))
def test_draws_do_not_depend_on_how_many_are_taken_at_once(
    distribution: TimeDistribution, seed: int, parts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    pieces = np.concatenate([[], *(distribution.sample(rng, part) for part in parts)])
    np.testing.assert_array_equal(distribution.sample(np.random.default_rng(seed), sum(parts)), pieces)
    assert np.all((pieces >= 0) & np.isfinite(pieces))


@given(distributions)
def test_survives_json(distribution: TimeDistribution) -> None:
    assert ADAPTER.validate_json(ADAPTER.dump_json(distribution)) == distribution
    assert hash(distribution) == hash(ADAPTER.validate_python(distribution))


def test_a_bare_quantity_never_varies() -> None:
    for value in ("0.5 s", 0.5, "500 ms"):
        assert make(value) == Deterministic(value=0.5)
    assert not make(0).is_random
    assert not Empirical(samples=[1, 1]).is_random
    assert Empirical(samples=[1, 2]).is_random


def test_units_are_converted_at_the_door() -> None:
    assert make({"kind": "lognormal", "mean": "80 ms", "cv": 0.3}) == LogNormal(mean=0.08, cv=0.3)
    assert make({"kind": "empirical", "samples": ["80 ms", 2]}) == Empirical(samples=[0.08, 2])


def test_json_schema_allows_a_time_with_its_unit() -> None:
    schema = ADAPTER.json_schema()
    alternatives = [*schema["anyOf"], *schema["anyOf"][1].get("anyOf", [])]
    (text,) = [a for a in alternatives if a.get("type") == "string"]
    assert re.search(text["pattern"], "80 ms")
    assert not re.search(text["pattern"], "80")
    assert set(schema["anyOf"][0]["discriminator"]["mapping"]) == set(KINDS)


def test_times_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "times.csv"
    file.write_text('compute_s\n# measured today\n0.5\n\n"80 ms"\n1e-3\n')
    truth = Empirical(samples=[0.5, 0.08, 0.001])
    assert make({"kind": "empirical", "file": str(file)}) == truth
    assert make({"kind": "empirical", "file": "times.csv"}, directory=tmp_path) == truth


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"s\n0.5\n-1\n", "line 3: '-1 s' is negative"),
        (b"nan\n", "line 1: 'nan' is not a time"),
        (b"0.5\n", "line 1: '0.5' has no unit; .* first line that names the unit"),
        (b"time\n0.5 s\n1 parsec\n", "line 3: '1 parsec': 'parsec' is not a unit of a time"),
        (b"time\nlater\n", "line 2: 'later' is not a time"),
        (b"\n", "needs samples or file with at least one time"),
        (b"\xff\xfe\x00", "cannot be read: it is not UTF-8 text"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "times").write_bytes(content)
    with pytest.raises(ValidationError, match=message):
        make({"kind": "empirical", "file": "times"}, directory=tmp_path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "true is not a distribution"),
        ({"kind": "weibull"}, "kind = one of deterministic, normal,"),
        ({"mean": 1}, "kind = one of deterministic"),
        ("80", "'80' has no unit"),
        ("-1 s", "negative"),
        ({"kind": "normal", "mean": 1, "sd": 0}, "sd is 0 s; it must be greater than 0"),
        ({"kind": "lognormal", "mean": 0, "cv": 1}, "mean is 0 s; it must be greater than 0"),
        ({"kind": "lognormal", "mean": 1, "cv": float("nan")}, "cv is nan; it must lie between"),
        ({"kind": "gamma", "mean": 1, "cv": 0}, "cv is 0; it must lie between"),
        ({"kind": "pareto", "minimum": 1, "shape": 1}, "shape is 1; it must be greater than 1"),
        ({"kind": "exponential", "mean": 1, "sd": 1}, "sd\n.*not permitted"),
        ({"kind": "empirical"}, "needs samples or file"),
        ({"kind": "empirical", "samples": [1], "file": "x"}, "samples or file, not both"),
        ({"kind": "empirical", "file": "/nowhere"}, "file /nowhere cannot be read: No such file"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make(value)


@pytest.mark.parametrize(("rank", "n"), [(0, 3), (4, 3), (1, 0)])
@pytest.mark.parametrize(
    "value", [1, {"kind": "normal", "mean": 1, "sd": 1}, {"kind": "empirical", "samples": [1]}]
)
def test_order_statistics_that_do_not_exist_are_refused(value: object, rank: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"rank is {rank}; an order statistic of {n} draws"):
        make(value).expected_order_statistic(rank, n)


@pytest.mark.parametrize("factors", [[], [1, 0], [1, float("inf")]])
def test_factors_that_are_not_speeds_are_refused(factors: list[float]) -> None:
    with pytest.raises(ValueError, match="all greater than 0 and finite"):
        Exponential(mean=1).expected_scaled_max(factors)


def test_a_pareto_of_shape_at_most_two_has_no_variance() -> None:
    assert Pareto(minimum=1, shape=2).variance() == math.inf
