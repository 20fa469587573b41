"""The network on cases worked out by hand, what it costs, and the same stars in SimGrid."""

import importlib.util
import math
from collections.abc import Generator

import numpy as np
import pytest
import simpy

from benchmarks.peer import Peer, simgrid
from benchmarks.star import Star
from psmodel.network.network import FluidNetwork

NEEDS_NUMBA = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="the extra `fast` is not here"
)


def make(**settings) -> tuple[simpy.Environment, FluidNetwork]:
    env = simpy.Environment()
    return env, FluidNetwork(env, **settings)


def ends(env: simpy.Environment, events: list[simpy.Event]) -> list[float]:
    times = [math.nan] * len(events)
    for index, event in enumerate(events):
        assert event.callbacks is not None
        event.callbacks.append(lambda _, i=index: times.__setitem__(i, env.now))
    env.run(env.all_of(events))
    return times


def test_two_flows_share_and_the_second_has_the_link_alone_once_the_first_has_ended() -> None:
    env, network = make()
    target = network.add_host("target", up=1, down=10)
    one, two = (network.add_host(name, up=10, down=1) for name in ("one", "two"))
    # 5 each until 20 bytes have passed at t = 4; then 10 for the other 40.
    assert ends(env, [network.transfer(one, target, 20), network.transfer(two, target, 60)]) == [4, 8]


def test_a_slow_sender_leaves_its_share_to_the_other() -> None:
    env, network = make()
    target = network.add_host("target", up=1, down=10)
    slow, fast = network.add_host("slow", up=2, down=1), network.add_host("fast", up=100, down=1)
    assert ends(env, [network.transfer(slow, target, 20), network.transfer(fast, target, 80)]) == [10, 10]


def test_propagation_delay_comes_on_top_once_and_not_within_a_host() -> None:
    env, network = make(propagation_delay=0.5)
    src, dst = network.add_host("src", up=10, down=10), network.add_host("dst", up=10, down=10)
    events = [network.transfer(src, dst, 10), network.transfer(src, src, 10), network.transfer(dst, src, 0)]
    assert ends(env, events) == [1.5, 0, 0.5]


def test_a_rack_uplink_is_shared_by_what_leaves_the_rack_and_by_nothing_else() -> None:
    env, network = make()
    rack, other = network.add_rack("rack", up=2, down=9), network.add_rack("other", up=9, down=9)
    a, b, inside = (network.add_host(name, up=10, down=10, rack=rack) for name in ("a", "b", "inside"))
    outside, free = network.add_host("outside", up=10, down=10, rack=other), network.add_host(
        "free", up=10, down=10
    )  # fmt: skip
    events = [network.transfer(a, outside, 3), network.transfer(b, free, 3), network.transfer(a, inside, 18)]
    # Two share the uplink at 1 each; inside the rack a's link leaves 9.
    assert ends(env, events) == pytest.approx([3, 3, 2])


def test_a_flow_of_one_thread_uses_one_core() -> None:
    env, network = make()
    cores = network.add_link("cores", 2)
    jobs = [network.flow([cores], 1.0, max_rate=1.0) for _ in range(4)]
    alone = network.flow([network.add_link("others", 4)], 3.0, max_rate=1.0)
    assert ends(env, [*jobs, alone]) == [2, 2, 2, 2, 3]


def test_infinite_links_take_no_time_and_count_what_passes() -> None:
    env, network = make()
    src, dst = (network.add_host(name, up=math.inf, down=math.inf) for name in ("src", "dst"))
    assert ends(env, [network.transfer(src, dst, 7)]) == [0]
    assert (src.up.carried, dst.down.carried) == (7, 7)


def test_flows_that_end_at_once_end_in_the_order_of_their_creation() -> None:
    env, network = make()
    hosts = [network.add_host(f"h{i}", up=1, down=1) for i in range(6)]
    order: list[int] = []
    events = []
    for i in (3, 0, 4, 1, 5, 2):
        event = network.transfer(hosts[i], hosts[(i + 1) % 6], 1)
        assert event.callbacks is not None
        event.callbacks.append(lambda _, i=i: order.append(i))
        events.append(event)
    env.run(env.all_of(events))
    assert order == [3, 0, 4, 1, 5, 2]


def test_what_happens_at_one_instant_is_solved_once(monkeypatch) -> None:
    env, network = make()
    instants: list[float] = []
    settle = network.fluid.settle
    monkeypatch.setattr(network.fluid, "settle", lambda now: [instants.append(now), settle(now)][1])
    hosts = [network.add_host(f"h{i}", up=1 + i, down=1 + i) for i in range(8)]
    for _ in [network.transfer(a, b, 1) for a in hosts for b in hosts if a is not b]:
        pass
    env.run(until=1e-9)
    assert instants == [0]


def test_a_change_touches_only_the_flows_that_share_links_with_it() -> None:
    env, network = make()
    clusters = [[network.add_host(f"{c}-{i}", up=1 + i, down=2 + i) for i in range(4)] for c in range(5)]
    for hosts in clusters:
        for src, dst in ((a, b) for a in hosts for b in hosts if a is not b):
            network.transfer(src, dst, 1e6)
    env.run(until=1)
    network.transfer(clusters[2][0], clusters[2][3], 1e6)
    env.run(until=2)
    # A link's own flows are all touched at once, when its level changes.
    touched = {
        c for c, hosts in enumerate(clusters) for host in hosts if network.fluid.touched(host.up.number) > 0
    }
    assert touched == {2}


