"""Inputs of the closed forms: those of one scenario, or of many that differ in a few numbers, one array element each.

Shards of one size are a group, so that a scenario with thousands of shards costs no more than one with a few.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from psmodel.analytic.compute_times import compute_arrays
from psmodel.analytic.rack_links import between_racks
from psmodel.calibration import Calibration
from psmodel.scenario import Scenario
from psmodel.scenario.parts import ROLES
from psmodel.service_demands import array_costs, ask_time, assemble_memory, links

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerInputs:
    """What pushing one layer costs, in the order in which layers are pushed; s and bytes, shape (groups, rows).

    Attributes
    ----------
    compute_share
        Of the compute time, spent right before it is pushed.
    compress
        s; shape (rows,).
    """

    compute_share: float
    compress: Array
    pushed: Array
    send: Array
    receive_push: Array
    apply: Array
    send_memory: Array
    apply_memory: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """The closed forms' inputs; shape (rows,) or (groups, rows), sizes in bytes, rates in bytes/s, times in s.

    Attributes
    ----------
    workers
        Of whom an iteration takes the updates: all but the backup workers.
    shards
        That hold anything.
    sizes, counts
        Bytes of one shard of each group, and how many there are; shape (groups, rows).
    layers
        In the order in which they are pushed: the last one first.
    reply, receive, reply_memory
        As in `psmodel.service_demands.Demands`; shape (groups, rows).
    pulled, pushed_bytes
        Bytes that one worker receives and sends out across links.
    out_of_host, into_host
        Bytes that one worker's pull and push bring out of and into the busiest shard host.
    remote_workers
        Workers whose bytes cross the links of a shard's host.
    on_host
        Workers that share the busiest worker host's interface.
    compute, slowest, fastest
        Expected compute time: mean over the workers, and that of the last and the first of those waited for.
    profile, profile_weights
        Instants at which workers have computed, in rising order, and the share of the workers each stands for;
        shape (points, rows).
    update
        Expected random part of a shard's work on one update.
    rack_pull, rack_push
        Seconds that the busiest link between racks needs for one iteration of all workers.
    """

    scenario: Scenario
    workers: Array
    shards: Array
    sizes: Array
    counts: Array
    layers: tuple[LayerInputs, ...]
    reply: Array
    receive: Array
    reply_memory: Array
    pulled: Array
    pushed_bytes: Array
    out_of_host: Array
    into_host: Array
    remote_workers: Array
    on_host: Array
    worker_up: Array
    worker_down: Array
    shard_up: Array
    shard_down: Array
    request: float
    assemble: Array
    assemble_memory: Array
    compute: Array
    slowest: Array
    fastest: Array
    profile: Array
    profile_weights: Array
    update: float
    delay: Array
    call_latency: float
    ask: float
    rack_pull: Array
    rack_push: Array

    @cached_property
    def largest(self) -> NDArray[np.intp]:
        """Group of the largest shards in each row."""
        return np.asarray(np.argmax(np.where(self.counts > 0, self.sizes, -1.0), axis=0))

    def of_largest(self, values: Array) -> Array:
        """Of values per group, those of the largest shard; shape (rows,)."""
        return np.asarray(np.take_along_axis(values, self.largest[None, :], axis=0)[0])

    def of_all(self, values: Array) -> Array:
        """Sum over all shards of values per group; shape (rows,)."""
        total: Array = (self.counts * values).sum(axis=0)
        return total

    @cached_property
    def pushed(self) -> Array:
        """Bytes that one worker pushes to a shard of each group, shape (groups, rows)."""
        return _total([layer.pushed for layer in self.layers])

    @cached_property
    def send(self) -> Array:
        """Seconds of the worker's thread for all layers, shape (groups, rows)."""
        return _total([layer.send for layer in self.layers])

    @cached_property
    def receive_push(self) -> Array:
        """Seconds of the shard's host for all layers, shape (groups, rows)."""
        return _total([layer.receive_push for layer in self.layers])

    @cached_property
    def apply(self) -> Array:
        """Seconds of the shard's thread for all layers and the random part, shape (groups, rows)."""
        return np.where(self.sizes > 0, _total([layer.apply for layer in self.layers]) + self.update, 0.0)

    @cached_property
    def push_memory(self) -> tuple[Array, Array]:
        """Seconds of the memory channels at the sender and at the shard, for all layers; shape (groups, rows)."""
        return (
            _total([layer.send_memory for layer in self.layers]),
            _total([layer.apply_memory for layer in self.layers]),
        )

    @cached_property
    def send_all(self) -> Array:
        """Seconds of one worker's thread for all shards and layers, shape (rows,)."""
        return self.of_all(self.send)

    @cached_property
    def request_all(self) -> Array:
        """Seconds of one worker's thread to ask all shards, shape (rows,)."""
        return self.shards * self.request

    @property
    def latency(self) -> Array:
        """Seconds of a call and its reply in which nobody is busy, shape (rows,)."""
        return 2 * self.delay + self.call_latency


