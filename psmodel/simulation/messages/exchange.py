"""All messages of a simulation as rows of numbers: SimPy hears of whole pulls and pushes only.

A worker is a SimPy process whichever way its messages go. One by one, each of them is several SimPy events; here it
is a few operations of compiled functions (`course.run`), which do the same in the same order. They and SimPy share
one clock and one numbering of events: the functions go on only up to SimPy's next event, and a timer of SimPy's
stands for the first of theirs.
"""

import math
from collections.abc import Generator, Iterator, Sequence
from heapq import heappush
from itertools import count, islice
from typing import Any

import numpy as np
import simpy
from simpy.events import EventPriority

from psmodel.network.hosts import Host
from psmodel.network.network import FluidNetwork
from psmodel.scenario import Scenario
from psmodel.service_demands import Demands
from psmodel.simulation.messages import rows as r
from psmodel.simulation.messages.compilation import compiled
from psmodel.simulation.monitor import Monitor
from psmodel.simulation.pull import Pull
from psmodel.simulation.shard import Shard
from psmodel.simulation.thread import Thread

_PRIORITY = 56
"""Bit from which on a key holds SimPy's priority."""
_LOG = 8_192
_DRAWS = 256
_AT_ONCE = 256
"""Updates that the monitor is told of together: what that takes in memory stays small."""


class _Wake(simpy.Event):
    """A timer for the first of the events that SimPy does not know."""

    __slots__ = ()

    def __init__(self, env: simpy.Environment, callbacks: list[Any]) -> None:
        self.env, self.callbacks = env, callbacks
        self._ok, self._value = True, None


