"""What a prediction and a measurement say, in the words, units and definitions of docs/reference/glossary.md.

Updates per second needs one sentence more than the glossary has. What the warm-up left waiting and is applied within
the window's first iteration time counts by the part of it that has passed, and whole if later. Where pushes are waited
for that is the sum over workers of 1/mean iteration time; where they are not, who only submits them faster gains
nothing. With backup workers it is the updates that an iteration takes over its mean time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = 1
Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Method = Literal["analytic", "mva", "simulate"]
Claim = Literal["exact", "lower bound", "estimate"]
"""What a predictor says of a metric: equal to the simulation, never above it, or near it."""


class IngressClock:
    """Watches updates arrive and gives each shard's ingress time, by the glossary's definition.

    Parameters
    ----------
    iterations, shards
        Shape of the result.
    in_step
        True in bulk-synchronous mode, where all workers' pushes are one round.
    complete
        Arrivals at a shard from which a round counts.
    """

    def __init__(self, *, iterations: int, shards: int, in_step: bool, complete: int = 1) -> None:
        self._in_step = in_step
        self._complete = complete
        self._first_start = np.full((iterations, 1), np.inf)
        self._last_arrival = np.full((iterations, shards), -np.inf)
        self._delay_sum = np.zeros((iterations, shards))
        self._count = np.zeros((iterations, shards))

    def arrived(self, *, iteration: int, shard: int, push_start: float, time: float) -> None:
        """One update (of the push that began at `push_start`) has arrived at a shard at `time`."""
        self._first_start[iteration, 0] = min(self._first_start[iteration, 0], push_start)
        self._last_arrival[iteration, shard] = max(self._last_arrival[iteration, shard], time)
        self._delay_sum[iteration, shard] += time - push_start
        self._count[iteration, shard] += 1

    def many_arrived(self, *, iteration: Integers, shard: Integers, push_start: Array, time: Array) -> None:
        """Many times `arrived`, in the order of time; one number each."""
        np.minimum.at(self._first_start[:, 0], iteration, push_start)
        np.maximum.at(self._last_arrival, (iteration, shard), time)
        np.add.at(self._delay_sum, (iteration, shard), time - push_start)
        np.add.at(self._count, (iteration, shard), 1.0)

    def reserve(self, iterations: int) -> None:
        """Make room for so many rounds."""
        for name, empty in (
            ("_first_start", np.inf),
            ("_last_arrival", -np.inf),
            ("_delay_sum", 0.0),
            ("_count", 0.0),
        ):
            array = getattr(self, name)
            if (more := iterations - len(array)) > 0:
                setattr(self, name, np.concatenate([array, np.full((more, array.shape[1]), empty)]))

    def ingress_times(self) -> Array:
        """Ingress time of each round at each shard, shape (iterations, shards), NaN where it is not complete."""
        with np.errstate(invalid="ignore", divide="ignore"):
            times = self._last_arrival - self._first_start if self._in_step else self._delay_sum / self._count
        return np.where(self._count >= self._complete, times, np.nan)


@dataclass(frozen=True, kw_only=True)
class Outage:
    """A worker or shard that died, and was started anew.

    Attributes
    ----------
    process
        As in a trace: ``shard-0``, ``worker-3``.
    died_s, back_s
        When it died, and took calls again.
    updates_lost
        Updates that it had applied and does not have any more.
    """

    process: str
    died_s: float
    back_s: float
    updates_lost: int = 0


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """When every worker passed from phase to phase: the record from which both sides' metrics are computed.

    Attributes
    ----------
    start, pulled, computed, pushed, released
        Instants (s) at which an iteration starts, the parameters are there, the update is computed, the push
        step lets the worker go on, and the iteration ends; shape (workers, iterations), warm-up included.
    applied
        Instants (s) at which the last shard has applied the iteration's update, NaN if none has; the same shape.
    ingress
        Ingress times (s), shape (iterations, shards).
    staleness
        Number of updates (of measured iterations) by their staleness.
    warmup
        How many of the first iterations are warm-up.
    applied_share
        Share of the updates planned that were applied: less than 1 if workers come late that nobody waits for.
    backup_workers
        How many workers an iteration does not wait for.
    outages
        Deaths of workers and shards, in their order.
    """

    start: Array
    pulled: Array
    computed: Array
    pushed: Array
    released: Array
    applied: Array
    ingress: Array
    staleness: Mapping[int, int]
    warmup: int
    applied_share: float = 1.0
    backup_workers: int = 0
    outages: tuple[Outage, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Predicted or measured, subtractable field by field; None where a method cannot tell.

    Times are means over the measured iterations and all workers unless named a percentile.
    """

    iteration_time_s: float
    pull_time_s: float
    compute_time_s: float
    push_time_s: float
    wait_time_s: float | None = None
    ingress_time_s: float | None = None
    """Of the shard where it is longest."""
    updates_per_s: float | None = None
    """Updates applied of all workers together, as the glossary says; None if nothing is pushed."""
    iteration_time_p50_s: float | None = None
    iteration_time_p95_s: float | None = None
    iteration_time_p99_s: float | None = None
    staleness_mean: float | None = None
    staleness_p95: float | None = None
    recovery_time_s: float | None = None
    """Of one death; None if nobody died."""
    updates_lost: float | None = None
    """Of one death of a shard; None if none died."""

    def to_json(self) -> dict[str, float | None]:
        """Name → value."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def _weighted_percentile(counts: Mapping[int, int], q: float) -> float:
    values = sorted(counts)
    cumulative = np.cumsum([counts[v] for v in values])
    return float(values[int(np.searchsorted(cumulative, q * cumulative[-1]))])


def ingress_per_shard(timeline: Timeline) -> Array:
    """Mean ingress time (s) of each shard over the measured iterations, shape (shards,)."""
    measured = timeline.ingress[timeline.warmup :]
    present = ~np.isnan(measured)
    counts = present.sum(axis=0)
    sums = np.where(present, measured, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _rounds(timeline: Timeline) -> Array:
    """Time (s) from the end of one iteration to that of the next, measured iterations only."""
    last = len(timeline.released) - timeline.backup_workers - 1
    ends = np.sort(timeline.released, axis=0)[last]
    edges = np.concatenate([[timeline.start.min()], ends])
    return np.diff(edges)[timeline.warmup :]


def _updates_per_s(timeline: Timeline) -> float | None:
    if np.isnan(timeline.applied).all():
        return None
    warmup, count = timeline.warmup, timeline.applied.shape[1] - timeline.warmup
    first, end = timeline.start[:, warmup, None], timeline.released[:, -1:]
    window = np.fmax(end, np.nanmax(timeline.applied, axis=1, keepdims=True)) - first
    iteration = (end - first) / count
    if not (window > 0).all():
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        remainder = np.clip((timeline.applied[:, :warmup] - first) / iteration, 0, 1)
    return float(((count + np.nansum(remainder, axis=1, keepdims=True)) / window).sum())


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def metrics(timeline: Timeline) -> Metrics:
    """The metrics of a run, simulated or real: one definition for both."""
    measured = slice(timeline.warmup, None)
    start, released = timeline.start[:, measured], timeline.released[:, measured]
    iteration = released - start
    skipped = (iteration <= 0) & (timeline.backup_workers > 0)
    took_part = ~skipped if not skipped.all() else skipped  # all of them: nothing takes any time here
    ingress = ingress_per_shard(timeline)
    total = sum(timeline.staleness.values())
    if timeline.backup_workers:
        rounds = _rounds(timeline)
        quorum = len(start) - timeline.backup_workers
        updates_per_s = float(quorum / rounds.mean()) if rounds.mean() > 0 else None
    else:
        rounds = iteration
        updates_per_s = _updates_per_s(timeline)
    p50, p95, p99 = (float(p) for p in np.percentile(rounds, [50, 95, 99]))

    def mean(before: Array, after: Array) -> float:
        return float((after - before)[:, measured].mean(where=took_part))

    return Metrics(
        iteration_time_s=float(rounds.mean()),
        pull_time_s=mean(timeline.start, timeline.pulled),
        compute_time_s=mean(timeline.pulled, timeline.computed),
        push_time_s=mean(timeline.computed, timeline.pushed),
        wait_time_s=mean(timeline.pushed, timeline.released),
        ingress_time_s=None if np.isnan(ingress).all() else float(np.nanmax(ingress)),
        updates_per_s=updates_per_s,
        iteration_time_p50_s=p50,
        iteration_time_p95_s=p95,
        iteration_time_p99_s=p99,
        staleness_mean=sum(s * n for s, n in timeline.staleness.items()) / total if total else None,
        staleness_p95=_weighted_percentile(timeline.staleness, 0.95) if total else None,
        recovery_time_s=_mean([outage.back_s - outage.died_s for outage in timeline.outages]),
        updates_lost=_mean([o.updates_lost for o in timeline.outages if o.process.startswith("shard")]),
    )


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A proved lower bound of the mean iteration time: what one resource has to do for it in one phase."""

    resource: str
    phase: Literal["push", "pull", "compute"]
    time_s: float
    formula: str


