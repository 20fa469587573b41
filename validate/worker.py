"""A real worker: the Ray tutorial's loop, the whole of it in one call, so that no driver takes part.

Assembling (concatenating what was pulled, making the update) belongs to the compute phase: the update rests on
all the parameters, and until it is there no byte can be pushed.
"""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from validate.clocks import Reading, read
from validate.server import burn

INSTANTS = ("start", "pulled", "computed", "submitted", "pushed", "released")
"""Columns of a worker's log; all but `submitted` (all calls of the push are under way) as in Timeline."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the workers of a run do, in the scenario's words.

    Attributes
    ----------
    shard_elements
        Shape (K,).
    in_step
        Whether to ask the coordinator after each iteration.
    burn
        Whether compute time is used up on the CPU rather than slept.
    """

    shard_elements: tuple[int, ...]
    dtype: str
    update_rule: str
    pull: str
    push: str
    max_in_flight_pushes: int | None
    in_step: bool
    burn: bool


class Worker:
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
        edges = [0, *accumulate(job.shard_elements)]
        self._parameters = np.empty(edges[-1], job.dtype)
        self._update = np.empty(edges[-1], job.dtype)
        self._parameters.fill(0)
        self._update.fill(0)
        self._first = np.array(edges[:-1])
        self._slices = [self._update[a:b] for a, b in pairwise(edges)]
        self._versions = [0] * len(shards)
        self._in_flight: deque[list[Any]] = deque()

    def clock(self) -> Reading:
        """What this host's clock says."""
        return read()

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
        pushed = np.zeros((count, len(self._shards)), job.dtype)
        # The first call to an actor makes a connection, which is no part of an iteration.
        ray.get([shard.clock.remote() for shard in self._shards])
        ray.get(self._coordinator.start.remote())
        for iteration, seconds in enumerate(self._compute_times):
            row = instants[iteration]
            row[0] = now()
            if job.pull != "none":
                replies = self._pull()
                row[1] = now()
                np.concatenate([part for _, part in replies], out=self._parameters)
                self._versions = [version for version, _ in replies]
                del replies  # the object store may have its memory back
            else:
                row[1] = now()
            if seconds > 0:
                (burn if job.burn else time.sleep)(seconds)
            self._make_update()
            row[2] = now()
            row[3] = row[2]
            if job.push != "none":
                pushed[iteration] = self._update[self._first]
                row[3] = self._push(iteration)
            row[4] = now()
            if job.in_step:
                ray.get(self._coordinator.finished.remote(iteration + 1))
            row[5] = now()
        for refs in self._in_flight:
            ray.get(refs)
        return instants, pushed

    def _pull(self) -> list[tuple[int, NDArray[Any]]]:
        if self._job.pull == "sequential":
            return [ray.get(shard.get_parameters.remote()) for shard in self._shards]
        replies: list[tuple[int, NDArray[Any]]] = ray.get([s.get_parameters.remote() for s in self._shards])
        return replies

    def _make_update(self) -> None:
        if self._job.update_rule == "ones":
            self._update.fill(1)
        else:
            np.multiply(self._parameters, self._update.dtype.type(1e-3), out=self._update)
            self._update += 1

    def _calls(self, iteration: int) -> Iterator[Any]:
        for shard, part, version in zip(self._shards, self._slices, self._versions, strict=True):
            yield shard.update_parameters.remote(part, version, self._index, iteration)

    def _push(self, iteration: int) -> int:
        """Push the update; returns the instant (ns) at which all calls were under way."""
        if self._job.push == "sequential":
            for ref in self._calls(iteration):
                submitted = time.monotonic_ns()
                ray.get(ref)
            return submitted
        limit = self._job.max_in_flight_pushes
        if limit is not None and len(self._in_flight) == limit:
            # Pushes of one worker end in order, so when the oldest has, fewer than `limit` are unfinished.
            ray.get(self._in_flight.popleft())
        refs = list(self._calls(iteration))
        submitted = time.monotonic_ns()
        if self._job.push == "blocking":
            ray.get(refs)
        else:
            self._in_flight.append(refs)
        return submitted
