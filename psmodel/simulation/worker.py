"""A worker: pull, compute, push, wait, as the Ray tutorial's worker does."""

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import simpy

from psmodel.demands import Demands, Push
from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from psmodel.scenario.parts import Failure
from psmodel.simulation.coordinator import Coordinator
from psmodel.simulation.fluid import Decided
from psmodel.simulation.monitor import Monitor
from psmodel.simulation.network import Host, Network
from psmodel.simulation.processor import Processor, after, when
from psmodel.simulation.shard import Shard

_MOST_ATTEMPTS = 10_000
Process = Generator[simpy.Event, Any, None]


class Worker:
    """One process of the simulation; stands for `host.count` workers to which the very same happens.

    Parameters
    ----------
    compute_times
        Seconds of each iteration's compute.
    update_cost
        One iterator per shard that gives the random part of the next update's service time, s.
    failures
        How this worker may die, each with the times (s) from one return to the next death.
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
        failures: list[tuple[Failure, Iterator[float]]],
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
        self._deaths = [(next(gaps), failure, gaps) for failure, gaps in failures]
        self._outstanding = outstanding
        self._name = f"worker-{index}"
        self._version_read = [0] * len(shards)
        self._prefetched: _Pull | None = None
        self._pushes_in_flight = 0
        self._fewer_in_flight: simpy.Event | None = None
        # A caller's calls reach an actor in order: a pull waits for this worker's former push to have arrived.
        self._last_push: list[simpy.Event | None] = [None] * len(shards)

    def run(self) -> Process:
        """All iterations, one after the other."""
        monitor, env, me = self._monitor, self.env, self.index
        iteration = 0
        while iteration < len(self._compute_times):
            monitor.start[me, iteration] = env.now
            yield from self._iterate(iteration)
            monitor.pushed[me, iteration] = env.now
            go_on = self._coordinator.finished(iteration + 1, self.count)
            if go_on is not None:
                yield go_on
            if self._scenario.mode != "asp" and self._demands.ask > 0:
                yield env.timeout(self._demands.ask)
            monitor.released[me, iteration] = env.now
            self._trace(iteration)
            following = self._coordinator.following(iteration)
            monitor.skip(me, iteration + 1, following, env.now)
            iteration = following

    def _iterate(self, iteration: int) -> Process:
        """Pull, compute and push, layer by layer if there are layers."""
        scenario, pushes = self._scenario, self._demands.pushes
        compute_time = self._compute_times[iteration]
        first = compute_time * (1 - math.fsum(push.compute_share for push in pushes[1:]))
        yield from self._pull_and_compute(iteration, first)
        applied: _Countdown | None = None
        for position, push in enumerate(pushes):
            if position > 0:
                yield from self._compute(push.compute_share * compute_time)
            yield from self._busy(push.compress)
            if position == len(pushes) - 1:
                self._monitor.computed[self.index, iteration] = self.env.now
            if scenario.push == "none":
                return
            if applied is None:
                applied = yield from self._begin_push()
            yield from self._push(iteration, push, applied, last=position == len(pushes) - 1)
        if scenario.push == "blocking" and applied is not None:
            yield applied.event

    def _pull_and_compute(self, iteration: int, seconds: float) -> Process:
        """Until the first push can begin; all over again if the worker dies in between."""
        for _ in range(_MOST_ATTEMPTS):
            if self._scenario.pull != "none":
                yield from self._pull()
            self._monitor.pulled[self.index, iteration] = self.env.now
            yield from self._busy(self._demands.assemble)
            if self._scenario.prefetch and iteration + 1 < len(self._compute_times):
                self._prefetched = yield from self._ask()
            death = min((instant for instant, _, _ in self._deaths), default=math.inf)
            yield from self._compute(min(seconds, max(0.0, death - self.env.now)))
            if self.env.now < death:
                return
            self._prefetched = None
            yield from self._away()
        raise BadInput(
            f"failures: worker {self.index} has died {_MOST_ATTEMPTS} times in its iteration {iteration} without "
            "getting through; mean_time_between is too short for an iteration as long as that"
        )

    def _away(self) -> Process:
        """Dead, until the repair is done; a death meanwhile is none."""
        began = self.env.now
        for position, (instant, failure, gaps) in enumerate(self._deaths):
            if instant <= self.env.now:
                back = instant + failure.repair_time
                if back > self.env.now:
                    yield self.env.timeout(back - self.env.now)
                self._deaths[position] = (max(back, self.env.now) + next(gaps, math.inf), failure, gaps)
        self._monitor.span(self._name, "away", began, self.env.now, overlapping=True)

    def _compute(self, seconds: float) -> Process:
        if seconds > 0:
            self.busy_s += seconds
            yield self.env.timeout(seconds)

    def _busy(self, seconds: float) -> Process:
        if seconds > 0:
            begin = self.env.now
            yield self._processor.work(seconds)
            self.busy_s += self.env.now - begin

    def _pull(self) -> Process:
        pull = self._prefetched or (yield from self._ask())
        self._prefetched = None
        yield pull.arrived.event
        self._version_read = pull.versions

    def _ask(self) -> "Generator[simpy.Event, Any, _Pull]":
        """Ask every shard for its parameters, one after the other waiting for each if so said."""
        sequential = self._scenario.pull == "sequential"
        pull = _Pull(arrived=_Countdown(self.env, len(self._shards)), versions=[0] * len(self._shards))
        if not sequential and self._processor.cores is None and not self._scenario.failures:
            yield from self._ask_all(pull)
            return pull
        for position, shard in enumerate(self._shards):
            yield from self._busy(self._demands.request)
            here = [pull.arrived, _Countdown(self.env, 1)] if sequential else [pull.arrived]
            after(
                self.env,
                self._demands.propagation_delay + self._demands.one_way,
                partial(self._request, position, shard, self._last_push[position], pull.versions, here),
            )
            if sequential:
                yield here[-1].event
        return pull

    def _ask_all(self, pull: "_Pull") -> Process:
        """Ask one shard after the other on a thread that nothing can hold up: when each is asked is plain."""
        asked, waiting = self.env.now, self._demands.propagation_delay + self._demands.one_way
        calls = [
            partial(self._request, position, shard, self._last_push[position], pull.versions, [pull.arrived])
            for position, shard in enumerate(self._shards)
        ]
        if self._demands.request == 0:
            after(self.env, waiting, lambda: [call() for call in calls])
            return
        for call in calls:
            asked += self._demands.request
            after(self.env, asked - self.env.now + waiting, call)
        yield from self._busy(asked - self.env.now)

    def _request(
        self,
        position: int,
        shard: Shard,
        last_push: simpy.Event | None,
        versions: list[int],
        arrived: "list[_Countdown]",
    ) -> None:
        if last_push is not None and not last_push.processed:
            when(last_push, partial(self._request, position, shard, last_push, versions, arrived))
            return

        def read() -> None:
            versions[position] = shard.version

        def reply() -> None:
            begin = self.env.now
            sent = self._network.transfer(shard.host, self.host, shard.size)
            if self._monitor.traces:
                when(sent, lambda: self._trace_transfer("pull", shard, begin, shard.host, self.host))
            taken = self._taken_in(sent, self._demands.receive[shard.member], self._processor)
            when(taken, lambda: _one_less(arrived))

        shard.call(self._demands.reply[shard.member] * self.count, reply, begin=read)

    def _taken_in(self, sent: simpy.Event, seconds: float, processor: Processor) -> simpy.Event:
        """When the call is there and the host that it goes to has taken in the array, on nobody's thread."""
        latency = self._demands.one_way
        if latency == seconds == 0:
            return sent
        taken = Decided(self.env)
        if processor.cores is None:
            when(sent, lambda: taken.after(latency + seconds))
            return taken
        when(
            sent,
            lambda: after(self.env, latency, lambda: when(processor.work(seconds), taken.succeed)),
        )
        return taken

    def _begin_push(self) -> "Generator[simpy.Event, Any, _Countdown]":
        """Wait until one more push may be under way; gives what counts down to its end."""
        limit = self._scenario.max_in_flight_pushes
        while limit is not None and self._pushes_in_flight >= limit:
            self._fewer_in_flight = self.env.event()
            yield self._fewer_in_flight
        self._pushes_in_flight += 1
        self._outstanding(1)
        applied = _Countdown(self.env, len(self._shards) * len(self._demands.pushes))
        when(applied.event, self._push_applied)
        return applied

    def _push(self, iteration: int, push: Push, applied: "_Countdown", *, last: bool) -> Process:
        sequential = self._scenario.push == "sequential"
        for position, shard in enumerate(self._shards):
            yield from self._busy(push.send[shard.member])
            done = [applied, _Countdown(self.env, 1)] if sequential else [applied]
            begin = self.env.now
            sent = self._network.transfer(self.host, shard.host, push.sizes[shard.member])
            if self._monitor.traces:
                when(sent, partial(self._trace_transfer, "push", shard, begin, self.host, shard.host))
            taken = self._taken_in(sent, push.receive[shard.member], shard.processor)
            if self._scenario.layers or self._scenario.push == "fire-and-forget":
                taken = self._in_order(self._last_push[position], taken)
            self._last_push[position] = taken
            when(
                taken,
                partial(self._arrived, iteration, position, shard, push, done, self._version_read, last),
            )
            if sequential:
                yield done[-1].event

    def _in_order(self, first: simpy.Event | None, second: simpy.Event) -> simpy.Event:
        """When both have happened: of transfers of different sizes or weights one might overtake another."""
        if first is None or first.processed:
            return second
        both = self.env.event()
        when(second, lambda: when(first, both.succeed))
        return both

    def _arrived(
        self,
        iteration: int,
        position: int,
        shard: Shard,
        push: Push,
        done: "list[_Countdown]",
        versions: list[int],
        last: bool,
    ) -> None:
        accepted = shard.accepts(iteration, self.count)
        began = self.env.now

        def start() -> None:
            nonlocal began
            began = self.env.now
            if last and accepted:
                self._monitor.update_begins(
                    worker=self.index,
                    iteration=iteration,
                    shard=shard.index,
                    staleness=shard.version - versions[position],
                    time=began,
                )

        def finish() -> None:
            if last and accepted:
                shard.version += self.count
            name = "update" if accepted else "refuse"
            self._monitor.span(
                f"shard-{shard.index}", name, began, self.env.now, worker=self.index, iteration=iteration
            )
            delay = self._demands.propagation_delay + self._demands.one_way
            after(self.env, delay, lambda: _one_less(done))

        service = self._demands.refuse
        if accepted:
            service = push.apply[shard.member] + (next(self._update_cost[position], 0.0) if last else 0.0)
        size = push.sizes[shard.member]
        shard.call(service * self.count, finish, begin=start, nbytes=size * self.count)

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


@dataclass(frozen=True, kw_only=True)
class _Pull:
    """A pull under way: what counts down to its end, and the versions of the shards that it reads."""

    arrived: "_Countdown"
    versions: list[int]


def _one_less(countdowns: "list[_Countdown]") -> None:
    for countdown in countdowns:
        countdown.one_less()


class _Countdown:
    """An event that happens when as many things have."""

    def __init__(self, env: simpy.Environment, count: int) -> None:
        self.event = env.event()
        self._left = count

    def one_less(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.event.succeed()
