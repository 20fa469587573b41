"""What one iteration asks of every resource: the service demands that closed forms and simulation share.

A service demand is the time a resource is busy for one customer (Denning & Buzen 1978, "The operational
analysis of queueing network models", ACM Computing Surveys 10(3)). Nothing here waits for anything.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from psmodel.calibration import Calibration
from psmodel.scenario import Scenario

Array = NDArray[np.float64]
INLINE_LIMIT = 100 * 1024
"""Largest array (bytes) that travels inside a call's own message (Ray: max_direct_call_object_size)."""


@dataclass(frozen=True, kw_only=True)
class Demands:
    """Service demands of a scenario under a calibration.

    Attributes
    ----------
    sizes
        Bytes of each shard, shape (K,).
    worker_up, worker_down, shard_up, shard_down
        Goodput of each direction of an interface, bytes/s; infinite on a single host.
    send
        Seconds that pushing to each shard keeps the worker's thread busy, shape (K,).
    reply
        Seconds that answering one pull keeps each shard's thread busy, shape (K,).
    apply
        Seconds that applying one push keeps each shard's thread busy, shape (K,), without the random part
        ``Scenario.update_cost``.
    receive
        Seconds of CPU time that taking in one array costs the host that it goes to, on nobody's thread; shape (K,).
    request
        Seconds that asking one shard for its parameters keeps the worker's thread busy.
    assemble
        Seconds a worker needs to concatenate the parameters and make its update, besides its compute time.
    ask
        Seconds that a worker's call to the coordinator takes, besides what it waits for the others.
    one_way
        Seconds of a call, and again of its reply, in which nobody is busy: propagation is not part of it.
    """

    sizes: tuple[int, ...]
    worker_up: float
    worker_down: float
    shard_up: float
    shard_down: float
    send: tuple[float, ...]
    reply: tuple[float, ...]
    apply: tuple[float, ...]
    receive: tuple[float, ...]
    request: float
    assemble: float
    ask: float
    one_way: float
    propagation_delay: float


def demands(scenario: Scenario, calibration: Calibration) -> Demands:
    """Service demands of `scenario` on the system that `calibration` describes."""
    sizes = scenario.shard_sizes
    bandwidth = scenario.bandwidth
    if scenario.placement == "single-host" or bandwidth is None:
        rates = dict.fromkeys(("worker_up", "worker_down", "shard_up", "shard_down"), math.inf)
        delay = 0.0
    else:
        efficiency = scenario.payload_fraction * calibration.goodput_factor
        rates = {role: rate * efficiency for role, rate in bandwidth}
        delay = scenario.propagation_delay
    costs = array_costs(scenario, calibration, np.array(sizes, dtype=np.float64))
    return Demands(
        sizes=sizes,
        **rates,
        send=tuple(costs["send"].tolist()),
        reply=tuple(costs["reply"].tolist()),
        apply=tuple(costs["apply"].tolist()),
        receive=tuple(costs["receive"].tolist()),
        request=calibration.submit_overhead_s,
        assemble=calibration.copy_s_per_byte * scenario.total_bytes,
        ask=calibration.submit_overhead_s + calibration.call_latency_s + calibration.handle_overhead_s,
        one_way=calibration.call_latency_s / 2,
        propagation_delay=delay,
    )


def array_costs(scenario: Scenario, calibration: Calibration, sizes: Array) -> dict[str, Array]:
    """`Demands.send`, `reply`, `apply` and `receive` (s) for arrays of these `sizes` (bytes), any shape."""
    put = calibration.put_s_per_byte * sizes
    in_store = np.where(sizes > INLINE_LIMIT, calibration.object_overhead_s, 0.0)
    return {
        "send": scenario.message_overhead + calibration.submit_overhead_s + in_store + put,
        "reply": scenario.message_overhead + calibration.handle_overhead_s + in_store + put,
        "apply": calibration.handle_overhead_s + calibration.update_s_per_byte * sizes,
        "receive": in_store,
    }
