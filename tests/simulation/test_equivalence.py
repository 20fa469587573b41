"""One answer, however it is computed: in bundles, flow by flow, in another order, by linear programs."""

import importlib.util
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from psmodel import simulation
from psmodel.calibration import IDEAL
from psmodel.network.hosts import Host
from psmodel.network.network import FluidNetwork
from psmodel.scenario import load
from psmodel.simulation import engine
from tests.reference.fluid_reference import Bundle, completion_times, filling_rates, lp_rates
from tests.strategies import calibrations, scenarios

NEEDS_NUMBA = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="the extra `fast` is not here"
)
WAYS = [pytest.param(False, id="python"), pytest.param(True, id="compiled", marks=NEEDS_NUMBA)]
rates = st.floats(0.5, 5) | st.sampled_from([1.0, 2.0])
instants = st.floats(0, 3) | st.sampled_from([0.0, 1.0])
sizes = st.floats(0.1, 4) | st.sampled_from([1.0, 2.0])


@dataclass(frozen=True)
class Group:
    """Interchangeable hosts."""

    up: float
    down: float
    count: int
    rack: int | None


@dataclass(frozen=True)
class Transfer:
    """From every host of one group to every host of another."""

    src: int
    dst: int
    nbytes: float
    start: float


@dataclass(frozen=True)
class World:
    """A cluster and what is sent in it; racks are pairs (up, down)."""

    groups: Sequence[Group]
    racks: Sequence[tuple[float, float]]
    transfers: Sequence[Transfer]


@st.composite
def worlds(draw: st.DrawFn, most: int = 6, most_members: int = 3) -> World:
    racks = draw(st.lists(st.tuples(rates, rates), max_size=2))
    group = st.builds(
        Group,
        up=rates,
        down=rates,
        count=st.integers(1, most_members),
        rack=st.none() | st.integers(0, len(racks) - 1) if racks else st.none(),
    )
    groups = draw(st.lists(group, min_size=2, max_size=4))
    ends = st.lists(st.integers(0, len(groups) - 1), min_size=2, max_size=2, unique=True)
    transfers = draw(
        st.lists(
            st.builds(lambda ends, nbytes, start: Transfer(*ends, nbytes, start), ends, sizes, instants),
            min_size=1,
            max_size=most,
        )
    )
    return World(groups=groups, racks=racks, transfers=transfers)


Pair = tuple[Host, Host]


class Run:
    """A world simulated: when each transfer ends, and the network to look at."""

    def __init__(
        self,
        world: World,
        *,
        bundled: bool,
        compiled: bool = False,
        tolerance: float = 0.0,
        order: Callable[[list[int]], list[int]] = list,
    ) -> None:
        self.env = simpy.Environment()
        self.network = network = FluidNetwork(self.env, compiled=compiled, tolerance=tolerance)
        self.ends = [0.0] * len(world.transfers)
        racks = [network.add_rack(f"r{i}", up=up, down=down) for i, (up, down) in enumerate(world.racks)]
        hosts: list[list[Host]] = []
        for g, group in enumerate(world.groups):
            rack = None if group.rack is None else racks[group.rack]
            parts = [group.count] if bundled else [1] * group.count
            hosts.append(
                [
                    network.add_host(f"{g}-{i}", up=group.up, down=group.down, count=part, rack=rack)
                    for i, part in enumerate(parts)
                ]
            )
        self.done = []
        for index in order(list(range(len(world.transfers)))):
            pairs = [
                (src, dst)
                for src in hosts[world.transfers[index].src]
                for dst in hosts[world.transfers[index].dst]
            ]
            for pair in order(list(range(len(pairs)))):
                self.done.append(self.env.process(self._send(index, world.transfers[index], pairs[pair])))

    def _send(self, index: int, transfer: Transfer, pair: Pair):  # type: ignore[no-untyped-def]
        yield self.env.timeout(transfer.start)
        yield self.network.transfer(*pair, transfer.nbytes)
        # All pairs of one transfer are alike and end together; the equality is part of what is tested.
        if self.ends[index]:
            assert self.env.now == pytest.approx(self.ends[index], rel=1e-9)
        self.ends[index] = self.env.now

    def finish(self) -> list[float]:
        self.env.run(self.env.all_of(self.done))
        return self.ends


