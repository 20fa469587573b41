"""The simulation against closed forms, lower bounds, conservation of bytes and itself."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmodel import analytic, simulation
from psmodel.calibration import Calibration
from psmodel.network.decided import Decided
from psmodel.network.hosts import Host
from psmodel.scenario import Scenario, load
from psmodel.simulation.engine import Run
from tests.strategies import bandwidths, calibrations, scenarios, seconds


@given(
    workers=st.integers(1, 8),
    shards=st.integers(1, 8),
    per_shard=st.integers(1, 10**6),
    bandwidth=bandwidths,
    compute=seconds,
    pull=st.sampled_from(["parallel", "sequential"]),
    push=st.sampled_from(["blocking", "sequential"]),
)
def test_agrees_with_the_closed_form_where_nothing_is_random(
    workers, shards, per_shard, bandwidth, compute, pull, push
) -> None:
    """Workers in step, equal shards, the network alone takes time: then the closed form is exact."""
    scenario = Scenario.from_json(
        {
            "workers": workers,
            "shards": shards,
            "elements": shards * per_shard,
            "bandwidth": bandwidth,
            "compute": compute,
            "pull": pull,
            "push": push,
        }
    )
    closed, simulated = analytic.predict(scenario), simulation.predict(scenario).prediction
    for name in ("pull_time_s", "compute_time_s", "push_time_s", "iteration_time_s", "ingress_time_s"):
        assert getattr(simulated.metrics, name) == pytest.approx(getattr(closed.metrics, name), rel=1e-9)


@settings(max_examples=200)
@given(scenario=scenarios(random=False), calibration=calibrations)
def test_never_beats_a_lower_bound(scenario, calibration) -> None:
    run = simulation.predict(scenario, calibration)
    closed = analytic.ClosedForm(scenario=scenario, calibration=calibration)
    for seconds_each in closed.work.values():
        assert run.elapsed_s >= scenario.total_iterations * seconds_each * (1 - 1e-9)
    for bound in closed.bounds:
        assert run.prediction.metrics.iteration_time_s >= bound.time_s * (1 - 1e-9) - 1e-12


@given(scenario=scenarios(random=False, placements=("dedicated", "colocated")))
def test_every_byte_is_carried_once(scenario) -> None:
    scenario = scenario.replace(background=[])  # which is carried too, and is nobody's push
    run = Run(scenario, Calibration(), replication=0, trace=True)  # with a trace every message is one by one
    network, supplied = run._network, dict.fromkeys(run._network.hosts.values(), 0.0)
    transfer, received = network.transfer, dict(supplied)

    def watched(src: Host, dst: Host, nbytes: float, **others: Any) -> Decided:
        if src is not dst:
            supplied[src] += nbytes * dst.count
            received[dst] += nbytes * src.count
        return transfer(src, dst, nbytes, **others)

    network.transfer = watched  # type: ignore[method-assign]
    run.result()
    for link in network.links:
        assert link.carried <= link.capacity * run._env.now * (1 + 1e-9) + 1e-6
    # With a worker pulls are given up, and with each death of a shard pushes to it begin anew.
    most = 1 + sum(failure.role == "shard" for failure in scenario.failures)
    for host in network.hosts.values():
        for carried, of in ((host.up.carried, supplied[host]), (host.down.carried, received[host])):
            exact = carried == pytest.approx(of, rel=1e-9)
            assert carried <= most * of * (1 + 1e-9) if scenario.failures else exact
    if scenario.backup_workers or not exact:
        return  # how often who pulls and pushes depends on who is late, or dies
    rounds = scenario.workers * scenario.total_iterations
    pushed = sum(scenario.pushed_sizes) * rounds * (scenario.push != "none")
    pulled = scenario.total_bytes * rounds * (scenario.pull != "none")
    total = sum(host.up.carried * host.count for host in network.hosts.values())
    if scenario.placement == "dedicated":
        shards = {id(shard.host): shard.host for shard in run.shards}.values()
        assert sum(host.down.carried * host.count for host in shards) == pytest.approx(pushed, rel=1e-9)
        assert sum(host.up.carried * host.count for host in shards) == pytest.approx(pulled, rel=1e-9)
    else:  # what a worker exchanges with the shard on its own host crosses no link
        at_home = sum(
            (scenario.push != "none") * scenario.pushed_sizes[k] + (scenario.pull != "none") * size
            for k, size in enumerate(scenario.shard_sizes[: scenario.workers])
        )
        assert total == pytest.approx(pushed + pulled - at_home * scenario.total_iterations, rel=1e-9)


@given(scenario=scenarios(random=False), replication=st.integers(0, 5))
def test_same_seed_same_result(scenario, replication) -> None:
    random = scenario.replace(compute={"kind": "lognormal", "mean": "50 ms", "cv": 0.5})
    first, second = (simulation.predict(random, replication=replication) for _ in range(2))
    assert first.prediction == second.prediction
    other = simulation.predict(random, replication=replication + 1)
    assert other.prediction.metrics != first.prediction.metrics


@given(scenario=scenarios(random=False), calibration=calibrations)
def test_phases_of_a_worker_follow_each_other(scenario, calibration) -> None:
    timeline = simulation.predict(scenario, calibration).timeline
    edges = [timeline.start, timeline.pulled, timeline.computed, timeline.pushed, timeline.released]
    for before, after in pairwise(edges):
        assert (after >= before).all()
    assert (timeline.start[:, 1:] == timeline.released[:, :-1]).all()


@given(scenario=scenarios(random=False), calibration=calibrations)
def test_a_trace_changes_nothing_and_lies_within_the_run(scenario, calibration) -> None:
    plain = simulation.predict(scenario, calibration)
    traced = simulation.predict(scenario, calibration, trace=True)
    assert traced.prediction == plain.prediction
    assert plain.spans == ()
    assert all(0 <= s.start_s <= s.end_s <= traced.elapsed_s * (1 + 1e-12) for s in traced.spans)


@pytest.mark.parametrize("shards", [1, 2, 3, 7, 12, 100])
def test_unequal_shards_are_those_of_array_split(shards: int) -> None:
    scenario = load("ingress-single", shards=shards, model_size="1000 B", workers=3)
    expected = [part.nbytes for part in np.array_split(np.zeros(125), shards)]
    assert list(scenario.shard_sizes) == expected
    times = simulation.predict(scenario).prediction.ingress_time_per_shard_s
    assert max(times) >= 3 * max(expected) / scenario.bandwidth.shard_down * (1 - 1e-9)


@given(st.integers(1, 12), st.integers(1, 12))
def test_ingress_falls_as_one_over_k_until_k_is_n(workers: int, shards: int) -> None:
    """N·M/(K·B) until the worker's own link, M/B, binds."""
    scenario = load("ingress-single", workers=workers, shards=shards, elements=27720 * 8)
    rate = scenario.bandwidth.shard_down
    expected = max(workers * scenario.total_bytes / (shards * rate), scenario.total_bytes / rate)
    assert simulation.predict(scenario).prediction.metrics.ingress_time_s == pytest.approx(expected, rel=1e-9)


def test_a_million_flows_need_no_million_events() -> None:
    run = simulation.predict(load("ingress-single", workers=1000, shards=1000))
    assert run.prediction.metrics.push_time_s == pytest.approx(0.08)
    assert math.isfinite(run.elapsed_s)
