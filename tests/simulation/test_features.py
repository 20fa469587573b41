"""What training adds to N, K, M and B, each against a truth of its own: by hand, or from the literature."""

import math

import numpy as np
import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from psmodel import analytic, simulation
from psmodel.calibration import Calibration
from psmodel.errors import BadInput
from psmodel.network.network import FluidNetwork
from psmodel.random_streams import compute_times
from psmodel.scenario import Scenario, ScenarioError
from psmodel.simulation import SimulationResult

B = 1e6  # bytes/s
M = 8_000_000
BASE = Scenario(workers=1, shards=1, model_size=M, bandwidth=B, compute=0.0, pull="none", iterations=1)


def run(**changes: object) -> SimulationResult:
    return simulation.predict(BASE.replace(**changes))


def metric(name: str, **changes: object) -> float:
    value = getattr(run(**changes).prediction.metrics, name)
    assert isinstance(value, float)
    return value


def test_the_heaviest_shard_is_last() -> None:
    """Three quarters of the model on one shard: eight workers bring 6 M/B there, and 2 M/B to the other."""
    result = run(workers=8, shards=2, shard_weights=[3, 1]).prediction
    assert result.metrics.push_time_s == pytest.approx(8 * 0.75 * M / B)
    assert result.ingress_time_per_shard_s == pytest.approx((8 * 0.75 * M / B, 8 * 0.25 * M / B))
    scenario = BASE.replace(workers=8, shards=2, shard_weights=[3, 1])
    closed = analytic.predict(scenario)
    assert closed.metrics.push_time_s == pytest.approx(result.metrics.push_time_s)
    assert scenario.shard_sizes == (6_000_000, 2_000_000)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=20), st.integers(20_000, 10**6))
def test_weights_split_every_element_in_proportion(weights: list[float], elements: int) -> None:
    scenario = BASE.replace(elements=elements, shards=len(weights), shard_weights=weights)
    assert sum(scenario.shard_elements) == elements
    exact = np.array(weights) / sum(weights) * elements
    assert np.abs(np.array(scenario.shard_elements) - exact).max() <= 1


def test_shards_on_one_host_share_its_interface() -> None:
    """Eight workers, four shards: alone each takes in 8·M/4, two on a host 8·M/2."""
    for per_host in (1, 2, 4):
        scenario = BASE.replace(workers=8, shards=4, shards_per_host=per_host)
        expected = 8 * M * per_host / 4 / B
        assert simulation.predict(scenario).prediction.metrics.push_time_s == pytest.approx(expected)
        assert analytic.predict(scenario).metrics.push_time_s == pytest.approx(expected)


@pytest.mark.parametrize("oversubscription", [1.0, 4.0, 16.0])
def test_what_crosses_between_racks_shares_their_links(oversubscription: float) -> None:
    """Two racks with a worker and a shard each: half of each push, M/2, leaves the rack at 2B/oversubscription."""
    changes = {"workers": 2, "shards": 2, "racks": {"count": 2, "oversubscription": oversubscription}}
    expected = max(M / B, M / 2 / (2 * B / oversubscription))
    assert metric("push_time_s", **changes) == pytest.approx(expected)
    assert analytic.predict(BASE.replace(**changes)).metrics.push_time_s == pytest.approx(expected)


def test_each_direction_between_racks_is_a_link_of_its_own() -> None:
    """Two workers a rack, a tenth of the model in one: each way 2·(0.9 + 0.1)·M cross in a pull and a push."""
    scenario = BASE.replace(
        workers=4, shards=2, shard_weights=[1, 9], racks={"count": 2, "oversubscription": 30},
        mode="asp", pull="parallel", iterations=20,
    )  # fmt: skip
    rate = 3 * B / 30
    assert analytic.ClosedForm(scenario=scenario).work["rack links"] == pytest.approx(2 * M / rate)
    assert simulation.predict(scenario).elapsed_s >= 20 * 2 * M / rate * (1 - 1e-9)


def test_a_slow_link_makes_only_its_own_host_slow() -> None:
    # One worker, whose push to two shards ends with the slower: M/2 at B/10 there, M/2 over what is left elsewhere.
    slow = [{"link": "shard-0.down", "rate": B / 10}]
    assert metric("push_time_s", shards=2, slow_links=slow) == pytest.approx((M / 2) / (B / 10))
    pulling = metric("pull_time_s", shards=2, slow_links=slow, pull="parallel")
    assert pulling == pytest.approx(M / B)
    faster = [{"link": "shard-0.down", "rate": 10 * B}]
    assert metric("push_time_s", shards=2, slow_links=faster) == pytest.approx(M / B)


