"""What a simulation watches: streamed into aggregates, so that memory does not grow with the number of messages."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from psmodel.results import IngressClock, Timeline
from psmodel.scenario import Scenario
from psmodel.trace import Span


class Monitor:
    """Collects the timeline, ingress times, staleness and, on request, spans.

    Parameters
    ----------
    worker_counts
        How many workers each simulated worker stands for, shape (worker groups,).
    shard_counts
        The same for shards.
    """

    def __init__(
        self, scenario: Scenario, worker_counts: list[int], shard_counts: list[int], *, trace: bool
    ) -> None:
        shape = (len(worker_counts), scenario.total_iterations)
        self.start, self.pulled, self.computed, self.pushed, self.released = (
            np.full(shape, np.nan) for _ in range(5)
        )
        self.staleness: Counter[int] = Counter()
        self.spans: list[Span] = []
        self.traces = trace
        self.span: Callable[..., None] = self._keep_span if trace else _forget
        self._ingress = IngressClock(
            iterations=scenario.total_iterations, shards=len(shard_counts), in_step=scenario.mode == "bsp"
        )
        self._worker_counts, self._shard_counts = worker_counts, shard_counts
        self._warmup = scenario.warmup or 0
        self._applied = 0
        self._pushes, self._pulls = scenario.push != "none", scenario.pull != "none"
        self._backup_workers = scenario.backup_workers
        self._planned = scenario.workers * scenario.total_iterations * scenario.shards

    def _keep_span(self, row: str, name: str, start: float, end: float, **args: Any) -> None:
        overlapping = args.pop("overlapping", False)
        self.spans.append(
            Span(row=row, name=name, start_s=start, end_s=end, overlapping=overlapping, args=args)
        )

    def update_begins(self, *, worker: int, iteration: int, shard: int, staleness: int, time: float) -> None:
        """A shard begins to apply the updates of a worker (group); `staleness` is that of the first one."""
        self._ingress.arrived(
            iteration=iteration, shard=shard, push_start=float(self.computed[worker, iteration]), time=time
        )
        self._applied += self._worker_counts[worker] * self._shard_counts[shard]
        if iteration >= self._warmup and self._pulls:  # an update that rests on no pull is not stale
            for position in range(self._worker_counts[worker]):
                self.staleness[staleness + position] += self._shard_counts[shard]

    def skip(self, worker: int, first: int, end: int, now: float) -> None:
        """A worker takes no part in the iterations from `first` to before `end`: they take it no time."""
        for instants in (self.start, self.pulled, self.computed, self.pushed, self.released):
            instants[worker, first:end] = now

    def timeline(self) -> Timeline:
        """The record of the run, one row per worker and one column per shard again."""
        phases = {
            name: np.repeat(getattr(self, name), self._worker_counts, axis=0)
            for name in ("start", "pulled", "computed", "pushed", "released")
        }
        return Timeline(
            **phases,
            ingress=np.repeat(self._ingress.ingress_times(), self._shard_counts, axis=1),
            staleness=dict(sorted(self.staleness.items())),
            warmup=self._warmup,
            backup_workers=self._backup_workers,
            applied_share=self._applied / self._planned if self._pushes else 1.0,
        )


def _forget(*_: Any, **__: Any) -> None:
    """Spans are kept only on request."""