def inputs(
    scenario: Scenario, calibration: Calibration, columns: Mapping[str, Array] | None = None
) -> Inputs:
    """The inputs of one scenario, or of one per row of `columns` (see `psmodel.analytic.grid`)."""
    columns = columns or {}
    rows = max((values.size for values in columns.values()), default=1)

    def column(name: str, value: float) -> Array:
        return columns.get(name, np.full(rows, float(value)))

    usual_rates, delay = links(scenario, calibration)
    crowd, model = column("workers", scenario.workers), column("model_size", scenario.total_bytes)
    workers = crowd - scenario.backup_workers
    elements, counts = _groups(scenario, model / scenario.item_size, column("shards", scenario.shards))
    sizes = elements * scenario.item_size
    costs = array_costs(scenario, calibration, sizes, total_bytes=model)
    layers = _layers(scenario, calibration, elements, counts, model)
    into = _total([layer.pushed for layer in layers])
    colocated = scenario.placement == "colocated"
    shards = (counts * (elements > 0)).sum(axis=0)
    remote_workers = workers - (colocated & (workers >= shards))
    # The worker on a shard's own host, and the shard on a worker's own host, are reached through memory;
    # if there are more workers than shards, some worker has no shard at home, and the other way round.
    at_home = colocated & (shards >= workers)
    linked = scenario.placement != "single-host"
    efficiency = scenario.payload_fraction * calibration.goodput_factor
    rates = {}
    for role in ROLES:
        rate = columns.get(f"bandwidth.{role}", columns.get("bandwidth"))
        rates[role] = np.full(rows, usual_rates[role]) if rate is None or not linked else rate * efficiency
    rack_pull, rack_push = between_racks(
        scenario, rates, workers=crowd, pulled=sizes, pushed=into, counts=counts
    )
    return Inputs(
        scenario=scenario,
        workers=workers,
        shards=shards,
        sizes=sizes,
        counts=counts,
        layers=layers,
        reply=costs["reply"],
        receive=costs["receive"],
        reply_memory=costs["reply_memory"],
        pulled=model - at_home * sizes.max(axis=0),
        pushed_bytes=(counts * into).sum(axis=0) - at_home * into.max(axis=0),
        out_of_host=_busiest_host(scenario, sizes, counts, workers, crowd, remote_workers),
        into_host=_busiest_host(scenario, into, counts, workers, crowd, remote_workers),
        remote_workers=remote_workers,
        on_host=np.minimum(scenario.workers_per_host, workers),
        **rates,
        request=calibration.submit_overhead_s,
        assemble=calibration.copy_s_per_byte * model,
        assemble_memory=assemble_memory(calibration) * model,
        **compute_arrays(scenario, columns.get("compute"), crowd),
        update=scenario.update_cost.expected(),
        delay=column("propagation_delay", delay) if linked else np.zeros(rows),
        call_latency=calibration.call_latency_s,
        ask=ask_time(calibration),
        rack_pull=rack_pull,
        rack_push=rack_push,
    )