@pytest.mark.parametrize(("rate", "left"), [(0.2 * B, 0.8 * B), (0.9 * B, 0.5 * B)])
def test_background_traffic_takes_its_fair_share(rate: float, left: float) -> None:
    """Max–min fair: the smaller of its own rate and half the link."""
    background = [{"link": "shard-0.down", "rate": rate}]
    assert metric("push_time_s", background=background) == pytest.approx(M / left)
    assert metric("push_time_s", background=[{"link": "shard-0.up", "rate": rate}]) == pytest.approx(M / B)


@pytest.mark.parametrize(("workers", "shards"), [(1, 3), (3, 1), (2, 2), (3, 3), (4, 2)])
def test_transfers_of_many_to_many_take_longer_where_they_cross(workers: int, shards: int) -> None:
    """All start together, so that n is N; nothing is lost where one worker or one shard is alone."""
    scenario = BASE.replace(workers=workers, shards=shards)
    ideal = simulation.predict(scenario).prediction.metrics
    crossed = simulation.predict(scenario, Calibration(crossing=0.2)).prediction.metrics
    longer = 1 + 0.2 * (1 - 1 / workers) * (1 - 1 / shards)
    assert crossed.push_time_s == pytest.approx(longer * ideal.push_time_s)


@pytest.mark.parametrize("phase", ["pull", "push"])
def test_transfers_one_after_the_other_do_not_cross(phase: str) -> None:
    changes = {"pull": "none", "push": "none", phase: "sequential"}
    scenario = BASE.replace(workers=3, shards=2, **changes)
    times = [
        simulation.predict(scenario, Calibration(crossing=c)).prediction.metrics.iteration_time_s
        for c in (0.0, 0.5)
    ]
    assert times[0] == pytest.approx(times[1])


def test_who_comes_first_stays_ahead() -> None:
    """Three to one on one link: when the first is through with M, the other has M/3 and needs the rest alone."""
    env = simpy.Environment()
    network = FluidNetwork(env, head_start=2.0)
    a, b, c = (network.add_host(name, up=10 * B, down=B) for name in "abc")
    first, second = network.transfer(a, c, M), network.transfer(b, c, M)
    env.run(first)
    assert env.now == pytest.approx(M / (0.75 * B))
    env.run(second)
    assert env.now == pytest.approx(2 * M / B)
    assert c.down.carried == pytest.approx(2 * M)


def test_a_head_start_decides_who_is_first_but_not_when_all_are_through() -> None:
    scenario = BASE.replace(workers=4, iterations=10)
    fair, unfair = (simulation.predict(scenario, Calibration(head_start=s)).timeline for s in (0.0, 0.8))
    np.testing.assert_allclose(unfair.released, fair.released, rtol=1e-9)
    assert (unfair.pushed.min(axis=0) < fair.pushed.min(axis=0) * (1 - 1e-6)).all()


def test_a_head_start_leads_workers_out_of_lock_step() -> None:
    """Two workers, one shard: 8 s of pulling, 8 s of pushing and 20 s of computing never need to collide."""
    changes = {
        "workers": 2,
        "mode": "asp",
        "pull": "parallel",
        "compute": "20 s",
        "iterations": 20,
        "warmup": 10,
    }
    scenario = BASE.replace(**changes)
    in_step, apart = (
        simulation.predict(scenario, Calibration(head_start=s)).prediction.metrics.iteration_time_s
        for s in (0.0, 0.5)
    )
    assert in_step == pytest.approx(20 + 4 * M / B)
    assert apart == pytest.approx(20 + 2 * M / B, rel=1e-3)


def test_a_transfer_that_is_halted_as_it_begins_stands_still() -> None:
    env = simpy.Environment()
    network = FluidNetwork(env, crossing=0.5)
    a, b, c = (network.add_host(name, up=B, down=B) for name in "abc")
    first = network.transfer(a, c, M, abreast=2, meets=c.down)
    second = network.transfer(b, c, M, abreast=2, meets=c.down)
    network.halt(first)
    env.run(second)
    assert env.now == pytest.approx(1.125 * M / B)
    network.resume(first)
    env.run(first)
    assert env.now == pytest.approx(2.25 * M / B)


