"""Proved lower bounds of the mean iteration time, and the best that other metrics can be.

A bound holds for the mean over workers and iterations, in expectation where chance enters. It rests on nothing but

* work: whatever crosses a link or is done by a thread in one iteration of all workers takes at least its bytes or
  seconds over the capacity. In step that is done between two barriers; in the long run as much is done as asked for;
* a worker alone: it cannot go on before its own bytes have crossed its own link and it has computed;
* their order: in step a resource has nothing to push before somebody has pulled and computed, and whoever has pulled
  last still has to compute and push.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from psmodel.analytic.input_arrays import Array, Inputs
from psmodel.analytic.phases import endless
from psmodel.analytic.resources import rules_of
from psmodel.results import Bound
from psmodel.units import format_time

if TYPE_CHECKING:
    from psmodel.analytic.closed_form import ClosedForm

_WAITED_FOR = ("blocking", "sequential")


@dataclass(frozen=True, kw_only=True)
class Floor:
    """Metric → the best value it can have (of ``updates_per_s`` the most), and which bounds say so."""

    best: dict[str, float]
    reason: str


def bounds(i: Inputs) -> tuple[Bound, ...]:
    """Each resource's work in each phase where it bounds the mean iteration time, in seconds.

    None for workers out of step in a run of a few iterations: there what one worker is late another is early.
    """
    scenario = i.scenario
    stretched = scenario.stragglers is not None and scenario.iterations is not None
    answer = []
    for rule in rules_of(scenario):
        if not _bounds_iteration(i, rule.phase, rule.resource):
            continue
        seconds = float(rule.time(i)[0]) * _unequal(i, rule.resource)
        if rule.phase == "compute" and rule.resource == "worker CPU" and stretched:
            assert scenario.stragglers is not None
            # A run may be too short for its stragglers' long-run mean.
            seconds = float((i.compute / scenario.stragglers.stretch + i.assemble)[0])
        answer.append(Bound(resource=rule.resource, phase=rule.phase, time_s=seconds, formula=rule.formula))
    return tuple(answer)


def _unequal(i: Inputs, resource: str) -> float:
    """What is left of a bound where workers out of step exchange different amounts with other hosts.

    With bₙ bytes of worker n per iteration and a mean iteration Tₙ, Σ bₙ/Tₙ ≤ C, so that the mean of Tₙ is at least
    (Σ √bₙ)²/(N·C) (Cauchy–Schwarz): of a shard's host, to which one worker is at home, (N − 1)²·b/(N·C).
    """
    if i.scenario.mode == "bsp":
        return 1.0
    if i.scenario.workers_per_host > 1 and resource in ("worker ingress", "worker egress"):
        # Of hosts with fewer workers each has more of the link: the mean over all workers.
        each = i.scenario.workers_per_host
        rest = i.scenario.workers % each
        full = i.scenario.workers // each
        return (full * each**2 + rest**2) / i.scenario.workers / float(i.on_host[0])
    if i.scenario.placement != "colocated":
        return 1.0
    if resource in ("shard ingress", "shard egress"):
        return float((i.remote_workers / i.workers)[0])
    if resource in ("worker ingress", "worker egress"):
        most = max(float(i.pulled[0]), 1.0)
        return min(1.0, float(_remote(i, i.sizes)[0]) / most)
    return 1.0


def _bounds_iteration(i: Inputs, phase: str, resource: str) -> bool:
    scenario = i.scenario
    if resource == "latency" and scenario.placement == "colocated":
        return False  # of a shard on the worker's own host the reply takes none
    if phase == "compute":
        return resource == "worker CPU" or _all_work_counts(i)
    if phase == "pull":
        if scenario.prefetch and scenario.iterations is not None:
            return False  # the first one may have been during the warm-up
        own = resource in ("worker ingress", "latency", "worker CPU") and not scenario.prefetch
        return own or _all_work_counts(i)
    if scenario.push == "fire-and-forget":
        if resource == "worker CPU":
            return True
        return scenario.iterations is None and resource != "latency" and not endless(i)
    return resource in ("worker egress", "latency", "worker CPU") or _all_work_counts(i)


def _all_work_counts(i: Inputs) -> bool:
    """Whether all workers' work of an iteration is done in the time of one."""
    scenario = i.scenario
    return scenario.iterations is None or scenario.mode == "bsp"


def floor(closed: "ClosedForm") -> Floor:
    """The best value of each metric of which there is a proof."""
    scenario, i = closed.scenario, closed.inputs
    reason = _reason(closed.bounds)
    if closed.exact:
        metrics = closed.prediction.metrics
        best = {
            name: value
            for name in ("iteration_time_s", "updates_per_s", "ingress_time_s", "pull_time_s", "push_time_s")
            if (value := getattr(metrics, name)) is not None
        }
        return Floor(best=best, reason=reason)
    time = _iteration(closed)
    best = {"iteration_time_s": time}
    if scenario.mode == "bsp" and time > 0:
        best["updates_per_s"] = float(i.workers[0]) / time
    if scenario.mode == "bsp" and scenario.push in _WAITED_FOR and not scenario.layers:
        best["ingress_time_s"] = float((i.remote_workers * i.into_host / i.shard_down)[0])
    return Floor(best=best, reason=reason)


