"""A shard: one method call at a time, in order of arrival, as a Ray actor executes them."""

import math
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import simpy

from psmodel.errors import BadInput
from psmodel.simulation.network import Host
from psmodel.simulation.processor import Processor, after, when

_MOST_ATTEMPTS = 10_000


class _Call(NamedTuple):
    service: float
    arrived: float
    nbytes: float
    begin: Callable[[], Any] | None
    done: Callable[[], Any]


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
    ) -> None:
        self.index, self.member, self.size, self.host = index, member, size, host
        self.env = env
        self.version = 0
        self.busy_s = 0.0
        self.response_sum_s = 0.0
        self.longest_queue = 0
        self.waiting_bytes = 0.0
        self.most_waiting_bytes = 0.0
        self.processor = processor
        self._queue: deque[_Call] = deque()
        self._running = False
        self._quorum = quorum
        self._accepted: Counter[int] = Counter()
        self._serving: float | None = None
        self._attempt = 0
        self._anew = 0
        self._back = -math.inf

    def accepts(self, iteration: int, count: int) -> bool:
        """Whether `count` updates of an iteration, which arrive now, are among the first."""
        if self._quorum == math.inf:
            return True
        self._accepted[iteration] += count
        return self._accepted[iteration] <= self._quorum

    def die(self, away: float) -> None:
        """Answer nothing for `away` seconds; the call that is being worked on is then done anew."""
        self._back = max(self._back, self.env.now + away)
        if self._serving is not None:
            self.busy_s += self.env.now - self._serving
            self._serving = None
            self._anew += 1
            if self._anew > _MOST_ATTEMPTS:
                raise BadInput(
                    f"failures: shard {self.member} has died {_MOST_ATTEMPTS} times in one call without getting "
                    "through; mean_time_between is too short for a call as long as that"
                )
            after(self.env, self._back - self.env.now, self._next)

    def call(
        self,
        service: float,
        done: Callable[[], Any],
        *,
        begin: Callable[[], Any] | None = None,
        nbytes: float = 0.0,
    ) -> None:
        """Queue a call of `service` seconds that holds `nbytes` of argument until it is done."""
        self._queue.append(
            _Call(service=service, arrived=self.env.now, nbytes=nbytes, begin=begin, done=done)
        )
        self.longest_queue = max(self.longest_queue, len(self._queue))
        self.waiting_bytes += nbytes
        self.most_waiting_bytes = max(self.most_waiting_bytes, self.waiting_bytes)
        if not self._running:
            self._running = True
            self._next()

    def _next(self) -> None:
        while self._queue:
            if self.env.now < self._back:
                after(self.env, self._back - self.env.now, self._next)
                return
            call = self._queue[0]
            if call.begin is not None and self._anew == 0:
                call.begin()
            if call.service > 0:
                self._serving = self.env.now
                self._attempt += 1
                when(self.processor.work(call.service), partial(self._worked, self._attempt))
                return
            self._finish()
        self._running = False

    def _worked(self, attempt: int) -> None:
        if attempt != self._attempt or self._serving is None:
            return  # the shard has died since
        self.busy_s += self.env.now - self._serving
        self._serving = None
        self._anew = 0
        self._finish()
        self._next()

    def _finish(self) -> None:
        call = self._queue.popleft()
        self.response_sum_s += self.env.now - call.arrived
        self.waiting_bytes -= call.nbytes
        call.done()