def test_stragglers_stretch_computing_as_their_renewals_say() -> None:
    """Of a long time the share spent in episodes is that of an alternating renewal process."""
    stragglers = {"rate": 0.5, "slowdown": 5.0, "duration": "3 s"}
    scenario = BASE.replace(compute="100 ms", stragglers=stragglers, iterations=200_000, workers=2)
    times = compute_times(scenario)
    assert times.min() >= 0.1 * (1 - 1e-9)
    assert times.max() <= 0.5 * (1 + 1e-9)
    expected = (
        0.1 * (1 / 0.5 + 3) / (1 / 0.5 + 3 / 5)
    )  # renewal-reward theorem (Ross, Stochastic Processes, 3.6)
    assert times.mean() == pytest.approx(expected, rel=0.02)
    assert scenario.stragglers is not None
    assert 0.1 * scenario.stragglers.stretch == pytest.approx(expected)
    assert (compute_times(scenario) == times).all()
    assert (compute_times(scenario, 1) != times).any()


def test_nobody_waits_for_a_backup_worker() -> None:
    """One worker of three is a hundred times as slow: with one backup it costs nothing but its share."""
    slow = {
        "workers": 3,
        "compute": "1 s",
        "compute_factors": [1, 1, 100],
        "push": "blocking",
        "iterations": 50,
    }
    push = M / B
    assert metric("iteration_time_s", **slow) == pytest.approx(100 + push, rel=0.01)
    for warmup in (0, 1):
        result = run(**slow, backup_workers=1, warmup=warmup)
        metrics = result.prediction.metrics
        # Two workers share the shard's link; the slow one's late pushes take some of it now and then.
        assert 1 + 2 * push <= metrics.iteration_time_s * (1 + 1e-9) <= (1 + 2 * push) * 1.1
        assert metrics.updates_per_s == pytest.approx(2 / metrics.iteration_time_s)
        assert result.timeline.applied_share == pytest.approx(2 / 3)
    assert (result.timeline.released >= result.timeline.start).all()


def test_two_workers_of_whom_one_is_enough() -> None:
    """Exponential computing alone: a Markov chain of two states gives 4/3 iterations per mean compute time.

    Either both work on the iteration under way (F) or one is late (S). F → S at rate 2 (an iteration ends), S → F at
    rate 1 (the late one joins), and in S iterations end at rate 1: π_F = 1/3, so 2·1/3 + 1·2/3 = 4/3 per unit of time.
    """
    scenario = BASE.replace(
        workers=2, backup_workers=1, elements=1, model_size=None, bandwidth=1e12,
        compute={"kind": "exponential", "mean": "1 s"}, iterations=40_000, seed=5,
    )  # fmt: skip
    result = simulation.predict(scenario)
    steps = 40_000 / result.timeline.released.min(axis=0)[-1]
    assert steps == pytest.approx(4 / 3, rel=0.02)
    assert result.prediction.metrics.updates_per_s == pytest.approx(4 / 3, rel=0.02)
    closed = analytic.predict(scenario).metrics
    assert closed.iteration_time_s <= result.prediction.metrics.iteration_time_s


@given(st.integers(2, 6), st.integers(0, 5), st.integers(0, 3))
def test_an_iteration_is_never_faster_than_its_order_statistic(workers: int, backup: int, seed: int) -> None:
    backup = min(backup, workers - 1)
    scenario = BASE.replace(
        workers=workers, backup_workers=backup, elements=1, model_size=None, bandwidth=1e12,
        compute={"kind": "lognormal", "mean": "1 s", "cv": 0.5}, iterations=20, seed=seed,
    )  # fmt: skip
    times = np.sort(compute_times(scenario), axis=0)[workers - backup - 1]
    result = simulation.predict(scenario)
    last = np.sort(result.timeline.released[:, -1])[workers - backup - 1]
    assert last >= times.sum() * (1 - 1e-9)
    if backup == 0:
        assert last == pytest.approx(times.sum())


@pytest.mark.parametrize("compute", [2.0, 6.0, 20.0])
def test_a_prefetched_pull_hides_behind_computing(compute: float) -> None:
    """One worker: a pull of 8 s has the computing and the push, 8 s too, to hide behind."""
    changes = {"pull": "parallel", "compute": compute, "iterations": 10, "warmup": 1}
    plain, ahead = (metric("iteration_time_s", **changes, prefetch=flag) for flag in (False, True))
    assert plain == pytest.approx(M / B + compute + M / B)
    assert ahead == pytest.approx(max(compute + M / B, M / B))
    assert metric("pull_time_s", **changes, prefetch=True) == pytest.approx(0.0, abs=1e-9)