def _iteration(closed: "ClosedForm") -> float:
    scenario, i = closed.scenario, closed.inputs
    totals: dict[str, float] = {}
    for bound in closed.bounds:
        if bound.resource != "latency" and not (bound.resource == "worker CPU" and bound.phase == "compute"):
            totals[bound.resource] = totals.get(bound.resource, 0.0) + bound.time_s
    computing = i.compute
    if scenario.stragglers is not None and scenario.iterations is not None:
        computing = computing / scenario.stragglers.stretch
    # Of workers and shards on the same hosts one may have little to exchange with others: its own times are `least`.
    pull, push = _own_pull(i, least=True), _own_push(i, least=True)
    shares = [layer.compute_share for layer in i.layers]
    before = 1.0 if len(shares) == 1 else 1 - sum(shares[1:])
    mean = (
        _own_pull(i, least=bool(scenario.backup_workers)),
        _own_push(i, least=bool(scenario.backup_workers)),
    )
    cycle = float((mean[0] + i.assemble + computing + mean[1])[0])
    lower = [cycle, *totals.values()]
    if scenario.mode == "bsp":
        slowest = i.slowest
        if scenario.stragglers is not None:
            slowest = slowest / scenario.stragglers.stretch  # episodes only add to what is computed
        lower.append(float((pull + i.assemble + slowest + push)[0]))
        first = _fastest(i)
        for bound in closed.bounds:
            if bound.resource in ("worker CPU", "latency"):
                continue
            if bound.phase == "push" and scenario.push in _WAITED_FOR and not scenario.backup_workers:
                # Nobody pushes before the first worker has pulled and computed.
                lower.append(bound.time_s + float((pull + first * before)[0]))
            if bound.phase == "pull" and not scenario.prefetch and not scenario.backup_workers:
                # Whoever has its parameters last has still to compute and push.
                lower.append(bound.time_s + float((first + push)[0]))
    return max(lower)


def _fastest(i: Inputs) -> Array:
    """A lower bound of the expected time in which the first worker computes."""
    time = i.scenario.compute
    factors = i.scenario.compute_factors
    if not time.is_random:
        return np.full_like(i.workers, time.expected() * (min(factors) if factors else 1.0))
    least = time.expected_order_statistic(1, i.scenario.workers)
    return np.full_like(i.workers, least * (min(factors) if factors else 1.0))


def _own_pull(i: Inputs, *, least: bool) -> Array:
    """Time of one worker's pull, if nobody else were there, that delays its computing: mean or least of all, s."""
    scenario = i.scenario
    if scenario.pull == "none" or scenario.prefetch:
        return np.zeros_like(i.workers)
    link = _remote(i, i.sizes, least=least) / i.worker_down
    latency = _latency(i) * (i.shards if scenario.pull == "sequential" else 1.0)
    return np.asarray(latency + np.maximum(link, i.request_all))


def _own_push(i: Inputs, *, least: bool) -> Array:
    """Time of one worker's push after its computing, if nobody else were there: mean or least of all, s."""
    scenario = i.scenario
    last = i.layers[-1]
    if scenario.push == "none":
        return np.zeros_like(i.workers)
    if scenario.push == "fire-and-forget":
        return i.of_all(last.send)
    link = _remote(i, last.pushed, least=least) / i.worker_up
    latency = _latency(i) * (i.shards if scenario.push == "sequential" else 1.0)
    return np.asarray(latency + np.maximum(link, i.of_all(last.send)) + i.of_largest(last.apply))


def _latency(i: Inputs) -> Array:
    """Of a call and its reply; what stays on one host has no way to go."""
    return np.asarray(i.delay + i.call_latency if i.scenario.placement == "colocated" else i.latency)


def _remote(i: Inputs, sizes: Array, *, least: bool = False) -> Array:
    """Bytes that a worker exchanges across links: the mean over all workers, or the least of them."""
    total = i.of_all(sizes)
    if i.scenario.placement != "colocated":
        return total
    if least:
        return np.asarray(total - sizes.max(axis=0))
    at_home = sum(i.scenario.shard_sizes[: i.scenario.workers]) / sum(i.scenario.shard_sizes)
    return np.asarray(total * (1 - at_home / i.scenario.workers))


def _reason(bounds: tuple[Bound, ...]) -> str:
    phrases = []
    for phase in dict.fromkeys(b.phase for b in bounds):
        most = max(b.time_s for b in bounds if b.phase == phase)
        binding = [b for b in bounds if b.phase == phase and b.time_s >= most * (1 - 1e-9)]
        if most > 0:
            resources = " and ".join(f"{b.resource}, {b.formula}" for b in binding)
            phrases.append(f"{phase} at least {format_time(most)} ({resources})")
    return "; ".join(phrases)
