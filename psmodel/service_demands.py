"""Service demands: the time that one iteration keeps each resource busy. Closed forms and simulation share them.

A service demand is the time a resource is busy for one customer (Denning & Buzen 1978, "The operational
analysis of queueing network models", ACM Computing Surveys 10(3)). Nothing here waits for anything.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from psmodel.calibration import OWN, Calibration
from psmodel.scenario import Scenario
from psmodel.scenario.parts import ROLES

Array = NDArray[np.float64]
_ASSEMBLE_PASSES, _UPDATE_PASSES = 1.5, 1.5
"""Bytes through the memory channels, those of a copy (one read, one written) being 1: concatenating is a copy and
making the update one array written; adding an update reads two arrays and writes one."""
INLINE_LIMIT = 100 * 1024
"""Largest array (bytes) that travels inside a call's own message (Ray: max_direct_call_object_size)."""


@dataclass(frozen=True, kw_only=True)
class Push:
    """Service demands of pushing one layer, or the whole update where the scenario has no layers.

    Attributes
    ----------
    compute_share
        Share of the compute time spent on it, right before it is pushed.
    compress
        Seconds that compressing it keeps the worker's thread busy.
    sizes
        Bytes that go to each shard, shape (K,).
    send
        Seconds that pushing to each shard keeps the worker's thread busy, shape (K,).
    receive
        As in `Demands`, at the shards' hosts; shape (K,).
    apply
        Seconds that applying it keeps each shard's thread busy, shape (K,), without the random part
        ``Scenario.update_cost``.
    send_memory, apply_memory
        Seconds of the memory channels that copying takes in `send` and `apply`, shape (K,).
    """

    compute_share: float
    compress: float
    sizes: tuple[int, ...]
    send: tuple[float, ...]
    receive: tuple[float, ...]
    apply: tuple[float, ...]
    send_memory: tuple[float, ...]
    apply_memory: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Demands:
    """Service demands of a scenario under a calibration.

    Attributes
    ----------
    sizes
        Bytes of each shard, shape (K,): what a pull brings from there.
    worker_up, worker_down, shard_up, shard_down
        Goodput of each direction of an interface, bytes/s; infinite on a single host.
    reply
        Seconds that answering one pull keeps each shard's thread busy, shape (K,).
    receive
        Seconds of CPU time that taking in one shard's parameters costs the worker's host, on nobody's thread;
        shape (K,).
    pushes
        What pushing one layer asks for, in the order in which the layers are pushed: the last one first.
    refuse
        Seconds that a push which comes too late keeps a shard's thread busy.
    request
        Seconds that asking one shard for its parameters keeps the worker's thread busy.
    assemble
        Seconds a worker needs to concatenate the parameters and make its update, besides its compute time.
    reply_memory, assemble_memory
        Seconds of the memory channels that copying takes in `reply`, shape (K,), and in `assemble`.
    ask
        Seconds that a worker's call to the coordinator takes, besides what it waits for the others.
    one_way
        Seconds of a call, and again of its reply, in which nobody is busy: propagation is not part of it.
    head_start, crossing
        As in `Calibration`; 0 without a network.
    restart
        Seconds that starting a dead process anew takes.
    """

    sizes: tuple[int, ...]
    worker_up: float
    worker_down: float
    shard_up: float
    shard_down: float
    reply: tuple[float, ...]
    receive: tuple[float, ...]
    pushes: tuple["Push", ...]
    refuse: float
    request: float
    assemble: float
    reply_memory: tuple[float, ...]
    assemble_memory: float
    ask: float
    one_way: float
    propagation_delay: float
    head_start: float
    crossing: float
    restart: float

    @property
    def rates(self) -> dict[str, float]:
        """Goodput of each direction of an interface, bytes/s."""
        return {role: getattr(self, role) for role in ROLES}


def demands(scenario: Scenario, calibration: Calibration) -> Demands:
    """Service demands of `scenario` on the system that `calibration` describes."""
    sizes = scenario.shard_sizes
    rates, delay = links(scenario, calibration)
    costs = array_costs(scenario, calibration, np.array(sizes, dtype=np.float64))
    pushes = _pushes(scenario, calibration)
    return Demands(
        sizes=sizes,
        **rates,
        reply=tuple(costs["reply"].tolist()),
        receive=tuple(costs["receive"].tolist()),
        pushes=pushes,
        refuse=calibration.handle_overhead_s,
        request=calibration.submit_overhead_s,
        assemble=calibration.copy_s_per_byte * scenario.total_bytes,
        reply_memory=tuple(costs["reply_memory"].tolist()),
        assemble_memory=assemble_memory(calibration) * scenario.total_bytes,
        ask=ask_time(calibration),
        one_way=calibration.call_latency_s / 2,
        propagation_delay=delay,
        head_start=0.0 if scenario.placement == "single-host" else calibration.head_start,
        crossing=0.0 if scenario.placement == "single-host" else calibration.crossing,
        restart=calibration.restart_s,
    )