def test_a_million_flows_of_hosts_that_are_alike_are_one() -> None:
    env, network = make()
    workers = network.add_host("workers", up=1e9, down=1e9, count=1000)
    shards = network.add_host("shards", up=2e9, down=2e9, count=1000)
    two = network.add_host("two", up=1e9, down=1e9, count=2)
    others = network.add_host("others", up=1e9, down=1e9, count=500)
    pairs = [(workers, shards), (workers, two), (others, shards)]
    # Each worker's link carries 1002 flows, each of the others' 1000; the shards' links have room for all.
    expected = pytest.approx([1002 * 1e5 / 1e9] * 2 + [1000 * 1e5 / 1e9])
    assert ends(env, [network.transfer(src, dst, 1e5) for src, dst in pairs]) == expected


def test_a_simulation_that_stops_at_one_of_several_ends_may_go_on() -> None:
    env, network = make()
    a, b = (network.add_host(name, up=2, down=2) for name in "ab")
    first, second = network.transfer(a, b, 3), network.transfer(a, b, 3)
    env.run(first)
    assert not second.processed
    env.run(second)
    assert env.now == 3


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=NEEDS_NUMBA)])
def test_a_halted_flow_leaves_its_share_and_goes_on_with_the_rest(compiled) -> None:
    env, network = make(compiled=compiled)
    a, b = (network.add_host(name, up=2, down=2) for name in "ab")
    first, second = network.transfer(a, b, 4), network.transfer(a, b, 4)
    first.callbacks.append(lambda _: order.append(("first", env.now)))
    second.callbacks.append(lambda _: order.append(("second", env.now)))
    order: list[tuple[str, float]] = []
    env.run(until=1)  # each has 3 to go
    network.halt(first)
    network.halt(first)
    env.run(until=1.5)
    network.resume(first)
    env.run(until=2)  # the second has 1 to go
    assert a.up.carried == pytest.approx(4)
    network.resume(first)
    env.run(second)
    assert order == [("second", pytest.approx(3))]
    env.run(until=3.5)  # the first has 2 − 1 to go
    assert network.stop(first) == pytest.approx(1)
    third = network.transfer(a, b, 2)
    env.run(third)
    assert env.now == pytest.approx(4.5)
    assert b.down.carried == pytest.approx(9)
    assert not first.triggered


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda n: n.add_link("l", 0), "capacity of link l must be above 0"),
        (lambda n: n.add_host("h", up=1, down=1, count=0), "count of host h must be at least 1"),
        (lambda n: n.add_host("a", up=1, down=1), "host a exists already"),
        (lambda n: n.add_rack("r", up=1, down=1), "rack r exists already"),
        (
            lambda n: n.transfer(n.hosts["a"], n.hosts["b"], -1),
            "amount to send must be finite and at least 0",
        ),
        (lambda n: n.transfer(n.hosts["a"], n.hosts["b"], math.inf), "must be finite"),
        (lambda n: n.flow([n.hosts["a"].up], 1, max_rate=0), "max_rate must be above 0"),
        (lambda n: FluidNetwork(n.env, propagation_delay=-1), "propagation_delay must be finite"),
    ],
)
def test_what_cannot_be_is_refused(call, words) -> None:
    _, network = make()
    for name in ("a", "b"):
        network.add_host(name, up=1, down=1)
    network.add_rack("r", up=1, down=1)
    with pytest.raises(ValueError, match=words):
        call(network)


def random_star(seed: int) -> Star:
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 12, 2)
    return Star(
        up=tuple(rng.uniform(1e8, 2e9, n).tolist()),
        down=tuple(rng.uniform(1e8, 2e9, k).tolist()),
        start=tuple(rng.choice([0.0, 0.001, 0.0025], n).tolist()),
        nbytes=int(rng.integers(10**6, 10**8)),
    )


@pytest.fixture(scope="module")
def peer() -> Peer:
    library = simgrid()
    if library is None:
        pytest.skip("SimGrid is not here (apt install libsimgrid-dev g++, or python3-simgrid)")
    return library


@pytest.mark.parametrize(
    "star",
    [Star.symmetric(16), Star.unsymmetric(40, 10), *map(random_star, range(6))],
    ids=["symmetric", "unsymmetric", *(f"random-{seed}" for seed in range(6))],
)
def test_simgrid_says_the_same(peer: Peer, star: Star) -> None:
    theirs = peer.run(star, patience_s=60)
    assert theirs is not None
    assert star.bundled_ends() == pytest.approx(theirs.ends, rel=1e-6)
    assert star.single_ends() == pytest.approx(theirs.ends, rel=1e-6)


def test_what_is_on_its_way_is_not_halted_and_nor_is_who_comes_after() -> None:
    """8 bytes at 1 byte/s are on their way from 8 to 12 s; the flow's place is then another's."""
    env = simpy.Environment()
    network = FluidNetwork(env, propagation_delay=4.0)
    a, b = (network.add_host(name, up=1.0, down=1.0) for name in "ab")
    first = network.transfer(a, b, 8)
    ends = []

    def later() -> Generator[simpy.Event, None, None]:
        yield env.timeout(9)
        second = network.transfer(a, b, 2)
        yield env.timeout(0.5)
        network.halt(first)
        yield first
        ends.append(env.now)
        yield second
        ends.append(env.now)

    env.run(env.process(later()))
    assert ends == pytest.approx([12, 15])
