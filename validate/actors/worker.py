"""A real worker: the Ray tutorial's loop, the whole of it in one call, so that no driver takes part.

Assembling (concatenating what was pulled, making the update) belongs to the compute phase: the update rests on
all the parameters, and until it is there no byte can be pushed.
"""

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from validate.actors import presence
from validate.actors.clocks import ClockReading, read
from validate.actors.dtypes import dtype_of, lent
from validate.actors.shard import burn

INSTANTS = ("start", "pulled", "computed", "submitted", "pushed", "released")
"""Columns of a worker's log; all but `submitted` (all calls of the push are under way) as in Timeline."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the workers of a run do, in the scenario's words.

    Attributes
    ----------
    layer_elements, pushed_elements
        Elements of each layer on each shard that holds something, as they are and as they are pushed; shape (K, L).
        Without layers the whole model is one.
    compute_shares, compress_times
        Share of the compute time, and seconds of CPU time, that each layer takes; shape (L,).
    in_step
        Whether to ask the coordinator after each iteration.
    burn
        Whether compute time is used up on the CPU rather than slept.
    """

    layer_elements: tuple[tuple[int, ...], ...]
    pushed_elements: tuple[tuple[int, ...], ...]
    compute_shares: tuple[float, ...]
    compress_times: tuple[float, ...]
    dtype: str
    update_rule: str
    pull: str
    prefetch: bool
    push: str
    max_in_flight_pushes: int | None
    in_step: bool
    burn: bool