def links(scenario: Scenario, calibration: Calibration) -> tuple[dict[str, float], float]:
    """Goodput of each direction of an interface (bytes/s; infinite on a single host), and the delay one way (s)."""
    if scenario.placement == "single-host" or scenario.bandwidth is None:
        return dict.fromkeys(ROLES, math.inf), 0.0
    efficiency = scenario.payload_fraction * calibration.goodput_factor
    return {role: rate * efficiency for role, rate in scenario.bandwidth}, scenario.propagation_delay


def assemble_memory(calibration: Calibration) -> float:
    """Seconds of the memory channels that a worker's assembling takes, per byte of the model."""
    return _memory(calibration, calibration.copy_s_per_byte, _ASSEMBLE_PASSES)


def _memory(calibration: Calibration, thread: float, passes: float) -> float:
    """Seconds per byte of the memory channels, of work that takes a thread `thread`: one alone never waits for them."""
    return min(thread, calibration.memory_s_per_byte * passes)


def ask_time(calibration: Calibration) -> float:
    """Seconds that a worker's call to the coordinator takes, besides what it waits for the others."""
    return calibration.submit_overhead_s + calibration.call_latency_s + calibration.handle_overhead_s


def rack_rates(scenario: Scenario, rates: Mapping[str, float]) -> list[tuple[float, float]]:
    """Goodput (bytes/s) out of and into each rack: that of its hosts over the oversubscription; inf if empty.

    `rates` are those of the hosts, as `links` gives them.
    """
    assert scenario.racks is not None
    count = scenario.racks.count
    over = scenario.racks.oversubscription
    of_racks = []
    for rack in range(count):
        workers, shards = (
            len(range(rack, hosts, count)) for hosts in (scenario.worker_hosts, scenario.shard_hosts)
        )
        up, down = (
            workers * worker + shards * shard
            for worker, shard in (
                (rates["worker_up"], rates["shard_up"]),
                (rates["worker_down"], rates["shard_down"]),
            )
        )
        of_racks.append((up / over or math.inf, down / over or math.inf))
    return of_racks


def _pushes(scenario: Scenario, calibration: Calibration) -> tuple[Push, ...]:
    elements = np.array(scenario.layer_elements).T  # shape (layers, shards)
    shares = [layer.compute_share for layer in scenario.layers] or [0.0]
    pushes = []
    for counts, share in zip(elements[::-1], shares[::-1], strict=True):
        pushed = counts
        if scenario.compression is not None:
            pushed = np.array([scenario.pushed_elements(int(count)) for count in counts])
        costs = array_costs(
            scenario, calibration, counts * float(scenario.item_size), pushed * float(scenario.item_size)
        )
        part = float(counts.sum()) / scenario.total_elements
        pushes.append(
            Push(
                compute_share=share,
                compress=scenario.compression.compress_time * part if scenario.compression else 0.0,
                sizes=tuple((pushed * scenario.item_size).tolist()),
                **{
                    name: tuple(costs[name].tolist())
                    for name in ("send", "apply", "send_memory", "apply_memory")
                },
                receive=tuple(costs["receive_push"].tolist()),
            )
        )
    return tuple(pushes)


def array_costs(
    scenario: Scenario,
    calibration: Calibration,
    sizes: Array,
    pushed: Array | None = None,
    *,
    total_bytes: Array | float | None = None,
) -> dict[str, Array]:
    """Costs (s) of arrays of these `sizes` (bytes), any shape; `pushed` is their size under way to a shard.

    `total_bytes` is the size of the model that they are parts of, the scenario's if none is given.

    ``reply`` and ``receive`` as in `Demands`, ``send``, ``receive_push`` (there: receive) and ``apply`` as in `Push`;
    of the names that end in ``_memory`` the seconds of the memory channels.
    An empty array costs nothing, for nobody is called.
    """
    pushed = sizes if pushed is None else pushed

    def store(nbytes: Array) -> Array:
        return np.where(nbytes > INLINE_LIMIT, calibration.object_overhead_s, 0.0)

    apply = calibration.handle_overhead_s + calibration.update_s_per_byte * sizes
    if scenario.compression is not None:
        whole = scenario.total_bytes if total_bytes is None else total_bytes
        apply = apply + scenario.compression.decompress_time * (sizes / whole)
    costs = {
        "reply": scenario.message_overhead
        + calibration.handle_overhead_s
        + store(sizes)
        + calibration.put_s_per_byte * sizes,
        "receive": store(sizes),
        "send": scenario.message_overhead
        + calibration.submit_overhead_s
        + store(pushed)
        + calibration.put_s_per_byte * pushed,
        "receive_push": store(pushed),
        "apply": apply,
        "reply_memory": _memory(calibration, calibration.put_s_per_byte, 1.0) * sizes,
        "send_memory": _memory(calibration, calibration.put_s_per_byte, 1.0) * pushed,
        "apply_memory": _memory(calibration, calibration.update_s_per_byte, _UPDATE_PASSES) * sizes,
    }
    for name, about in OWN.items():
        assert about.adds_to is not None
        assert about.amount is not None
        size = pushed if about.adds_to in ("send", "receive_push") else sizes
        costs[about.adds_to] = costs[about.adds_to] + getattr(calibration, name) * about.amount(
            scenario, size
        )
    return {name: np.where(sizes > 0, cost, 0.0) for name, cost in costs.items()}