def test_prefetched_parameters_are_older() -> None:
    changes = {"pull": "parallel", "compute": "1 s", "iterations": 20, "workers": 4, "shards": 2}
    now, before = (metric("staleness_mean", **changes, prefetch=flag) for flag in (False, True))
    assert before >= now + 3.5  # nearly all four updates of one iteration more


def _two_machines(first: list[float], second: list[float]) -> float:
    """Makespan of jobs that pass through two machines in this order (Johnson 1954)."""
    ready = end = 0.0
    for a, b in zip(first, second, strict=True):
        ready += a
        end = max(end, ready) + b
    return end


@given(st.lists(st.tuples(st.floats(0.05, 1), st.floats(0, 1)), min_size=1, max_size=6), st.floats(0, 30))
def test_layers_are_computed_and_pushed_as_on_two_machines(
    parts: list[tuple[float, float]], compute: float
) -> None:
    total, computing = sum(s for s, _ in parts), max(1.0, sum(c for _, c in parts))
    layers = [{"share": s / total, "compute_share": c / computing} for s, c in parts]
    scenario = BASE.replace(layers=layers, compute=compute)
    metrics = simulation.predict(scenario).prediction.metrics
    sizes = scenario.layer_elements[0][::-1]
    shares = [layer["compute_share"] for layer in layers][::-1]
    forward = compute * (1 - sum(shares))
    expected = forward + _two_machines([s * compute for s in shares], [n * 8 / B for n in sizes])
    assert metrics.iteration_time_s == pytest.approx(expected, rel=1e-6)
    assert analytic.predict(scenario).metrics.iteration_time_s <= expected * (1 + 1e-9)


def test_compression_saves_bytes_and_costs_time() -> None:
    plain = BASE.replace(workers=4, compute="1 s", pull="parallel")
    small = plain.replace(compression={"ratio": 4, "compress_time": "100 ms", "decompress_time": "20 ms"})
    # A quarter of the bytes; the four updates arrive at once and are applied one after the other, in 50 ms on average.
    for method, apply in ((simulation.predict(small).prediction, 0.05), (analytic.predict(small), 0.08)):
        assert method.metrics.compute_time_s == pytest.approx(1.1)
        assert method.metrics.pull_time_s == pytest.approx(4 * M / B)
        assert method.metrics.push_time_s == pytest.approx(4 * M / 4 / B + apply)
        assert method.bytes_per_iteration == {"push": 4 * M / 4, "pull": 4 * M}


def test_a_worker_that_dies_starts_its_iteration_again() -> None:
    """Dies 3 s into its second iteration (8 s of pushing, 10 s of computing before), is away for 5 s."""
    failures = [{"role": "worker", "index": 0, "at": "21 s", "repair_time": "5 s"}]
    result = run(compute="10 s", iterations=3, failures=failures)
    ends = result.timeline.released[0]
    assert ends == pytest.approx([18, 21 + 5 + 18, 21 + 5 + 36])


def test_a_long_computation_on_a_machine_that_dies() -> None:
    """E[T] = (e^(λC) − 1)·(1/λ + R): work C is repeated until it gets through (Daly 2006, eq. 1 ff.)."""
    rate, repair, work = 0.2, 3.0, 4.0
    failures = [{"role": "worker", "mean_time_between": 1 / rate, "repair_time": repair}]
    scenario = BASE.replace(
        elements=1, model_size=None, bandwidth=1e12, compute=work, iterations=20_000, failures=failures
    )
    expected = math.expm1(rate * work) * (1 / rate + repair)
    assert simulation.predict(scenario).prediction.metrics.iteration_time_s == pytest.approx(
        expected, rel=0.03
    )


@pytest.mark.parametrize(("repair", "end"), [("2 s", 1 + 2 + 10), ("30 s", 1 + 30 + 10)])
def test_a_dead_shard_begins_its_call_anew_as_soon_as_it_is_back(repair: str, end: float) -> None:
    failures = [{"role": "shard", "at": "1 s", "repair_time": repair}]
    changes = {"elements": 1, "model_size": None, "bandwidth": 1e12, "update_cost": "10 s"}
    assert metric("iteration_time_s", **changes, failures=failures) == pytest.approx(end)


def test_a_shard_that_never_gets_through_is_refused() -> None:
    failures = [{"role": "shard", "mean_time_between": "20 ms", "repair_time": "1 ms"}]
    with pytest.raises(BadInput, match=r"mean_time_between = .* is too short"):
        run(update_cost="10 s", failures=failures)


