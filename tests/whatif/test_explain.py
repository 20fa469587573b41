"""Explanations against derivatives and variances that are known by hand."""

import math

import pytest

from psmodel.calibration import Calibration
from psmodel.errors import BadInput
from psmodel.predictors import Calibrated
from psmodel.scenario import load
from psmodel.whatif.explanations import explain
from psmodel.whatif.sensitivity import sobol_indices

# T = 2·N·M/(K·B): shard links bind, by N/K = 16 over the workers' own.
CROWD = load("ingress-single", workers=64, shards=4)


def test_what_binds_and_by_how_much() -> None:
    explanation = explain(CROWD)
    assert {explanation.binding, explanation.next_binding} == {"shard ingress", "shard egress"}
    assert explanation.resources["shard ingress"] == pytest.approx(
        16 * explanation.resources["worker egress"]
    )
    push_only = explain(CROWD.replace(pull="none"))
    assert (push_only.binding, push_only.next_binding) == ("shard ingress", "worker egress")
    assert push_only.headroom == pytest.approx(16)


def test_elasticities_are_the_powers_of_the_closed_form() -> None:
    gains = {gain.factor: gain for gain in explain(CROWD).gains}
    powers = {"bandwidth": -1, "shards": -1, "workers": 1, "model_size": 1}
    assert {name: gain.elasticity for name, gain in gains.items()} == pytest.approx(powers)
    assert gains["shards"].ratio == pytest.approx(0.5)
    idle = {g.factor: g for g in explain(CROWD.replace(compute="2.56 s")).gains}
    network = 2 * 64 * 0.08 / 4
    assert idle["compute"].ratio == pytest.approx((1.28 + network) / (2.56 + network))


def test_more_shards_than_workers_bring_nothing() -> None:
    gains = {gain.factor: gain for gain in explain(load("ingress-sharded")).gains}
    assert gains["shards"].ratio == pytest.approx(1)
    assert gains["shards"].bottleneck == "worker egress"


def test_simulation_and_closed_form_agree_where_only_the_network_takes_time() -> None:
    one, other = explain(CROWD), explain(CROWD, method="simulate")
    assert [g.ratio for g in one.gains] == pytest.approx([g.ratio for g in other.gains])


def test_a_fit_of_known_spread_gives_its_interval() -> None:
    draws = tuple(Calibration(copy_s_per_byte=i * 1e-9) for i in range(101))
    explanation = explain(CROWD, Calibrated(best=Calibration(copy_s_per_byte=5e-8), draws=draws))
    network = 2 * 64 * 0.08 / 4
    assert explanation.interval == pytest.approx((network + 0.25, network + 9.75))
    shards = next(g for g in explanation.gains if g.factor == "shards")
    # (network/2 + c)/(network + c) grows with c.
    low, high = ((network / 2 + c) / (network + c) for c in (0.25, 9.75))
    assert shards.interval == pytest.approx((low, high), rel=1e-3)


def test_sobol_indices_of_a_product_are_equal_shares() -> None:
    # ln T is a sum of four terms of equal variance (numbers are rounded: nearly), without interaction.
    indices = sobol_indices(CROWD.replace(workers=6400, shards=400), seed=1)
    for name in ("bandwidth", "shards", "workers", "model_size"):
        assert indices.first_order[name] == pytest.approx(0.25, abs=0.02)
        assert indices.total[name] == pytest.approx(0.25, abs=0.02)
    assert indices == sobol_indices(CROWD.replace(workers=6400, shards=400), seed=1)
    assert indices != sobol_indices(CROWD.replace(workers=6400, shards=400), seed=2)


def test_it_says_so_where_nothing_takes_time() -> None:
    nothing = load("ingress-single", placement="single-host")
    with pytest.raises(BadInput, match="no time"):
        explain(nothing)
    assert math.isfinite(explain(nothing.replace(compute="1 s")).gains[0].ratio)


def test_what_takes_long_says_how_far_it_is() -> None:
    """With background traffic no grid does it, for its links are numbered: samples are predicted one by one."""
    counts: list[tuple[int, int]] = []
    scenario = CROWD.replace(background=[{"link": "shard-0.down", "rate": "1Mbps"}])
    explanation = explain(scenario, sobol=True, progress=lambda count, of: counts.append((count, of)))
    assert explanation.sobol is not None
    factors = len(explanation.sobol.total)
    assert counts[-1] == (explanation.sobol.samples * (factors + 2),) * 2
    assert all(count <= of for count, of in counts)
