"""Collect a simulation's result: metrics, utilisation and notes of the run, or of the part that was kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from psmodel.backlog import note
from psmodel.network.fluid import tolerance_note
from psmodel.results import Prediction, SteadyState, Timeline, ingress_per_shard, metrics
from psmodel.simulation.usage import Reading, mean_queue, utilisation
from psmodel.trace import Span

if TYPE_CHECKING:
    from psmodel.simulation.engine import Run


@dataclass(frozen=True, kw_only=True)
class SimulationResult:
    """A prediction and the run it comes from.

    Attributes
    ----------
    spans
        What happened when, if a trace was asked for.
    elapsed_s
        Simulated seconds until the last update was applied.
    most_waiting_bytes
        Largest memory that updates waiting at one shard took.
    alike
        Row of the spans → the first and the number of those to which the very same happens, where it is more than one.
    """

    prediction: Prediction
    timeline: Timeline
    spans: tuple[Span, ...]
    elapsed_s: float
    most_waiting_bytes: float
    alike: Mapping[str, tuple[int, int]]


def gather(
    run: "Run",
    reading: Reading,
    *,
    since: Reading | None = None,
    steady: SteadyState | None = None,
    notes: tuple[str, ...] = (),
) -> SimulationResult:
    """All of the run, or what it has kept since a reading."""
    scenario = run.scenario
    timeline = run.monitor.timeline(None if steady is None else steady.iterations)
    iteration_times = (timeline.released - timeline.start)[:, timeline.warmup :].mean(axis=1)
    measured = metrics(timeline)
    if run.tolerance > 0:
        notes = (*notes, tolerance_note(run.tolerance))
    backlog = note(scenario, run.demands, iteration_times)
    if backlog is not None:
        notes = (backlog, *notes)
    if steady is not None and any(failure.at is not None for failure in scenario.failures):
        notes = (*notes, "A failure at a given instant does not last: the steady state is without it.")
    if steady is not None and measured.updates_per_s is not None and not scenario.backup_workers:
        # In the steady state as many are applied as are made, unless they pile up.
        elapsed = reading.time_s - (since.time_s if since else 0.0)
        rate = float((1 / iteration_times).sum()) if backlog is None else run.monitor.updates / elapsed
        measured = replace(measured, updates_per_s=rate)
    classes, hosts = utilisation(since, reading)
    pulled = scenario.workers * scenario.total_bytes
    pushed = scenario.workers * sum(scenario.pushed_sizes)
    prediction = Prediction(
        scenario=scenario.name,
        method="simulate",
        metrics=measured,
        bottleneck=max(classes, key=classes.__getitem__),
        bounds=(),
        ingress_time_per_shard_s=tuple(np.nan_to_num(ingress_per_shard(timeline)).tolist())
        if scenario.push != "none"
        else (),
        utilisation=classes | hosts,
        queue_length={
            "shard mean": mean_queue(since, reading),
            "shard most": float(max(s.longest_queue for s in run.shards)),
        },
        bytes_per_iteration={
            "push": float(pushed) if scenario.push != "none" else 0.0,
            "pull": float(pulled) if scenario.pull != "none" else 0.0,
        },
        notes=notes,
        steady=steady,
    )
    return SimulationResult(
        prediction=prediction,
        timeline=timeline,
        spans=tuple(run.monitor.spans),
        elapsed_s=reading.time_s,
        most_waiting_bytes=max(s.most_waiting_bytes for s in run.shards),
        alike=run.alike(),
    )
