"""What an explanation scales, for every scenario that there can be: rightly, or left out with a reason."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from psmodel import analytic, simulation
from psmodel.errors import UserError
from psmodel.scenario import Scenario, ScenarioError, load
from psmodel.whatif.explanations import explain
from psmodel.whatif.factors import FACTORS
from psmodel.whatif.sensitivity import sobol_indices
from tests.strategies import distributions, scenarios

BY_NAME = {factor.name: factor for factor in FACTORS}


@st.composite
def any_scenarios(draw: st.DrawFn) -> Scenario:
    """Any scenario, some of them with so small a model that hardly anything can be scaled."""
    scenario = draw(scenarios())
    try:
        return scenario.replace(elements=draw(st.sampled_from([scenario.shards, 2 * scenario.shards + 1])))
    except ScenarioError:
        return scenario


EVERY = any_scenarios() | scenarios()


@settings(max_examples=150, deadline=None)
@given(EVERY)
def test_every_scenario_is_explained(scenario: Scenario) -> None:
    if analytic.predict(scenario).metrics.iteration_time_s == 0:
        with pytest.raises(UserError, match="takes no time"):
            explain(scenario)
        return
    explanation = explain(scenario)
    changes = [gain.change for gain in explanation.gains]
    assert sorted([*changes, *explanation.left_out]) == sorted(factor.words for factor in FACTORS)
    assert all(why and "\n" not in why for why in explanation.left_out.values())
    json.dumps(explanation.to_json(), allow_nan=False)


@settings(max_examples=40, deadline=None)
@given(EVERY)
def test_every_scenario_has_its_sensitivities(scenario: Scenario) -> None:
    assume(analytic.predict(scenario).metrics.iteration_time_s > 0)
    shares = sobol_indices(scenario, samples=4)
    assert sorted([*shares.total, *shares.left_out]) == sorted(BY_NAME)
    assert np.isfinite([*shares.total.values(), *shares.first_order.values()]).all()


@settings(max_examples=25, deadline=None)
@given(EVERY)
def test_every_scenario_is_explained_by_simulation(scenario: Scenario) -> None:
    assume(not scenario.failures)
    assume(simulation.predict(scenario).prediction.metrics.iteration_time_s > 0)
    explanation = explain(scenario, method="simulate")
    assert len(explanation.gains) + len(explanation.left_out) == len(FACTORS)


def test_unequal_workers_are_doubled_with_their_factors() -> None:
    base = load("laptop", workers=2, compute="100 ms", compute_factors=[1, 2])
    gain = next(gain for gain in explain(base).gains if gain.factor == "workers")
    doubled = base.replace(workers=4, compute_factors=[1, 2, 1, 2])
    before, after = (analytic.predict(s).metrics.iteration_time_s for s in (base, doubled))
    assert gain.ratio == pytest.approx(after / before)


@given(st.lists(st.just(0.0) | st.floats(0.1, 10), min_size=1, max_size=6).filter(any), st.integers(1, 3))
def test_shards_are_split_and_put_together_in_proportion(weights: list[float], multiple: int) -> None:
    base = load("ingress-single", shards=len(weights), shard_weights=weights)
    split = BY_NAME["shards"].scaled(base, float(multiple))
    assert split.shard_weights == pytest.approx([w / multiple for w in weights for _ in range(multiple)])
    back = BY_NAME["shards"].scaled(split, 1 / multiple)
    assert back.shard_weights == pytest.approx(weights)


def test_what_binds_stays_proportional_with_twice_the_unequal_shards() -> None:
    """N·M·w/(B·Σw): the heaviest shard is halved with all others, and so is the time."""
    base = load("ingress-single", workers=64, shards=2, shard_weights=[3, 1], pull="none")
    gain = next(gain for gain in explain(base).gains if gain.factor == "shards")
    assert gain.ratio == pytest.approx(0.5)
    assert gain.elasticity == pytest.approx(-1)


@given(distributions, st.floats(0.1, 10), st.floats(0, 1e3))
def test_a_scaled_time_is_the_time_on_another_scale(distribution: Any, by: float, x: float) -> None:
    scaled = distribution.scaled(by)
    assert type(scaled) is type(distribution)
    assert scaled.expected() == pytest.approx(by * distribution.expected(), rel=1e-9, abs=1e-300)
    assert scaled.variance() == pytest.approx(by**2 * distribution.variance(), rel=1e-6, abs=1e-300)
    if distribution.kind not in (
        "empirical",
        "deterministic",
    ):  # which jump, where rounding may lie on either side
        assert scaled.survival(by * x) == pytest.approx(distribution.survival(x), rel=1e-6, abs=1e-9)
    draws = [d.sample(np.random.default_rng(1), 5) for d in (distribution, scaled)]
    np.testing.assert_allclose(draws[1], by * draws[0], rtol=1e-6, atol=1e-300)


@pytest.mark.parametrize("by", [0.0, -1.0, float("inf"), float("nan")])
def test_a_time_is_scaled_by_a_number_above_zero(by: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        load("ingress-single", compute="1 s").compute.scaled(by)


def test_random_compute_is_halved() -> None:
    """64 exponential workers in step: E[max] = mean·H(64), half of it with half the mean."""
    base = load(
        "ingress-single", workers=64, bandwidth="100Tbps", compute={"kind": "exponential", "mean": "1 s"}
    )
    gain = next(gain for gain in explain(base).gains if gain.factor == "compute")
    assert gain.ratio == pytest.approx(0.5, abs=1e-3)
    assert sobol_indices(base, samples=64).total["compute"] > 0.9


def test_what_cannot_be_scaled_is_said() -> None:
    alone = load("ingress-single", placement="single-host", elements=1, shards=1, compute="1 s")
    explanation = explain(alone)
    assert explanation.left_out.keys() == {"bandwidth × 2", "shards × 2", "model ÷ 2"}
    assert "network" in explanation.left_out["bandwidth × 2"]
    assert "elements" in explanation.left_out["shards × 2"]
    quorum = load("ingress-single", workers=4, backup_workers=3, compute="1 s")
    assert "backup_workers = 3 with workers = 2" in sobol_indices(quorum, samples=4).left_out["workers"]


def test_nothing_but_what_matters_has_a_share() -> None:
    lone = load("ingress-single", workers=1, shards=1, placement="single-host", elements=1, compute="1 s")
    shares = sobol_indices(lone, samples=256)
    assert shares.total["compute"] == pytest.approx(1, abs=0.05)
    assert [shares.total[name] for name in ("shards", "workers", "model_size") if name in shares.total] == [
        0,
        0,
    ]
    two = load("ingress-single", workers=2, shards=1, placement="colocated")
    shares = sobol_indices(two, samples=4)
    assert (
        "takes no time" in shares.left_out["workers"]
    )  # one worker beside its only shard has no network between


def test_what_is_impossible_between_half_and_twice_is_left_out() -> None:
    """Six elements on three unequal shards: some numbers of shards between 1 and 6 round one of them to nothing."""
    tiny = load(
        "ingress-single", workers=1, compute_factors=[1], elements=6, shards=3, shard_weights=[2, 1, 2]
    )
    shares = sobol_indices(tiny, samples=64)
    assert "bandwidth" in shares.total
    assert "elements" in " ".join(shares.left_out.values())


def test_one_by_one_the_sensitivities_are_those_of_the_grid() -> None:
    """A compression that does nothing keeps the grid away."""
    base = load("ingress-single", workers=6400, shards=400)
    grid = sobol_indices(base, samples=16, seed=1)
    alone = sobol_indices(base.replace(compression={"ratio": 1.0}), samples=16, seed=1)
    assert alone.total == pytest.approx(grid.total, rel=1e-6)