class WorkerActor:
    """One worker; buffers are made once, as a training loop would.

    Parameters
    ----------
    compute_times
        Seconds, shape (iterations,).
    """

    def __init__(
        self,
        index: int,
        job: Job,
        compute_times: NDArray[np.float64],
        shards: list[Any],
        coordinator: Any,
    ) -> None:
        self._index, self._job = index, job
        self._compute_times = compute_times.tolist()
        self._shards, self._coordinator = shards, coordinator
        edges = [0, *accumulate(sum(layers) for layers in job.layer_elements)]
        self._parameters = np.empty(edges[-1], dtype_of(job.dtype))
        self._update = np.empty_like(self._parameters)
        self._parameters.fill(0)
        self._update.fill(0)
        self._first = np.array(edges[:-1])
        self._parts = [self._layer(edges, layer) for layer in range(len(job.compute_shares))]
        # A large reply stays on the shard's host until somebody waits for it: asking alone brings nothing nearer.
        self._fetcher = ThreadPoolExecutor(max_workers=1)
        self._prefetched: Future[list[Any]] | None = None
        self._versions = [0] * len(shards)
        self._in_flight: deque[list[Any]] = deque()

    def _layer(self, edges: list[int], layer: int) -> list[tuple[NDArray[Any], tuple[int, int] | None]]:
        """What goes to each shard of a layer, and which of the shard's parameters it is for (None: all)."""
        parts = []
        layered = len(self._job.compute_shares) > 1
        for edge, counts, pushed in zip(
            edges[:-1], self._job.layer_elements, self._job.pushed_elements, strict=True
        ):
            first = sum(counts[:layer])
            part = self._update[edge + first : edge + first + pushed[layer]]
            parts.append((part, (first, first + counts[layer]) if layered else None))
        return parts

    def clock(self) -> ClockReading:
        """What this host's clock says."""
        return read()

    def presence(self) -> presence.ProcessReport:
        """Which process this is, and what TCP did on its host."""
        return presence.read()

    def run(self) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """All iterations.

        Returns
        -------
        instants : shape (iterations, 6)
            In ns, see `INSTANTS`.
        pushed : shape (iterations, shards)
            First element of what was pushed to each shard; all the others are equal to it.
        """
        job, now = self._job, time.monotonic_ns
        count = len(self._compute_times)
        instants = np.zeros((count, len(INSTANTS)), np.int64)
        pushed = np.zeros((count, len(self._shards)), self._update.dtype)
        # The first call to an actor makes a connection, which is no part of an iteration.
        ray.get([shard.clock.remote() for shard in self._shards])
        ray.get(self._coordinator.start.remote())
        iteration = 0
        while iteration < count:
            row = instants[iteration]
            row[0] = now()
            if job.pull != "none":
                replies = self._pull()
                row[1] = now()
                parts = [part.view(self._parameters.dtype) for _, part in replies]
                np.concatenate(parts, out=self._parameters)
                self._versions = [version for version, _ in replies]
                del replies, parts  # the object store may have its memory back
            else:
                row[1] = now()
            if job.prefetch and iteration + 1 < count:
                self._prefetched = self._fetcher.submit(_fetched, self._ask())
            row[2], row[3] = self._compute_and_push(iteration, pushed[iteration])
            row[4] = now()
            following = iteration + 1
            if job.in_step:
                following = ray.get(self._coordinator.finished.remote(iteration + 1, self._index))
            row[5] = now()
            instants[iteration + 1 : following] = row[5]  # it takes no part in these
            iteration = following
        for refs in self._in_flight:
            ray.get(refs)
        return instants, pushed

    def _pull(self) -> list[tuple[int, NDArray[Any]]]:
        if self._job.pull == "sequential":
            return [ray.get(shard.get_parameters.remote()) for shard in self._shards]
        prefetched, self._prefetched = self._prefetched, None
        replies: list[tuple[int, NDArray[Any]]] = ray.get(
            self._ask() if prefetched is None else prefetched.result()
        )
        return replies

    def _ask(self) -> list[Any]:
        return [shard.get_parameters.remote() for shard in self._shards]

    def _compute_and_push(self, iteration: int, pushed: NDArray[Any]) -> tuple[int, int]:
        """Layer by layer, the last one first; instants (ns): all is computed, all calls are under way."""
        job, seconds = self._job, self._compute_times[iteration]
        refs: list[Any] = []
        last = len(job.compute_shares) - 1
        for layer in range(last, -1, -1):
            # The forward pass comes before the gradient of the last layer.
            share = 1 - sum(job.compute_shares[:last]) if layer == last else job.compute_shares[layer]
            if share * seconds > 0:
                (burn if job.burn else time.sleep)(share * seconds)
            if layer == last:
                self._make_update()
                pushed[:] = self._update[self._first]
            if job.compress_times[layer] > 0:
                burn(job.compress_times[layer])
            if layer == 0:
                computed = time.monotonic_ns()
            if job.push == "none":
                return computed, computed
            if layer == last:
                self._wait_for_earlier_pushes()
            refs += self._push(iteration, layer)
        submitted = time.monotonic_ns()
        if job.push == "fire-and-forget":
            self._in_flight.append(refs)
        else:
            ray.get(refs)
        return computed, submitted

    def _make_update(self) -> None:
        if self._job.update_rule == "ones":
            self._update.fill(1)
        else:
            np.multiply(self._parameters, self._update.dtype.type(1e-3), out=self._update)
            self._update += 1

    def _wait_for_earlier_pushes(self) -> None:
        limit = self._job.max_in_flight_pushes
        if limit is not None and len(self._in_flight) == limit:
            # Pushes of one worker end in order, so when the oldest has, fewer than `limit` are unfinished.
            ray.get(self._in_flight.popleft())

    def _push(self, iteration: int, layer: int) -> list[Any]:
        """Push a layer's update, to one shard after the other has it if so said; the calls."""
        refs: list[Any] = []
        for shard, (part, where), version in zip(
            self._shards, self._parts[layer], self._versions, strict=True
        ):
            refs.append(self._push_to(shard, part, version, iteration, where, refs))
        return refs

    def _push_to(
        self,
        shard: Any,
        part: NDArray[Any],
        version: int,
        iteration: int,
        where: tuple[int, int] | None,
        earlier: list[Any],
    ) -> Any:
        """Push to one shard; `earlier` are the calls of this push so far."""
        if earlier and self._job.push == "sequential":
            ray.get(earlier[-1])
        return shard.update_parameters.remote(lent(part), version, self._index, iteration, where)


def _fetched(refs: list[Any]) -> list[Any]:
    """The same calls, once their replies are on this host.

    Waited for, not got: while one thread is in `ray.get`, no other can put an update into the object store, so that the
    push would begin when the pull has ended (measured: 551 instead of 345 ms).
    """
    ray.wait(refs, num_returns=len(refs), fetch_local=True)
    return refs