def crowded(i: Inputs) -> Inputs:
    """The inputs with compute times as they are where all workers compute at once and share what there is."""
    scenario = i.scenario
    machine = scenario.total_cores is not None or scenario.placement == "single-host"
    copying = (i.workers if machine else i.on_host) * i.assemble_memory
    i = replace(i, assemble=np.maximum(i.assemble, copying))
    if not scenario.computes_on_cores:
        return i
    shared = scenario.total_cores or scenario.placement == "single-host"
    cores = scenario.total_cores or scenario.cores_per_host or 1
    stretch = np.maximum(1.0, (i.workers if shared else i.on_host) / cores)
    times = {name: getattr(i, name) * stretch for name in ("compute", "slowest", "fastest", "profile")}
    return replace(i, **times)


def _total(arrays: list[Array]) -> Array:
    return np.asarray(np.sum(arrays, axis=0))


def _groups(scenario: Scenario, elements: Array, shards: Array) -> tuple[Array, Array]:
    """Elements of a shard of each group, the shards with more first, and their numbers; (groups, rows)."""
    if scenario.shard_weights is not None:
        sizes = np.array(scenario.shard_elements, dtype=np.float64)[:, None]
        return np.repeat(sizes, elements.size, axis=1), np.ones((sizes.size, elements.size))
    # numpy.array_split gives `rest` shards one element more than the others.
    base, rest = np.divmod(elements, shards)
    return np.stack([base + (rest > 0), base]), np.stack([rest, shards - rest])


def _layers(
    scenario: Scenario, calibration: Calibration, elements: Array, counts: Array, model: Array
) -> tuple[LayerInputs, ...]:
    shares = [layer.share for layer in scenario.layers] or [1.0]
    compute_shares = [layer.compute_share for layer in scenario.layers] or [0.0]
    total = math.fsum(shares)
    edges = [np.zeros_like(elements)]
    edges += [np.round(elements * (edge / total)) for edge in accumulate(shares)]
    edges[-1] = elements
    compression = scenario.compression
    layers = []
    for position, compute_share in enumerate(compute_shares):
        layer_elements = edges[position + 1] - edges[position]
        pushed = layer_elements if compression is None else np.ceil(layer_elements / compression.ratio)
        item = scenario.item_size
        costs = array_costs(scenario, calibration, layer_elements * item, pushed * item, total_bytes=model)
        layers.append(
            LayerInputs(
                compute_share=compute_share,
                compress=(compression.compress_time if compression else 0.0)
                * ((counts * layer_elements).sum(axis=0) * item / model),
                pushed=pushed * item,
                send=costs["send"],
                receive_push=costs["receive_push"],
                apply=costs["apply"],
                send_memory=costs["send_memory"],
                apply_memory=costs["apply_memory"],
            )
        )
    return tuple(reversed(layers))


def _busiest_host(
    scenario: Scenario, sizes: Array, counts: Array, workers: Array, crowd: Array, remote_workers: Array
) -> Array:
    """Bytes that each of `remote_workers` exchanges with the shard host that exchanges most in all."""
    if scenario.placement == "colocated":
        # All of a shard's bytes cross links but those of the worker on its own host.
        before = np.cumsum(counts, axis=0) - counts
        at_home = np.where(counts > 0, (workers - (before < crowd)) * sizes, 0.0)
        alone = np.where(before + counts > crowd, workers * sizes, 0.0)
        most = np.maximum(at_home, np.where(counts > 0, alone, 0.0)).max(axis=0)
        return np.asarray(np.divide(most, remote_workers, out=np.zeros_like(most), where=remote_workers > 0))
    step = scenario.shards_per_host
    if scenario.shard_weights is not None:
        starts = np.arange(0, sizes.shape[0], step)
        return np.asarray(np.add.reduceat(sizes, starts, axis=0).max(axis=0))
    many = np.minimum(counts[0], step)
    few = np.minimum(counts[1], step - many)
    return np.asarray(many * sizes[0] + few * sizes[1])
