"""Several workers on a host, and shards that hold nothing: by hand, and equal to the cluster without them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel import simulation
from psmodel.calibration import IDEAL
from psmodel.scenario import Scenario, ScenarioError
from psmodel.service_demands import demands, rack_rates
from tests.strategies import calibrations

B = 1e6
M = 8_000_000
BASE = Scenario(workers=8, shards=8, model_size=M, bandwidth=B, pull="none", iterations=1)


@pytest.mark.parametrize(("per_host", "expected"), [(1, 1), (2, 2), (4, 4), (8, 8), (5, 5)])
def test_workers_on_one_host_share_its_interface(per_host: int, expected: float) -> None:
    """8 MB of each through one link, on which five workers of eight are the most."""
    prediction = simulation.predict(BASE.replace(workers_per_host=per_host)).prediction
    assert prediction.metrics.iteration_time_s == pytest.approx(expected * M / B)


def test_who_is_alone_at_work_has_the_host_s_link_alone() -> None:
    """Two on a host; the second computes until the first is through."""
    changes = {
        "workers": 2,
        "workers_per_host": 2,
        "mode": "asp",
        "compute": 1.0,
        "compute_factors": [1e-6, 8],
    }
    timeline = simulation.predict(BASE.replace(**changes)).timeline
    assert timeline.pushed[:, 0] == pytest.approx([8, 16], rel=1e-5)


@given(
    per_host=st.integers(1, 3),
    hosts=st.integers(1, 3),
    shards=st.integers(1, 4),
    pull=st.sampled_from(["parallel", "sequential"]),
    push=st.sampled_from(["blocking", "sequential"]),
    compute=st.floats(0, 10),
)
def test_in_step_each_has_its_share_of_the_link(per_host, hosts, shards, pull, push, compute) -> None:
    """Alike workers never have more: as if each had a link of B/w of its own."""
    shared = BASE.replace(
        workers=per_host * hosts, shards=shards, pull=pull, push=push, compute=compute,
        workers_per_host=per_host, iterations=2,
    )  # fmt: skip
    alone = shared.replace(
        workers_per_host=1, bandwidth={"worker_up": B / per_host, "worker_down": B / per_host}
    )
    first, second = (simulation.predict(s).timeline for s in (shared, alone))
    np.testing.assert_allclose(first.released, second.released, rtol=1e-9)
    np.testing.assert_allclose(first.ingress, second.ingress, rtol=1e-9)


def test_links_and_racks_count_hosts() -> None:
    scenario = BASE.replace(workers_per_host=3, racks={"count": 2})
    assert scenario.worker_hosts == 3
    assert rack_rates(scenario, demands(scenario, IDEAL).rates) == [(6 * B, 6 * B), (5 * B, 5 * B)]
    background = [{"link": "worker-2.up", "rate": B}]
    timeline = simulation.predict(BASE.replace(workers_per_host=3, background=background)).timeline
    assert timeline.pushed[:, 0].max() == pytest.approx(
        3 * M / B
    )  # with one more flow each of the two has a third
    with pytest.raises(ScenarioError, match="no link of this network, whose hosts are 3 of worker"):
        BASE.replace(workers_per_host=3, background=[{"link": "worker-3.up", "rate": B}])
    for placement in ("colocated", "single-host"):
        with pytest.raises(ScenarioError, match='workers_per_host = 2 with placement = "'):
            BASE.replace(workers_per_host=2, placement=placement)


def test_a_shard_of_weight_0_is_never_called() -> None:
    """Two of three hold the model: each takes in 8·M/2; the third nothing, however long a call takes it."""
    scenario = BASE.replace(shards=3, shard_weights=[1, 0, 1], pull="parallel")
    assert scenario.shard_sizes == (M / 2, 0, M / 2)
    assert scenario.used_shards == 2
    result = simulation.predict(scenario, trace=True)
    assert result.prediction.metrics.push_time_s == pytest.approx(8 * M / 2 / B)
    assert result.prediction.ingress_time_per_shard_s == pytest.approx((32, 0, 32))
    assert result.timeline.applied_share == 1
    assert {s.row for s in result.spans if s.row.startswith("shard-")} == {"shard-0", "shard-2"} | {
        f"shard-{i}.{way}" for i in (0, 2) for way in ("up", "down")
    }


@given(
    weights=st.lists(st.sampled_from([0.0, 0.0, 1.0, 3.0]), min_size=1, max_size=6).filter(any),
    calibration=st.just(IDEAL) | calibrations,
    pull=st.sampled_from(["parallel", "sequential", "none"]),
    push=st.sampled_from(["blocking", "sequential", "fire-and-forget"]),
    layers=st.booleans(),
    mode=st.sampled_from(["bsp", "asp"]),
)
def test_idle_shards_change_nothing(weights, calibration, pull, push, layers, mode) -> None:
    more = {}
    if layers and push != "sequential":
        more = {"layers": [{"share": 0.5, "compute_share": 0.2}] * 2}
    positive = [w for w in weights if w > 0]
    changes = {"workers": 3, "pull": pull, "push": push, "mode": mode, "compute": 1.0, "iterations": 2} | more
    idle = simulation.predict(
        BASE.replace(shards=len(weights), shard_weights=weights, **changes), calibration
    ).prediction
    without = simulation.predict(
        BASE.replace(shards=len(positive), shard_weights=positive, **changes), calibration
    ).prediction
    for name, value in without.metrics.to_json().items():
        assert getattr(idle.metrics, name) == (value if value is None else pytest.approx(value, rel=1e-9)), (
            name
        )
    assert idle.bytes_per_iteration == without.bytes_per_iteration
    assert [t for t, w in zip(idle.ingress_time_per_shard_s, weights, strict=True) if w] == pytest.approx(
        list(without.ingress_time_per_shard_s)
    )


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([0, 0], "shard_weights are all 0"),
        ([1, -1], "shard_weights.1"),
        ([1, 1e-12], "unless its weight is 0"),
    ],
)
def test_weights_that_leave_nothing_are_refused(weights: list[float], words: str) -> None:
    with pytest.raises(ScenarioError) as error:
        BASE.replace(shards=2, shard_weights=weights)
    assert words in str(error.value)