class Exchange:
    """What carries the messages between workers and shards.

    Parameters
    ----------
    shards
        Those that hold something.
    workers
        The host of each simulated worker, and how many workers that stands for.
    update_cost
        One iterator per shard that gives the scenario's part of its next update's service time, s.

    Attributes
    ----------
    events
        How many there have been.
    """

    def __init__(
        self,
        env: simpy.Environment,
        *,
        network: FluidNetwork,
        demands: Demands,
        monitor: Monitor,
        shards: Sequence[Shard],
        workers: Sequence[tuple[Host, int]],
        scenario: Scenario,
        update_cost: Sequence[Iterator[float]],
    ) -> None:
        self._env, self._monitor, self._shards = env, monitor, shards
        functions = compiled()
        self._run, self._ask, self._push = functions["run"], functions["ask"], functions["push"]
        members, pairs = len(workers), len(workers) * len(shards)
        self._fluid = network.fluid
        racks = {name: number for number, name in enumerate(network.racks)}
        self._fluid.lend(2 * pairs, 4 if racks else 2)
        self.n = n = np.zeros(18, dtype=np.int64)
        n[r.PAIRS], n[r.SHARDS], n[r.WIDTH] = pairs, len(shards), 4 if racks else 2
        is_random = scenario.update_cost.is_random
        n[r.IN_STEP], n[r.RANDOM] = scenario.mode == "bsp", is_random
        self._x = x = np.zeros(9)
        x[r.DUE], x[r.PROPAGATION] = math.inf, demands.propagation_delay
        x[r.DELAY], x[r.LATENCY] = demands.propagation_delay + demands.one_way, demands.one_way
        x[r.REQUEST], x[r.HEAD_START] = demands.request, demands.head_start
        x[r.CROSSING], x[r.TOLERANCE] = demands.crossing, network.tolerance
        hosts = {host.name: number for number, host in enumerate(network.hosts.values())}
        self._wi, self._wf = np.zeros((14, members), dtype=np.int64), np.zeros((4, members))
        self._si, self._sf = np.zeros((17, len(shards)), dtype=np.int64), np.zeros((11, len(shards)))
        for i, (host, number) in enumerate(workers):
            self._wi[:7, i] = _place(host, number, hosts, racks)
        for i, shard in enumerate(shards):
            self._si[:7, i] = _place(shard.host, shard.host.count, hosts, racks)
            self._si[r.INDEX, i], self._si[r.ROUND, i] = shard.index, -1
            self._sf[r.REPLY_COST :, i] = _costs(
                demands, shard, 0.0 if is_random else scenario.update_cost.expected()
            )
        self._pi, self._pf = np.zeros((6, 2 * pairs), dtype=np.int64), np.zeros((2, 2 * pairs))
        self._log, self._logged = np.zeros((4, 2 * pairs + _LOG), dtype=np.int64), np.zeros(2 * pairs + _LOG)
        self._out = np.zeros((3, 2 * members), dtype=np.int64)
        self._heed = np.zeros(len(network.links) + 1, dtype=np.int64)
        self._new, self._ended = (
            np.zeros(2 * pairs * (2 + 2 * int(n[r.WIDTH]))),
            np.zeros(2 * pairs, dtype=np.int64),
        )
        self._timers = np.zeros(64)
        room = 2 * pairs + 3 * members + len(shards) + 2 * len(self._timers)
        self._times, self._events = np.zeros(room), np.zeros((2, room), dtype=np.int64)
        self._update_cost = update_cost
        self._draws = np.zeros((len(shards), members + _DRAWS if is_random else 1))
        if is_random:
            for row, costs in zip(self._draws, update_cost, strict=True):
                row[:] = [*islice(costs, len(row))]
        self._waiting: list[list[Any]] = [[None] * members for _ in range(2)]
        self._threads: dict[int, Thread] = {}  # those that push
        self._wakes: list[tuple[float, int]] = []
        self._callbacks = [self._wake]
        self._share()

    @property
    def events(self) -> int:
        """See the class."""
        return int(self.n[r.EVENTS])

    def pull(self, worker: int, iteration: int, thread: Thread) -> Generator[simpy.Event, Any, Pull]:
        """A worker's thread asks all shards for their parameters."""
        pull = Pull(self._env, iteration=iteration, shards=0)
        self._waiting[0][worker] = pull.arrived.event
        self._enter()
        instant = float(self._ask(worker, iteration, *self._arrays, self._draws))
        self._leave()
        self._set_wake()
        yield from thread.works(instant - self._env.now)
        return pull

    def push(self, worker: int, iteration: int, applied: simpy.Event, thread: Thread) -> None:
        """A worker's thread sends its update to all shards, one after the other."""
        self._waiting[1][worker] = applied
        self._threads[worker] = thread
        self._wf[r.WORK, worker] = thread.busy_s
        self._enter()
        self._push(
            worker, iteration, self._times, self._events, self.n, self._x, self._wi, self._wf, self._si, self._sf,
            self._pi, self._heed, self._new,
        )  # fmt: skip
        self._leave()
        self._set_wake()

    def report(self) -> None:
        """Tell the monitor, the shards and the workers' threads what has been up to now."""
        self._flush()
        for worker, thread in self._threads.items():
            thread.busy_s = float(self._wf[r.WORK, worker])
        for i, shard in enumerate(self._shards):
            ints, floats = self._si[:, i].tolist(), self._sf[:, i].tolist()
            shard.version, shard.calls, shard.longest_queue = ints[r.VERSION], ints[r.LENGTH], ints[r.LONGEST]
            shard.busy_s, shard.response_sum_s = floats[r.BUSY], floats[r.RESPONSE]
            shard.most_waiting_bytes = floats[r.MOST_WAITING]

    def watch_anew(self) -> None:
        """Forget how long queues have been before."""
        self._si[r.LONGEST] = self._si[r.LENGTH]
        self.report()

    def _share(self) -> None:
        """What the compiled functions work on; anew once an array is another.

        Single numbers are read and written through views, several times as fast as through the arrays themselves.
        """
        self._counts, self._values = self.n.data, self._x.data.cast("B").cast("d")
        self._first_time, self._first_key = self._times.data, self._events.data
        self._arrays = (
            self._times, self._events, self.n, self._x, self._wi, self._wf, self._si, self._sf, self._pi, self._pf,
            self._log, self._logged, self._out, self._heed, self._new,
        )  # fmt: skip

    def _enter(self) -> None:
        self._counts[r.NEXT_KEY] = next(self._env._eid)
        self._values[r.NOW] = self._env.now

    def _leave(self) -> None:
        """Give SimPy its numbering back, and what it is to hear of."""
        n, env = self._counts, self._env
        env._eid = count(n[r.NEXT_KEY])
        number = n[r.OUTBOX]
        if number == 0:
            return
        now = self._values[r.NOW]
        for is_push, worker, key in self._out[:, :number].T.tolist():
            event = self._waiting[is_push][worker]
            event._ok, event._value = True, None
            heappush(env._queue, (now, simpy.events.NORMAL, key - r.NORMAL, event))
            if is_push:
                self._threads.pop(worker).busy_s = float(self._wf[r.WORK, worker])
                iteration = int(self._wi[r.PUSH_ITERATION, worker])
                self._monitor.update_ends(
                    worker=worker, iteration=iteration, time=float(self._wf[r.APPLIED, worker])
                )
        n[r.OUTBOX] = 0

    def _wake(self, _: simpy.Event) -> None:
        self._wakes.pop()
        queue, why = self._env._queue, -1
        while why != r.DONE:
            limit, limit_key = math.inf, 0
            if queue:
                limit, priority, number, _event = queue[0]
                limit_key = (priority << _PRIORITY) + number
            self._enter()
            why = self._run(
                limit, limit_key, self._timers, *self._arrays, self._ended, self._draws,
                *self._fluid.rows.values(), self._fluid.order, self._fluid.counts,
            )  # fmt: skip
            self._leave()
            if why == r.GROW:
                self._grow()
            elif why == r.FLUSH:
                self._flush()
            elif why == r.DRAW:
                self._draw()
        self._set_wake()

    def _set_wake(self) -> None:
        if self._counts[r.USED] == 0:
            return
        first = self._first_time[0], self._first_key[r.KEY, 0]
        if not self._wakes or first < self._wakes[-1]:
            self._wakes.append(first)
            priority, number = first[1] >> _PRIORITY, first[1] & ((1 << _PRIORITY) - 1)
            wake = _Wake(self._env, self._callbacks)
            heappush(self._env._queue, (first[0], EventPriority(priority), number, wake))

    def _grow(self) -> None:
        if self.n[r.RESUMING]:
            self._fluid.enlarge()
            return
        more = len(self._timers)
        self._timers = np.concatenate([self._timers, np.zeros(more)])
        self._times = np.concatenate([self._times, np.zeros(more)])
        self._events = np.concatenate([self._events, np.zeros((2, more), dtype=np.int64)], axis=1)
        self._share()

    def _flush(self) -> None:
        for begin in range(0, int(self.n[r.LOGGED]), _AT_ONCE):
            lines = slice(begin, min(begin + _AT_ONCE, int(self.n[r.LOGGED])))
            worker, iteration, shard, staleness = self._log[:, lines]
            self._monitor.updates_begin(worker, iteration, shard, staleness, self._logged[lines])
        self.n[r.LOGGED] = 0

    def _draw(self) -> None:
        """Draw anew what random costs have been used up."""
        for row, costs, used in zip(self._draws, self._update_cost, self._si[r.DRAWN].tolist(), strict=True):
            row[: len(row) - used] = row[used:].copy()
            row[len(row) - used :] = [*islice(costs, used)]
        self._si[r.DRAWN] = 0
        self.n[r.DRAWN_OUT] = 0


def _place(host: Host, members: int, hosts: dict[str, int], racks: dict[str, int]) -> tuple[int, ...]:
    """Integers of a worker's or shard's host, from `rows.MEMBERS` on."""
    up, down = host.up.number, host.down.number
    if host.rack is None:
        return members, up, down, hosts[host.name], -1, 0, 0
    rack = host.rack
    return members, up, down, hosts[host.name], racks[rack.name], rack.up.number, rack.down.number


def _costs(demands: Demands, shard: Shard, fixed_cost: float) -> tuple[float, ...]:
    """What a message costs, from `rows.REPLY_COST` on."""
    (push,), i = demands.pushes, shard.member
    return (
        demands.reply[i], demands.receive[i], push.send[i], push.receive[i], push.apply[i] + fixed_cost,
        float(shard.size), float(push.sizes[i]),
    )  # fmt: skip
