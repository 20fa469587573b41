"""Statistics of a running simulation, aggregated as it goes: memory does not grow with the number of messages."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from psmodel.results import Array, IngressClock, Integers, Outage, Timeline
from psmodel.scenario import Scenario
from psmodel.trace import Span

_ROOM = 64
"""Iterations that an endless run has room for at first, ..."""
_FEW = 1_000_000
"""... or as many as so many numbers are."""


class Monitor:
    """Collects the timeline, ingress times, staleness and, on request, spans.

    Of an endless run, that of a scenario in its steady state, `keep_from_now` says what is to be kept.

    Parameters
    ----------
    worker_counts
        How many workers each simulated worker stands for, shape (worker groups,).
    shard_counts
        The same for shards.

    Attributes
    ----------
    finished
        Iterations that each simulated worker has finished.
    may_trace
        Whether `trace` is on or may be put on while the run goes on.
    reached
        Whether all of them have finished as many as `aim_at` said.
    """

    INSTANTS = ("start", "pulled", "computed", "pushed", "released", "applied")

    def __init__(
        self, scenario: Scenario, worker_counts: list[int], shard_counts: list[int], *, trace: bool
    ) -> None:
        self._scenario = scenario
        of_each = len(self.INSTANTS) * len(worker_counts) + 4 * len(shard_counts)
        room = max(2, min(_ROOM, _FEW // of_each))
        self._room = room if scenario.is_steady else scenario.total_iterations
        self.start, self.pulled, self.computed, self.pushed, self.released, self.applied = (
            np.full((len(worker_counts), self._room), np.nan) for _ in self.INSTANTS
        )
        self.staleness: Counter[int] = Counter()
        self.spans: list[Span] = []
        self.outages: list[Outage] = []
        self.span: Callable[..., None] = _forget
        self.may_trace = trace
        self.trace(on=trace)
        self.finished = [0] * len(worker_counts)
        self.reached = False
        self._aim = self._behind = 0
        self._worker_counts, self._shard_counts = worker_counts, shard_counts
        sizes = np.array(scenario.shard_sizes)[np.cumsum([0, *shard_counts[:-1]])]
        self._used = sizes > 0
        # Of each simulated worker: the iterations whose staleness counts, and that of the first row of ingress times.
        self._first = [scenario.warmup or 0] * len(worker_counts)
        self._end = math.inf
        self._row = [0] * len(worker_counts)
        self._ingress = self._clock(self._room)
        self._past_ingress: list[Array] = []
        self._updates = 0
        self._in_step = scenario.mode == "bsp"
        self._pushes, self._pulls = scenario.push != "none", scenario.pull != "none"

    def _clock(self, rounds: int) -> IngressClock:
        # The last rounds of an endless run are under way when it is looked at.
        complete = len(self._worker_counts) - self._scenario.backup_workers if self._scenario.is_steady else 1
        return IngressClock(
            iterations=rounds,
            shards=len(self._shard_counts),
            in_step=self._scenario.mode == "bsp",
            complete=complete,
        )

    def trace(self, *, on: bool) -> None:
        """Keep spans from now on, or forget them."""
        self.span = self._keep_span if on else _forget

    def _keep_span(self, row: str, name: str, start: float, end: float, **args: Any) -> None:
        overlapping = args.pop("overlapping", False)
        self.spans.append(
            Span(row=row, name=name, start_s=start, end_s=end, overlapping=overlapping, args=args)
        )

    def outage(self, outage: Outage, *, instead_of: Outage | None = None) -> None:
        """Somebody has died; or somebody who was dead, as `instead_of` says, will stay so for longer."""
        if instead_of is None:
            self.outages.append(outage)
        elif instead_of in self.outages:
            self.outages[self.outages.index(instead_of)] = outage

    def begin(self, worker: int, iteration: int, now: float) -> None:
        """A worker begins an iteration."""
        self._reserve(iteration + 1)
        self.start[worker, iteration] = now

    def finish(self, worker: int, iterations: int) -> None:
        """A worker has now finished (or skipped) so many iterations."""
        if self.finished[worker] < self._aim <= iterations:
            self._behind -= 1
            self.reached = self._behind == 0
        self.finished[worker] = iterations

    def aim_at(self, iterations: int) -> None:
        """Say by `reached` when all workers have finished so many."""
        self._aim = iterations
        self._behind = sum(count < iterations for count in self.finished)
        self.reached = self._behind == 0

    @property
    def records(self) -> int:
        """Numbers held in memory: six instants of each worker and four sums of each shard in an iteration."""
        return self._room * (len(self.INSTANTS) * len(self._worker_counts) + 4 * len(self._shard_counts))

    def _reserve(self, iterations: int) -> None:
        if iterations <= self._room:
            return
        self._room = max(iterations, 2 * self._room)
        for name in self.INSTANTS:
            array = getattr(self, name)
            empty = np.full((len(array), self._room - array.shape[1]), np.nan)
            setattr(self, name, np.concatenate([array, empty], axis=1))
        self._ingress.reserve(self._room)

    def update_begins(self, *, worker: int, iteration: int, shard: int, staleness: int, time: float) -> None:
        """A shard begins to apply the updates of a worker (group); `staleness` is that of the first one."""
        row = iteration - self._row[worker]
        if row >= 0:
            push_start = float(self.computed[worker, iteration])
            self._ingress.arrived(iteration=row, shard=shard, push_start=push_start, time=time)
        self._updates += self._worker_counts[worker] * self._shard_counts[shard]
        # An update that rests on no pull is not stale.
        if 0 <= iteration - self._first[worker] < self._end and self._pulls:
            for position in range(self._worker_counts[worker]):
                # Of those that arrive together one after the other is staler, unless they are of one round.
                self.staleness[staleness + position * (not self._in_step)] += self._shard_counts[shard]

    def updates_begin(
        self, worker: Integers, iteration: Integers, shard: Integers, staleness: Integers, time: Array
    ) -> None:
        """Many times `update_begins`, in the order of their time; one number each."""
        row = iteration - np.array(self._row)[worker]
        counted = row >= 0
        if not counted.all():
            row, of, at, when = row[counted], worker[counted], shard[counted], time[counted]
            push_start = self.computed[of, iteration[counted]]
        else:
            of, at, when, push_start = worker, shard, time, self.computed[worker, iteration]
        self._ingress.many_arrived(iteration=row, shard=at, push_start=push_start, time=when)
        members = np.array(self._worker_counts)[worker]
        weights = np.array(self._shard_counts)[shard]
        self._updates += int((members * weights).sum())
        if not self._pulls:
            return
        age = iteration - np.array(self._first)[worker]
        counted = (age >= 0) & (age < self._end)
        members, weights, stale = members[counted], weights[counted], staleness[counted]
        if not self._in_step:
            # See `update_begins`.
            before = np.cumsum(members) - members
            position = np.arange(int(members.sum())) - np.repeat(before, members)
            stale, weights = np.repeat(stale, members) + position, np.repeat(weights, members)
        else:
            weights = weights * members
        values, index = np.unique(stale, return_inverse=True)
        for value, number in zip(values.tolist(), np.bincount(index, weights).tolist(), strict=True):
            self.staleness[value] += int(number)

    def update_ends(self, *, worker: int, iteration: int, time: float) -> None:
        """One more shard has applied the updates of a worker (group)."""
        self.applied[worker, iteration] = time

    def skip(self, worker: int, first: int, end: int, now: float) -> None:
        """A worker takes no part in the iterations from `first` to before `end`: they take it no time."""
        if first < end:
            self._reserve(end)
            for name in self.INSTANTS[:-1]:
                getattr(self, name)[worker, first:end] = now

    def keep_from_now(self, iterations: float = math.inf) -> None:
        """Forget deaths, staleness and ingress times so far; keep those of each worker's next `iterations`.

        What a worker out of step is in the middle of is left out: longer iterations are met more often.
        """
        self._past_ingress.append(self._ingress_series())
        if self._scenario.mode == "bsp":
            late = int(self._scenario.backup_workers > 0)
            self._first = [max(self.finished) + late] * len(self.finished)
        else:
            self._first = [count + 1 for count in self.finished]
        self._row, self._end = list(self._first), iterations
        self.staleness.clear()
        self.outages.clear()
        self._updates = 0
        self._ingress = self._clock(self._room)

    @property
    def kept(self) -> int:
        """Iterations that each worker has finished of those that are kept."""
        return max(0, min(count - first for count, first in zip(self.finished, self._first, strict=True)))

    @property
    def updates(self) -> float:
        """Updates applied since then: those of single shards over the number of shards."""
        return self._updates / self._scenario.used_shards

    @property
    def deleted(self) -> int:
        """Iterations before those that are kept, of the worker that has the fewest."""
        return min(self._first)

    def _ingress_series(self) -> Array:
        """Mean ingress time of each complete round since the last `keep_from_now`, s."""
        times = self._ingress.ingress_times()[:, self._used]
        return np.asarray(times[~np.isnan(times).any(axis=1)].mean(axis=1)) if self._pushes else np.zeros(0)

    @property
    def complete_rounds(self) -> int:
        """Rounds, of those that are kept, of which all pushes have arrived without a gap from the first one."""
        complete = ~np.isnan(self._ingress.ingress_times()[:, self._used]).any(axis=1)
        return int(np.argmin(np.append(complete, False)))

    def kept_ingress(self) -> Array:
        """Ingress times (s) of the complete rounds that are kept, at the shard with the longest; shape (rounds,)."""
        times = self._ingress.ingress_times()[:, self._used]
        complete = times[~np.isnan(times).any(axis=1)]
        return np.asarray(complete[:, int(np.argmax(complete.sum(axis=0)))] if complete.size else np.zeros(0))

    def ingress_from_the_start(self) -> Array:
        """Mean ingress time (s) of the rounds so far, those that are not kept included; shape (rounds,)."""
        return np.concatenate([*self._past_ingress, self._ingress_series()])

    def instants(self, iterations: int, *, back: int = 0) -> dict[str, Array]:
        """Those of the simulated workers in so many kept iterations, and `back` before; shape (groups, iterations)."""
        columns = np.array(self._first)[:, None] - back + np.arange(iterations + back)
        return {name: np.take_along_axis(getattr(self, name), columns, axis=1) for name in self.INSTANTS}

    def timeline(self, iterations: int | None = None) -> Timeline:
        """The record of the run, one row per worker and one column per shard again.

        Parameters
        ----------
        iterations
            Of an endless run, how many of those kept; what is deleted is its warm-up.
        """
        ingress = self._ingress.ingress_times()
        warmup, applied = self._scenario.warmup or 0, 1.0
        if iterations is None:
            instants = {name: getattr(self, name) for name in self.INSTANTS}
            if self._pushes:
                missing = sum(outage.updates_lost for outage in self.outages)
                applied = (self._updates - missing) / (
                    self._scenario.workers * self._scenario.total_iterations * self._scenario.used_shards
                )
        else:
            warmup = self.deleted
            instants = self.instants(iterations, back=warmup)
            ingress = np.concatenate([np.full((warmup, ingress.shape[1]), np.nan), ingress[:iterations]])
            if self._pushes:
                applied = self._scenario.quorum / self._scenario.workers
        return Timeline(
            **{name: np.repeat(times, self._worker_counts, axis=0) for name, times in instants.items()},
            ingress=np.repeat(ingress, self._shard_counts, axis=1),
            staleness=dict(sorted(self.staleness.items())),
            warmup=warmup,
            backup_workers=self._scenario.backup_workers,
            applied_share=applied,
            outages=tuple(self.outages),
        )


def _forget(*_: Any, **__: Any) -> None:
    """Spans are kept only on request."""