def as_problem(world: World) -> tuple[dict[Hashable, float], list[Bundle]]:
    """The same world as paths over links, for the slow solvers."""
    capacity: dict[Hashable, float] = {}
    for g, group in enumerate(world.groups):
        capacity[g, "up"], capacity[g, "down"] = group.up, group.down
    for r, (up, down) in enumerate(world.racks):
        capacity["rack", r, "up"], capacity["rack", r, "down"] = up, down
    bundles = []
    for transfer in world.transfers:
        src, dst = world.groups[transfer.src], world.groups[transfer.dst]
        path: dict[Hashable, float] = {
            (transfer.src, "up"): float(dst.count),
            (transfer.dst, "down"): float(src.count),
        }
        if src.rack != dst.rack:
            for rack, way in ((src.rack, "up"), (dst.rack, "down")):
                if rack is not None:
                    path["rack", rack, way] = float(src.count * dst.count)
        bundles.append(Bundle(path=path, amount=transfer.nbytes, start=transfer.start))
    return capacity, bundles


def reference(world: World, rates_of: Callable[..., list[float]]) -> list[float]:
    return completion_times(*as_problem(world), rates_of)


def amounts_carried(world: World, ends: Sequence[float]) -> list[float]:
    """What each transfer gets through at textbook filling's rates if they are under way until `ends`."""
    capacity, bundles = as_problem(world)
    carried = [0.0] * len(bundles)
    instants = sorted({bundle.start for bundle in bundles} | set(ends))
    for now, then in pairwise(instants):
        active = [i for i, bundle in enumerate(bundles) if bundle.start <= now < ends[i]]
        for i, rate in zip(active, filling_rates(capacity, [bundles[i] for i in active]), strict=True):
            carried[i] += rate * (then - now)
    return carried


@pytest.mark.parametrize("compiled", WAYS)
@given(world=worlds())
def test_bundles_end_when_their_members_do_and_when_textbook_filling_says(compiled, world) -> None:
    bundled = Run(world, compiled=compiled, bundled=True).finish()
    single = Run(world, compiled=compiled, bundled=False).finish()
    assert bundled == pytest.approx(single, rel=1e-9)
    assert bundled == pytest.approx(reference(world, filling_rates), rel=1e-9)


@settings(max_examples=40)
@given(world=worlds(most=4))
def test_bundles_end_when_linear_programs_say(world) -> None:
    bundled = Run(world, bundled=True).finish()
    assert bundled == pytest.approx(reference(world, lp_rates), rel=1e-6)


@NEEDS_NUMBA
@given(world=worlds(most=10, most_members=1), tolerance=st.sampled_from([0.0, 0.05]))
def test_the_compiled_functions_give_the_very_same_numbers(world, tolerance) -> None:
    compiled = Run(world, compiled=True, bundled=True, tolerance=tolerance).finish()
    assert compiled == Run(world, bundled=True, tolerance=tolerance).finish()


@given(world=worlds(most=8), bundled=st.booleans(), tolerance=st.sampled_from([1e-3, 0.02, 0.3]))
def test_with_a_tolerance_no_flow_lacks_more_than_that_share_of_its_amount(world, bundled, tolerance) -> None:
    """The bound that `FluidNetwork` states, checked with rates that it has no part in."""
    ends = Run(world, bundled=bundled, tolerance=tolerance).finish()
    for transfer, carried in zip(world.transfers, amounts_carried(world, ends), strict=True):
        assert transfer.nbytes * (1 - tolerance) <= carried * (1 + 1e-9)
        assert carried <= transfer.nbytes * (1 + 1e-9)


