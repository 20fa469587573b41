"""The real parameter server, as in the Ray tutorial: shards that are actors, and what lets workers go on.

The classes are plain; ``validate.runs.real_run`` makes actors of them. Instants are ``time.monotonic_ns()``, that is
CLOCK_MONOTONIC, which is one clock for all processes and network namespaces of a host. Of hosts with clocks of
their own only intervals within one process can be compared as they are; see `validate.actors.clocks`.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validate.actors import presence
from validate.actors.clocks import ClockReading, read
from validate.actors.dtypes import dtype_of, lent


class ParameterServerShard:
    """Holds a part of the parameters; Ray executes one of its methods at a time, in order of arrival.

    Parameters
    ----------
    elements, dtype
        Of its part.
    update_cost
        Seconds of CPU time that one update after the other costs on top of adding it.
    quorum
        How many updates of one iteration it takes; later ones are refused. None: all.
    decompress_s_per_element
        Seconds of CPU time that decompressing costs.
    """

    def __init__(
        self,
        elements: int,
        dtype: str,
        update_cost: list[float] | None = None,
        quorum: int | None = None,
        decompress_s_per_element: float = 0.0,
    ) -> None:
        self.parameters = np.empty(elements, dtype_of(dtype))
        self.parameters.fill(0)  # np.zeros would leave it to the first update to find memory for it
        self.version = 0
        self._update_cost: Iterator[float] | None = None if update_cost is None else iter(update_cost)
        self._quorum = quorum
        self._taken: Counter[int] = Counter()
        self._decompress_s_per_element = decompress_s_per_element
        self._log: list[tuple[int, int, int, int, int]] = []

    def get_parameters(self) -> tuple[int, NDArray[Any]]:
        """How many updates have been applied, and the parameters, `lent` (in a reader's process a read-only view)."""
        return self.version, lent(self.parameters)

    def update_parameters(
        self,
        update: NDArray[Any],
        version_read: int,
        worker: int,
        iteration: int,
        layer: tuple[int, int] | None = None,
    ) -> None:
        """Add an update that rests on the parameters as they were at `version_read`.

        Parameters
        ----------
        update
            `lent`; one number per parameter, or fewer if it is compressed. That is a stand-in for real compression: all
            numbers of an update are equal, so that the first one says them all.
        layer
            First parameter and the one after the last, if it is a layer's; the first layer comes last and ends the
            update.
        """
        begin = time.monotonic_ns()
        if self._quorum is not None:
            self._taken[iteration] += 1
            if self._taken[iteration] > self._quorum:
                return
        first, end = layer or (0, self.parameters.size)
        update = update.view(self.parameters.dtype)
        whole = update.size == end - first
        self.parameters[first:end] += update if whole else update[0]
        if self._decompress_s_per_element > 0:
            burn(self._decompress_s_per_element * (end - first))
        if first > 0:
            return
        if self._update_cost is not None:
            burn(next(self._update_cost))
        self._log.append((worker, iteration, self.version - version_read, begin, time.monotonic_ns()))
        self.version += 1

    def observe(self) -> dict[str, float]:
        """A summary that costs next to nothing: how many updates, the first and the last parameter."""
        return {
            "version": self.version,
            "first": float(self.parameters[0]),
            "last": float(self.parameters[-1]),
        }

    def finish(self) -> tuple[NDArray[np.int64], float, float]:
        """The log, shape (updates, 5): worker, iteration, staleness, begin, end (ns); least and largest parameter."""
        log = np.array(self._log, np.int64).reshape(-1, 5)
        return log, float(self.parameters.min()), float(self.parameters.max())

    def clock(self) -> ClockReading:
        """What this host's clock says."""
        return read()

    def presence(self) -> presence.ProcessReport:
        """Which process this is, and what TCP did on its host."""
        return presence.read()


class CoordinatorActor:
    """An asynchronous actor that lets workers go on by the rule of the training mode.

    A worker that has finished n iterations goes on once all have finished n − slack: 0 is the barrier of
    bulk-synchronous training, a bound s that of the stale-synchronous mode. Asynchronous workers never ask. With
    backup workers "all" are the first `quorum`, and a late worker goes on with the iteration under way.

    Parameters
    ----------
    mortal
        Shards that have to know when the run begins, since they will die so long after.
    """

    def __init__(self, workers: int, slack: int, quorum: int, mortal: list[Any]) -> None:
        self._mortal = mortal
        self._workers = workers
        self._quorum = quorum
        self._slack = slack
        self._finished: defaultdict[int, set[int]] = defaultdict(set)
        self._all_finished = 0
        self._reached: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self._waiting = 0
        self._all_wait = asyncio.Event()

    async def presence(self) -> presence.ProcessReport:
        """Which process this is, and what TCP did on its host."""
        return presence.read()

    async def start(self) -> None:
        """Returns once every worker has called it."""
        self._waiting += 1
        if self._waiting == self._workers:
            for shard in self._mortal:
                shard.begin.remote()
            self._all_wait.set()
        await self._all_wait.wait()

    async def finished(self, iterations: int, worker: int) -> int:
        """A worker has finished that many iterations; returns, when it may go on, how many count as finished.

        One that has died since may say so again.
        """
        if iterations <= self._all_finished:
            return self._all_finished
        self._finished[iterations].add(worker)
        while len(self._finished.get(self._all_finished + 1, ())) >= self._quorum:
            self._all_finished += 1
            del self._finished[self._all_finished]
            if self._all_finished in self._reached:
                self._reached.pop(self._all_finished).set()
        needed = iterations - self._slack
        if needed > self._all_finished:
            await self._reached[needed].wait()
        return iterations


def burn(seconds: float) -> None:
    """Compute until this thread has used that much CPU time, however long that takes."""
    end = time.thread_time_ns() + round(seconds * 1e9)
    while time.thread_time_ns() < end:
        pass
