"""A worker: pull, compute, push, wait, as the Ray tutorial's worker does."""

import math
from collections.abc import Generator, Iterator
from functools import partial
from typing import Any

import simpy

from psmodel.network.decided import Decided
from psmodel.network.fluid import Link
from psmodel.network.hosts import Host
from psmodel.network.processor import Processor, after, when
from psmodel.service_demands import Push
from psmodel.simulation.presence import Presence
from psmodel.simulation.pull import Countdown, Pull, in_order, one_less
from psmodel.simulation.shard import Shard
from psmodel.simulation.surroundings import Surroundings
from psmodel.simulation.thread import Process, Thread


class Worker:
    """One process of the simulation; stands for `count` workers to which the very same happens.

    Parameters
    ----------
    compute_times
        Seconds of each iteration's compute, one after the other.
    presence
        If it may die: whether it is there.
    """

    def __init__(
        self,
        shared: Surroundings,
        *,
        index: int,
        count: int,
        host: Host,
        processor: Processor,
        compute_times: Iterator[float],
        presence: Presence | None,
    ) -> None:
        self.env = shared.env
        self.index, self.count, self.host = index, count, host
        self._processor = processor
        self._shards = shared.shards
        self._scenario = shared.scenario
        self._demands = shared.demands
        self._network = shared.network
        self._coordinator = shared.coordinator
        self._monitor = shared.monitor
        self._iterations = shared.iterations
        self._update_cost = shared.update_cost
        self._outstanding = shared.outstanding
        self._trace_transfer, self._trace_iteration = shared.trace_transfer, shared.trace_iteration
        self._compute_times = enumerate(compute_times)
        self._presence = presence
        if presence is not None:
            presence.on_death = self._die
        self._exchange = shared.exchange
        self._name = f"worker-{index}"
        self._thread = Thread(shared.env, processor, presence)
        self._accelerator = Processor(shared.network, None)
        self._pull: Pull | None = None
        self._open: list[Pull] = []
        self._prefetched: Pull | None = None
        self._pushes_in_flight = 0
        self._fewer_in_flight: simpy.Event | None = None
        # A caller's calls reach an actor in order: a pull waits for this worker's former push to have arrived.
        self._last_push: list[simpy.Event | None] = [None] * len(shared.shards)

    def start(self) -> simpy.Process:
        """Set off all iterations, one after the other; the process that ends with the last one."""
        return self._thread.start(self._run())

    def _run(self) -> Process:
        monitor, env, me = self._monitor, self.env, self.index
        iteration = 0
        while iteration < self._iterations:
            monitor.begin(me, iteration, env.now)
            yield from self._iterate(iteration)
            monitor.pushed[me, iteration] = env.now
            go_on = self._coordinator.finished(iteration + 1, self.count)
            if go_on is not None:
                yield go_on
            if self._scenario.mode != "asp" and self._demands.ask > 0:
                yield env.timeout(self._demands.ask)
            monitor.released[me, iteration] = env.now
            if monitor.may_trace:
                self._trace_iteration(self.index, self._name, iteration)
            following = self._coordinator.following(iteration)
            monitor.skip(me, iteration + 1, following, env.now)
            monitor.finish(me, following)
            iteration = following

    def _iterate(self, iteration: int) -> Process:
        """Pull, compute and push, layer by layer if there are layers."""
        scenario, pushes = self._scenario, self._demands.pushes
        # An iteration in which the worker took no part has had its time too.
        compute_time = next(time for number, time in self._compute_times if number == iteration)
        first = compute_time * (1 - math.fsum(push.compute_share for push in pushes[1:]))
        yield from self._pull_and_compute(iteration, first)
        applied: Countdown | None = None
        for position, push in enumerate(pushes):
            if position > 0:
                yield from self._compute(push.compute_share * compute_time)
            yield from self._thread.works(push.compress)
            if position == len(pushes) - 1:
                self._monitor.computed[self.index, iteration] = self.env.now
            if scenario.push == "none":
                return
            if applied is None:
                applied = yield from self._begin_push()
            yield from self._push(iteration, push, applied, last=position == len(pushes) - 1)
        if scenario.push == "blocking" and applied is not None:
            yield applied.event
        yield from self._thread.there()

    def _pull_and_compute(self, iteration: int, seconds: float) -> Process:
        """Until the first push can begin; all over again if the worker dies in between."""
        while True:
            yield from self._thread.there()
            self._thread.begins_anew = True
            try:
                if self._scenario.pull != "none":
                    self._pull = self._prefetched or (yield from self._ask(iteration))
                    self._prefetched = None
                    yield self._pull.arrived.event
                self._monitor.pulled[self.index, iteration] = self.env.now
                yield from self._thread.works(self._demands.assemble, memory_s=self._demands.assemble_memory)
                if self._scenario.prefetch and iteration + 1 < self._iterations:
                    self._prefetched = yield from self._ask(iteration + 1)
                yield from self._compute(seconds)
            except simpy.Interrupt:
                continue
            finally:
                self._thread.begins_anew = False
            return

    @property
    def busy_s(self) -> float:
        """Seconds of its thread's work, computing included, wherever that takes place."""
        return self._thread.busy_s

    def _die(self) -> None:
        for pull in self._open:
            pull.abandon(self._network)
        self._open.clear()
        self._prefetched = None
        self._thread.die()

    def _compute(self, seconds: float) -> Process:
        elsewhere = self._scenario.compute_on == "accelerator"
        return self._thread.works(seconds, self._accelerator if elsewhere else None)

    def _ask(self, iteration: int) -> Generator[simpy.Event, Any, Pull]:
        """Ask every shard for its parameters, one after the other waiting for each if so said."""
        if self._exchange is not None:
            return (yield from self._exchange.pull(self.index, iteration, self._thread))
        sequential = self._scenario.pull == "sequential"
        pull = Pull(self.env, iteration=iteration, shards=len(self._shards))
        self._open = [one for one in self._open if not one.arrived.event.triggered] + [pull]
        if not sequential and self._processor.cores is None and self._presence is None:
            yield from self._ask_all(pull)
            return pull
        for position, shard in enumerate(self._shards):
            yield from self._thread.works(self._demands.request)
            here = [pull.arrived, Countdown(self.env, 1)] if sequential else [pull.arrived]
            after(
                self.env,
                self._demands.propagation_delay + self._demands.one_way,
                partial(self._request, position, shard, self._last_push[position], pull, here),
            )
            if sequential:
                yield here[-1].event
        return pull

    def _ask_all(self, pull: Pull) -> Process:
        """Ask one shard after the other on a thread that nothing can hold up: when each is asked is plain."""
        instant, waiting = self.env.now, self._demands.propagation_delay + self._demands.one_way
        calls = [
            partial(self._request, position, shard, self._last_push[position], pull, [pull.arrived])
            for position, shard in enumerate(self._shards)
        ]
        if self._demands.request == 0:
            after(self.env, waiting, lambda: [call() for call in calls])
            return
        for call in calls:
            instant += self._demands.request
            after(self.env, instant - self.env.now + waiting, call)
        yield from self._thread.works(instant - self.env.now)

    def _request(
        self,
        position: int,
        shard: Shard,
        last_push: simpy.Event | None,
        pull: Pull,
        arrived: list[Countdown],
    ) -> None:
        if last_push is not None and not last_push.processed:
            when(last_push, partial(self._request, position, shard, last_push, pull, arrived))
            return

        def read() -> None:
            pull.versions[position] = shard.version
            if self._scenario.mode == "bsp" and (ahead := shard.rounds_from(pull.iteration)):
                pull.rounds[position] = ahead

        def reply() -> None:
            if pull.abandoned:
                return
            begin = self.env.now
            abreast = 1 if self._scenario.pull == "sequential" else len(self._shards)
            transfer = self._transfer(shard, shard.host, self.host, shard.size, abreast, shard.host.up)
            pull.transfers.append(transfer)
            if self._monitor.may_trace:
                when(
                    transfer,
                    lambda: self._trace_transfer("pull", self.index, shard, begin, shard.host, self.host),
                )
            receipt = self._receipt(transfer, self._demands.receive[shard.member], self._processor)
            when(receipt, lambda: one_less(arrived))

        service, memory = self._demands.reply[shard.member], self._demands.reply_memory[shard.member]
        shard.call(service * self.count, reply, memory=memory * self.count, begin=read)

    def _transfer(
        self, shard: Shard, src: Host, dst: Host, nbytes: float, abreast: int, meets: Link
    ) -> Decided:
        transfer = self._network.transfer(src, dst, nbytes, abreast=abreast, meets=meets)
        if shard.presence is not None and dst is shard.host:
            # Its host takes it in as long as it asks for it. What it sends itself its host goes on sending.
            shard.presence.keep(transfer)
        return transfer

    def _receipt(self, transfer: simpy.Event, seconds: float, processor: Processor) -> simpy.Event:
        """When the call is there and the host that it goes to has received the array, on nobody's thread."""
        latency = self._demands.one_way
        if latency == seconds == 0:
            return transfer
        receipt = Decided(self.env)
        if processor.cores is None:
            when(transfer, lambda: receipt.after(latency + seconds))
            return receipt
        when(
            transfer,
            lambda: after(self.env, latency, lambda: when(processor.work(seconds), receipt.succeed)),
        )
        return receipt

    def _begin_push(self) -> Generator[simpy.Event, Any, Countdown]:
        """Wait until one more push may be under way; gives what counts down to its end."""
        limit = self._scenario.max_in_flight_pushes
        while limit is not None and self._pushes_in_flight >= limit:
            self._fewer_in_flight = self.env.event()
            yield self._fewer_in_flight
        self._pushes_in_flight += 1
        self._outstanding(1)
        applied = Countdown(self.env, len(self._shards) * len(self._demands.pushes))
        when(applied.event, self._push_applied)
        return applied

    def _push(self, iteration: int, push: Push, applied: Countdown, *, last: bool) -> Process:
        if self._exchange is not None:
            self._exchange.push(self.index, iteration, applied.event, self._thread)
            return
        sequential = self._scenario.push == "sequential"
        for position, shard in enumerate(self._shards):
            yield from self._thread.works(push.send[shard.member], memory_s=push.send_memory[shard.member])
            countdowns = [applied, Countdown(self.env, 1)] if sequential else [applied]
            begin = self.env.now
            size, abreast = push.sizes[shard.member], 1 if sequential else len(self._shards)
            transfer = self._transfer(shard, self.host, shard.host, size, abreast, shard.host.down)
            if self._monitor.may_trace:
                when(
                    transfer,
                    partial(self._trace_transfer, "push", self.index, shard, begin, self.host, shard.host),
                )
            receipt = self._receipt(transfer, push.receive[shard.member], shard.processor)
            if self._scenario.layers or self._scenario.push == "fire-and-forget":
                receipt = in_order(self.env, self._last_push[position], receipt)
            self._last_push[position] = receipt
            when(
                receipt,
                partial(self._arrived, iteration, position, shard, push, countdowns, self._pull, last),
            )
            if sequential:
                yield countdowns[-1].event

    def _arrived(
        self,
        iteration: int,
        position: int,
        shard: Shard,
        push: Push,
        countdowns: list[Countdown],
        pull: Pull | None,
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
                    staleness=0 if pull is None else self._staleness(pull, shard, position, iteration),
                    time=began,
                )

        def finish() -> None:
            if last and accepted:
                shard.apply(iteration, self.count)
                self._monitor.update_ends(worker=self.index, iteration=iteration, time=self.env.now)
            name = "update" if accepted else "refuse"
            self._monitor.span(
                f"shard-{shard.index}", name, began, self.env.now, worker=self.index, iteration=iteration
            )
            delay = self._demands.propagation_delay + self._demands.one_way
            after(self.env, delay, lambda: one_less(countdowns))

        service, memory = self._demands.refuse, 0.0
        if accepted:
            memory = push.apply_memory[shard.member]
            service = push.apply[shard.member] + (next(self._update_cost[position], 0.0) if last else 0.0)
        nbytes = push.sizes[shard.member] * self.count
        shard.call(service * self.count, finish, memory=memory * self.count, begin=start, nbytes=nbytes)

    def _staleness(self, pull: Pull, shard: Shard, position: int, iteration: int) -> int:
        """Updates since the pull; in bulk-synchronous mode those of other rounds."""
        between = shard.version - pull.versions[position]
        if self._scenario.mode != "bsp":
            return between
        return between - (shard.rounds[iteration] - pull.rounds.get(position, {}).get(iteration, 0))

    def _push_applied(self) -> None:
        self._pushes_in_flight -= 1
        self._outstanding(-1)
        if self._fewer_in_flight is not None:
            waiting, self._fewer_in_flight = self._fewer_in_flight, None
            waiting.succeed()