def test_a_tolerance_saves_instants(monkeypatch) -> None:
    """A star of 40 × 20 different links and sizes: the last end is off by less than the tolerance."""
    ends, instants = {}, Counter[float]()
    for tolerance in (0.0, 0.01):
        env, rng = simpy.Environment(), np.random.default_rng(1)
        network = FluidNetwork(env, tolerance=tolerance)
        settle = network.fluid.settle

        def counted(now: float, tolerance: float = tolerance, settle: Any = settle) -> float:
            instants[tolerance] += 1
            return settle(now)

        monkeypatch.setattr(network.fluid, "settle", counted)
        workers, shards = (
            [
                network.add_host(f"{role}{i}", up=rate, down=rate)
                for i, rate in enumerate(rng.uniform(1, 2, n))
            ]
            for role, n in (("w", 40), ("s", 20))
        )
        env.run(env.all_of([network.transfer(a, b, rng.uniform(0.5, 1)) for a in workers for b in shards]))
        ends[tolerance] = env.now
    assert ends[0.01] == pytest.approx(ends[0.0], rel=0.01)
    assert instants[0.01] < instants[0.0] / 3


def test_an_answer_says_with_which_tolerance_it_was_computed() -> None:
    scenario = load("ingress-sharded")
    exact = simulation.predict(scenario).prediction
    near = simulation.predict(scenario, tolerance=0.001).prediction
    assert not any("tolerance" in note for note in exact.notes)
    assert any("tolerance = 0.001" in note and "0.999" in note for note in near.notes)
    assert near.metrics.iteration_time_s == pytest.approx(exact.metrics.iteration_time_s, rel=0.001)


@given(world=worlds(), seed=st.integers(0, 2**32 - 1))
def test_the_order_in_which_flows_are_made_does_not_matter(world, seed) -> None:
    rng = np.random.default_rng(seed)
    shuffled = Run(world, bundled=False, order=lambda items: rng.permutation(items).tolist())
    assert shuffled.finish() == pytest.approx(Run(world, bundled=False).finish(), rel=1e-9)


@given(world=worlds(), bundled=st.booleans(), step=st.floats(0.05, 1))
def test_no_link_carries_more_than_its_capacity_and_all_bytes_arrive(world, bundled, step) -> None:
    run = Run(world, bundled=bundled)
    before = dict.fromkeys(run.network.links, 0.0)

    def watch():  # type: ignore[no-untyped-def]
        while True:
            yield run.env.timeout(step)
            for link in run.network.links:
                carried = link.carried
                assert before[link] <= carried <= before[link] + link.capacity * step * (1 + 1e-9)
                before[link] = carried

    run.env.process(watch())
    run.finish()
    sent = sum(t.nbytes * world.groups[t.src].count * world.groups[t.dst].count for t in world.transfers)
    for way in ("up", "down"):
        through = sum(getattr(host, way).carried * host.count for host in run.network.hosts.values())
        assert through == pytest.approx(sent, rel=1e-9)


@given(scenario=scenarios(), calibration=st.just(IDEAL) | calibrations, ideal=st.booleans())
def test_a_simulation_in_bundles_is_that_of_every_worker_and_shard(scenario, calibration, ideal) -> None:
    if ideal:  # what most often can be bundled
        calibration = IDEAL
        scenario = scenario.replace(
            message_overhead=0.0,
            update_cost=0.0,
            pull="parallel",
            push="blocking",
            placement="dedicated",
            max_in_flight_pushes=None,
        )
    bundled = simulation.predict(scenario, calibration)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "workers_alike", lambda *_: False)
        patch.setattr(engine, "shards_alike", lambda *_: False)
        single = simulation.predict(scenario, calibration)
    assert bundled.elapsed_s == pytest.approx(single.elapsed_s, rel=1e-9)
    for name, value in single.prediction.metrics.to_json().items():
        value_in_bundles = getattr(bundled.prediction.metrics, name)
        assert value_in_bundles == (value if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)), (
            name
        )
    assert bundled.timeline.staleness == single.timeline.staleness
    np.testing.assert_allclose(bundled.timeline.released, single.timeline.released, rtol=1e-9)
    np.testing.assert_allclose(bundled.timeline.ingress, single.timeline.ingress, rtol=1e-9)
    for name in ("shard ingress", "worker egress", "shard CPU", "worker CPU"):
        if name in single.prediction.utilisation:
            assert bundled.prediction.utilisation[name] == pytest.approx(
                single.prediction.utilisation[name], rel=1e-9
            )