@dataclass(frozen=True, kw_only=True)
class SteadyState:
    """How a simulation came to the steady state that its metrics are of.

    Attributes
    ----------
    warmup_iterations
        First iterations of each worker that were deleted.
    iterations
        Iterations of each worker after them, over which the metrics are.
    half_width_s
        Of the 95 % confidence interval of the mean iteration time, s; None where too little is simulated to say.
    precision
        Relative half width that was asked for.
    reached
        Whether the simulation got there within its budget.
    period
        Iterations after which everything repeats, of a deterministic cycle; the metrics are then exact.
    """

    warmup_iterations: int
    iterations: int
    half_width_s: float | None
    precision: float
    reached: bool
    period: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Name → value."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a method says of a scenario.

    Attributes
    ----------
    bottleneck
        The resource whose time per iteration is largest.
    claims
        Metric → whether its value is exact (equals the simulation), a lower bound or an estimate; empty of a
        simulation, which is the reference.
    bounds
        Every proved lower bound of the mean iteration time; those of one resource add up over the phases.
    half_widths
        Metric name → half width of its 95 % confidence interval, where there is randomness.
    steady
        How the steady state was found; None of a finite run and of methods that do not simulate.
    """

    scenario: str
    method: Method
    metrics: Metrics
    bottleneck: str
    bounds: tuple[Bound, ...]
    ingress_time_per_shard_s: tuple[float, ...]
    claims: Mapping[str, Claim] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    utilisation: Mapping[str, float] = field(default_factory=dict)
    queue_length: Mapping[str, float] = field(default_factory=dict)
    bytes_per_iteration: Mapping[str, float] = field(default_factory=dict)
    half_widths: Mapping[str, float] = field(default_factory=dict)
    steady: SteadyState | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; the metrics lie at the top level."""
        return {
            "schema_version": SCHEMA_VERSION,
            "scenario": self.scenario,
            "method": self.method,
            **self.metrics.to_json(),
            "claims": dict(self.claims),
            "ingress_time_per_shard_s": list(self.ingress_time_per_shard_s),
            "bottleneck": self.bottleneck,
            "bounds": [
                {"resource": b.resource, "phase": b.phase, "time_s": b.time_s, "formula": b.formula}
                for b in self.bounds
            ],
            "utilisation": dict(self.utilisation),
            "queue_length": dict(self.queue_length),
            "bytes_per_iteration": dict(self.bytes_per_iteration),
            "half_widths": dict(self.half_widths),
            "steady_state": None if self.steady is None else self.steady.to_json(),
            "notes": list(self.notes),
        }