def test_a_prefetched_pull_does_not_wait_for_the_push_after_it() -> None:
    """However little is computed, the pull of the next iteration was asked before the push of this one."""
    changes = {"pull": "parallel", "prefetch": True, "propagation_delay": "10 ms", "iterations": 10}
    short, long = (metric("iteration_time_s", **changes, compute=c) for c in ("1 ms", "20 ms"))
    assert short <= long


def test_pushes_of_one_worker_are_applied_in_order() -> None:
    scenario = BASE.replace(
        workers=4, shards=2, mode="asp", push="fire-and-forget", iterations=30,
        compute={"kind": "exponential", "mean": "16 s"},
    )  # fmt: skip
    result = simulation.predict(scenario, Calibration(head_start=1.0), trace=True)
    for shard in range(2):
        updates = [s for s in result.spans if s.row == f"shard-{shard}" and s.name == "update"]
        for worker in range(4):
            order = [
                s.args["iteration"]
                for s in sorted(updates, key=lambda s: s.start_s)
                if s.args["worker"] == worker
            ]
            assert order == sorted(order)


def test_a_worker_that_never_gets_through_is_refused() -> None:
    failures = [{"role": "worker", "mean_time_between": "1 s"}]
    with pytest.raises(BadInput, match=r"mean_time_between = .* is too short"):
        run(compute="1000 s", failures=failures)


def test_a_shard_that_dies_redoes_what_it_had_since_its_checkpoint() -> None:
    """Dies at 25 s, is repaired for 2 s and redoes the 5 s since 20 s: what arrives at 24 s is applied at 32 + 1."""
    failures = [{"role": "shard", "at": "25 s", "repair_time": "2 s", "checkpoint_interval": "10 s"}]
    changes = {"compute": "16 s", "update_cost": "2 s"}
    assert metric("iteration_time_s", **changes) == pytest.approx(16 + 8 + 2)
    assert metric("iteration_time_s", **changes, failures=failures) == pytest.approx(32 + 2)


def test_a_late_update_is_not_worth_its_bytes() -> None:
    calibration = Calibration(handle_overhead_s=0.5, update_s_per_byte=1 / M)
    scenario = BASE.replace(workers=2, backup_workers=1, compute="1 s", compute_factors=[1, 2])
    result = simulation.predict(scenario, calibration, trace=True)
    served = {span.name: span.end_s - span.start_s for span in result.spans if span.row == "shard-0"}
    assert served == pytest.approx({"update": 1.5, "refuse": 0.5})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shard_weights": [1, 2]}, "one per shard"),
        ({"backup_workers": 1}, "less than that"),
        ({"backup_workers": 1, "mode": "asp", "workers": 2}, 'mode = "bsp"'),
        ({"prefetch": True}, 'pull = "parallel"'),
        ({"layers": [{"share": 0.5, "compute_share": 0}]}, "add up to 1"),
        ({"layers": [{"share": 1, "compute_share": 0}], "push": "sequential"}, "blocking"),
        ({"background": [{"link": "shard-00.up", "rate": 1}]}, "background.0.link"),
        ({"layers": [{"share": 1e-9, "compute_share": 0}, {"share": 1 - 1e-9, "compute_share": 0}]}, "of every layer"),
        ({"workers": 2, "backup_workers": 1, "layers": [{"share": 1, "compute_share": 0}]}, "with layers"),
        ({"background": [{"link": "shard-7.up", "rate": 1}]}, "no link of this network"),
        ({"background": [{"link": "shard", "rate": 1}]}, "background.0.link"),
        ({"failures": [{"role": "shard"}]}, "exactly one of at and mean_time_between"),
        ({"failures": [{"role": "worker", "at": 1, "checkpoint_interval": 1}]}, "only shards"),
        ({"failures": [{"role": "shard", "at": 1, "since_checkpoint": "lost"}]}, "without checkpoint_interval"),
        ({"failures": [{"role": "worker", "at": 1, "index": 1}]}, "counts from 0"),
        ({"racks": {"count": 2}, "placement": "single-host"}, "dedicated"),
        ({"shards_per_host": 2, "placement": "colocated"}, "dedicated"),
        ({"compression": {"ratio": 0.5}}, "compression.ratio"),
        ({"stragglers": {"rate": 1, "slowdown": 0.5, "duration": 1}}, "stragglers.slowdown"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ScenarioError) as error:
        BASE.replace(**changes)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
