"""A worker: pull, compute, push, wait, as the Ray tutorial's worker does."""

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

import simpy

from psmodel.demands import Demands
from psmodel.scenario import Scenario
from psmodel.simulation.coordinator import Coordinator
from psmodel.simulation.monitor import Monitor
from psmodel.simulation.network import Host, Network
from psmodel.simulation.processor import Processor, after, when
from psmodel.simulation.shard import Shard

Process = Generator[simpy.Event, Any, None]


class Worker:
    """One process of the simulation; stands for `host.count` workers to which the very same happens.

    Parameters
    ----------
    compute_times
        Seconds of each iteration's compute.
    update_cost
        One iterator per shard that gives the random part of the next update's service time, s.
    outstanding
        Called with +1 when a push starts and with −1 when it has been applied.
    """

    def __init__(
        self,
        env: simpy.Environment,
        *,
        index: int,
        count: int,
        host: Host,
        processor: Processor,
        shards: list[Shard],
        scenario: Scenario,
        demands: Demands,
        network: Network,
        coordinator: Coordinator,
        monitor: Monitor,
        compute_times: list[float],
        update_cost: list[Iterator[float]],
        outstanding: Callable[[int], None],
    ) -> None:
        self.env = env
        self.index, self.count, self.host = index, count, host
        self.busy_s = 0.0
        self._processor = processor
        self._shards = shards
        self._scenario = scenario
        self._demands = demands
        self._network = network
        self._coordinator = coordinator
        self._monitor = monitor
        self._compute_times = compute_times
        self._update_cost = update_cost
        self._outstanding = outstanding
        self._name = f"worker-{index}"
        self._version_read = [0] * len(shards)
        self._pushes_in_flight = 0
        self._fewer_in_flight: simpy.Event | None = None
        # A caller's calls reach an actor in order: a pull waits for this worker's former push to have arrived.
        self._last_push: list[simpy.Event | None] = [None] * len(shards)

    def run(self) -> Process:
        """All iterations, one after the other."""
        scenario, monitor, env = self._scenario, self._monitor, self.env
        for iteration, compute_time in enumerate(self._compute_times):
            monitor.start[self.index, iteration] = env.now
            if scenario.pull != "none":
                yield from self._pull()
            monitor.pulled[self.index, iteration] = env.now
            yield from self._busy(self._demands.assemble)
            if compute_time > 0:
                self.busy_s += compute_time
                yield env.timeout(compute_time)
            monitor.computed[self.index, iteration] = env.now
            if scenario.push != "none":
                yield from self._push(iteration)
            monitor.pushed[self.index, iteration] = env.now
            go_on = self._coordinator.finished(iteration + 1, self.count)
            if go_on is not None:
                yield go_on
            if scenario.mode != "asp" and self._demands.ask > 0:
                yield env.timeout(self._demands.ask)
            monitor.released[self.index, iteration] = env.now
            self._trace(iteration)

    def _busy(self, seconds: float) -> Process:
        if seconds > 0:
            begin = self.env.now
            yield self._processor.work(seconds)
            self.busy_s += self.env.now - begin

    def _pull(self) -> Process:
        sequential = self._scenario.pull == "sequential"
        arrived = _Countdown(self.env, len(self._shards))
        for position, shard in enumerate(self._shards):
            yield from self._busy(self._demands.request)
            if sequential:
                arrived = _Countdown(self.env, 1)
            after(
                self.env,
                self._demands.propagation_delay + self._demands.one_way,
                lambda p=position, s=shard, a=arrived: self._request(p, s, a),  # type: ignore[misc]
            )
            if sequential:
                yield arrived.event
        yield arrived.event

    def _request(self, position: int, shard: Shard, arrived: "_Countdown") -> None:
        last_push = self._last_push[position]
        if last_push is not None and not last_push.processed:
            when(last_push, lambda: self._request(position, shard, arrived))
            return

        def read() -> None:
            self._version_read[position] = shard.version

        def reply() -> None:
            begin = self.env.now
            sent = self._network.transfer(shard.host, self.host, shard.size)
            when(sent, lambda: self._trace_transfer("pull", shard, begin, shard.host, self.host))
            when(self._taken_in(sent, shard, self._processor), arrived.one_less)

        shard.call(self._demands.reply[shard.index] * self.count, reply, begin=read)

    def _taken_in(self, sent: simpy.Event, shard: Shard, processor: Processor) -> simpy.Event:
        """When the call is there and the host that it goes to has taken in the array, on nobody's thread."""
        latency, seconds = self._demands.one_way, self._demands.receive[shard.index]
        if latency == seconds == 0:
            return sent
        taken = self.env.event()
        when(
            sent,
            lambda: after(self.env, latency, lambda: when(processor.work(seconds), taken.succeed)),
        )
        return taken

    def _push(self, iteration: int) -> Process:
        scenario, demands = self._scenario, self._demands
        limit = scenario.max_in_flight_pushes
        while limit is not None and self._pushes_in_flight >= limit:
            self._fewer_in_flight = self.env.event()
            yield self._fewer_in_flight
        self._pushes_in_flight += 1
        self._outstanding(1)
        applied = _Countdown(self.env, len(self._shards))
        when(applied.event, self._push_applied)
        for position, shard in enumerate(self._shards):
            yield from self._busy(demands.send[shard.index])
            done = [applied] if scenario.push != "sequential" else [applied, _Countdown(self.env, 1)]
            begin = self.env.now
            sent = self._network.transfer(self.host, shard.host, shard.size)
            when(sent, partial(self._trace_transfer, "push", shard, begin, self.host, shard.host))
            taken = self._taken_in(sent, shard, shard.processor)
            self._last_push[position] = taken
            when(taken, partial(self._arrived, iteration, position, shard, done))
            if scenario.push == "sequential":
                yield done[-1].event
        if scenario.push == "blocking":
            yield applied.event

    def _arrived(self, iteration: int, position: int, shard: Shard, done: "list[_Countdown]") -> None:
        version_read = self._version_read[position]
        began = self.env.now

        def start() -> None:
            nonlocal began
            began = self.env.now
            self._monitor.update_begins(
                worker=self.index,
                iteration=iteration,
                shard=shard.index,
                staleness=shard.version - version_read,
                time=began,
            )

        def finish() -> None:
            shard.version += self.count
            self._monitor.span(f"shard-{shard.index}", "update", began, self.env.now, worker=self.index)
            delay = self._demands.propagation_delay + self._demands.one_way
            for countdown in done:
                after(self.env, delay, countdown.one_less)

        service = self._demands.apply[shard.index] + next(self._update_cost[position], 0.0)
        shard.call(service * self.count, finish, begin=start, nbytes=shard.size * self.count)

    def _push_applied(self) -> None:
        self._pushes_in_flight -= 1
        self._outstanding(-1)
        if self._fewer_in_flight is not None:
            waiting, self._fewer_in_flight = self._fewer_in_flight, None
            waiting.succeed()

    def _trace(self, iteration: int) -> None:
        monitor, i = self._monitor, (self.index, iteration)
        edges = (
            monitor.start[i],
            monitor.pulled[i],
            monitor.computed[i],
            monitor.pushed[i],
            monitor.released[i],
        )
        for name, begin, end in zip(("pull", "compute", "push", "wait"), edges, edges[1:], strict=False):
            if end > begin:
                monitor.span(self._name, name, float(begin), float(end), iteration=iteration)

    def _trace_transfer(self, name: str, shard: Shard, begin: float, src: Host, dst: Host) -> None:
        if src is not dst:
            for link in (src.up, dst.down):
                self._monitor.span(
                    link.name,
                    name,
                    begin,
                    self.env.now,
                    overlapping=True,
                    worker=self.index,
                    shard=shard.index,
                )


class _Countdown:
    """An event that happens when as many things have."""

    def __init__(self, env: simpy.Environment, count: int) -> None:
        self.event = env.event()
        self._left = count

    def one_less(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.event.succeed()
