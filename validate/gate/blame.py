"""Which host a phase waits for, from when each worker ended it and when each shard had all of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from psmodel import analytic
from psmodel.scenario import Scenario
from validate.measurements.measurement import Measurement

STANDS_OUT = 1.05
"""An actor stands out if it takes so much longer than the others in the middle do."""
_DIRECTION = {
    ("pull_time_s", "worker"): "ingress",
    ("compute_time_s", "worker"): "CPU",
    ("push_time_s", "worker"): "egress",
    ("ingress_time_s", "worker"): "egress",
    ("iteration_time_s", "worker"): "iterations",
    ("push_time_s", "shard"): "ingress",
    ("ingress_time_s", "shard"): "ingress",
}
_EDGES = {
    "pull_time_s": ("start", "pulled"),
    "compute_time_s": ("pulled", "computed"),
    "push_time_s": ("computed", "pushed"),
    "ingress_time_s": ("computed", "pushed"),
    "iteration_time_s": ("start", "released"),
}


@dataclass(frozen=True, kw_only=True)
class _Suspect:
    role: str
    index: int
    ratio: float


def cause(runs: Sequence[Measurement], metric: str) -> str:
    """What a slow phase waits for, in words: one host's link or CPU, or the model's bottleneck where all are alike."""
    if metric == "recovery_time_s":
        return "starting a dead process anew"
    scenario = runs[-1].scenario
    suspects = [
        s for s in (_slowest_worker(runs, metric), _slowest_shard(runs, metric)) if s and s.ratio > STANDS_OUT
    ]
    if not suspects:
        return f"{bound_by(scenario, metric)}, and no host stands out"
    worst = max(suspects, key=lambda s: s.ratio)
    # Where workers take turns with the shards, a slow worker makes all shards late alike, a slow shard all workers.
    return f"{_DIRECTION[metric, worst.role]} of {host(runs[-1], worst.role, worst.index)}"


def bound_by(scenario: Scenario, metric: str) -> str:
    """The resource that has the most work in the metric's phase, by the model."""
    phase = {"ingress_time_s": "push"}.get(metric, metric.removesuffix("_time_s"))
    busiest = analytic.ClosedForm(scenario=scenario).busiest
    if phase in busiest:
        return busiest[phase].resource
    return "shard ingress" if phase == "push" else f"the whole {phase}"


def host(run: Measurement, role: str, index: int) -> str:
    """The host that an actor of a run was on."""
    name = f"{role} {index}"
    host_of = dict(run.hosts)
    return f"host {host_of[name]}" if name in host_of else f"the host of {name}"


def _slowest_worker(runs: Sequence[Measurement], metric: str) -> _Suspect | None:
    begin, end = _EDGES[metric]
    times = [
        (getattr(run.instants, end) - getattr(run.instants, begin))[:, run.scenario.warmup or 0 :]
        for run in runs
    ]
    return _slowest("worker", np.concatenate(times, axis=1))


def _slowest_shard(runs: Sequence[Measurement], metric: str) -> _Suspect | None:
    if (metric, "shard") not in _DIRECTION:
        return None
    sizes = runs[-1].scenario.shard_elements
    used = [k for k, elements in enumerate(sizes) if elements > 0]
    if len({sizes[k] for k in used}) > 1:
        return None  # the larger shard is the later one
    times = [run.timeline.ingress[run.scenario.warmup or 0 :].T for run in runs]
    slowest = _slowest("shard", np.concatenate(times, axis=1)[used])
    return None if slowest is None else _Suspect(role="shard", index=used[slowest.index], ratio=slowest.ratio)


def _slowest(role: str, times: NDArray[np.float64]) -> _Suspect | None:
    """The row whose median is the largest, as a multiple of the median of the other rows' medians."""
    if len(times) < 2:
        return None
    medians = np.nanmedian(times, axis=1)
    index = int(np.argmax(medians))
    others = float(np.median(np.delete(medians, index)))
    return _Suspect(role=role, index=index, ratio=float(medians[index]) / others) if others > 0 else None
