"""A shard: one method call at a time, in order of arrival, as a Ray actor executes them."""

import math
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import simpy

from psmodel.network.hosts import Host
from psmodel.network.processor import Processor, when
from psmodel.simulation.presence import Presence


class _Call(NamedTuple):
    service: float
    memory: float
    arrived: float
    nbytes: float
    begin: Callable[[], Any] | None
    reply: Callable[[], Any]


class Shard:
    """A single-server queue; stands for `host.count` shards to which the very same happens.

    Parameters
    ----------
    index, member
        Its place among the simulated shards, and the scenario's number of the first shard it stands for.
    size
        Bytes of parameters it holds.
    quorum
        How many updates of one iteration it takes; later ones are refused.
    presence
        If it may die: whether it is there. The call that it is working on when it dies is done anew.

    Attributes
    ----------
    version
        Updates applied.
    rounds
        How many of them belong to each iteration.
    busy_s
        Its thread's CPU time.
    calls
        How many are here, the one that is worked on included.
    """

    def __init__(
        self,
        env: simpy.Environment,
        *,
        index: int,
        member: int,
        size: int,
        host: Host,
        processor: Processor,
        quorum: float = math.inf,
        presence: Presence | None = None,
    ) -> None:
        self.index, self.member, self.size, self.host = index, member, size, host
        self.env = env
        self.version = 0
        self.rounds: Counter[int] = Counter()
        self.busy_s = 0.0
        self.response_sum_s = 0.0
        self.calls = self.longest_queue = 0
        self.waiting_bytes = 0.0
        self.most_waiting_bytes = 0.0
        self.processor = processor
        self._queue: deque[_Call] = deque()
        self._running = False
        self._quorum = quorum
        self._accepted: Counter[int] = Counter()
        self.presence = presence
        self._serving: tuple[simpy.Event, float] | None = None
        self._anew = False
        if presence is not None:
            presence.on_death = self._die

    def watch_anew(self) -> None:
        """Forget how long the queue has been before."""
        self.longest_queue = self.calls

    def accepts(self, iteration: int, count: int) -> bool:
        """Whether `count` updates of an iteration, which arrive now, are among the first."""
        if self._quorum == math.inf:
            return True
        self._accepted[iteration] += count
        return self._accepted[iteration] <= self._quorum

    def apply(self, iteration: int, count: int) -> None:
        """`count` updates of an iteration have been applied."""
        self.version += count
        self.rounds[iteration] += count
        if self.presence is not None:
            self.presence.applied(count)

    def rounds_from(self, iteration: int) -> dict[int, int]:
        """Updates applied of that iteration and of those after it."""
        rounds = {}
        while iteration in self.rounds:
            rounds[iteration] = self.rounds[iteration]
            iteration += 1
        return rounds

    def _die(self) -> None:
        if self._serving is None:
            return
        (work, began), service = self._serving, self._queue[0].service
        self.busy_s += service - self.processor.stop(work, service, began)
        self._serving, self._anew = None, True
        assert self.presence is not None
        when(self.presence.back, self._next)

    def call(
        self,
        service: float,
        reply: Callable[[], Any],
        *,
        memory: float = 0.0,
        begin: Callable[[], Any] | None = None,
        nbytes: float = 0.0,
    ) -> None:
        """Queue a call of `service` seconds, `memory` of them copying, that holds `nbytes` until it is done."""
        self._queue.append(
            _Call(
                service=service, memory=memory, arrived=self.env.now, nbytes=nbytes, begin=begin, reply=reply
            )
        )
        self.calls += 1
        self.longest_queue = max(self.longest_queue, self.calls)
        self.waiting_bytes += nbytes
        self.most_waiting_bytes = max(self.most_waiting_bytes, self.waiting_bytes)
        if not self._running:
            self._running = True
            self._next()

    def _next(self) -> None:
        while self._queue:
            if self.presence is not None and self.presence.away:
                when(self.presence.back, self._next)
                return
            call = self._queue[0]
            if call.begin is not None and not self._anew:
                call.begin()
            if call.service > 0:
                work = self.processor.work(call.service, call.memory)
                self._serving = work, self.env.now
                when(work, partial(self._worked, work))
                return
            self._finish()
        self._running = False

    def _worked(self, work: simpy.Event) -> None:
        if self._serving is None or self._serving[0] is not work:
            return  # the shard has died since
        self.busy_s += self._queue[0].service
        self._serving, self._anew = None, False
        self._finish()
        self._next()

    def _finish(self) -> None:
        call = self._queue.popleft()
        self.calls -= 1
        self.response_sum_s += self.env.now - call.arrived
        self.waiting_bytes -= call.nbytes
        call.reply()
