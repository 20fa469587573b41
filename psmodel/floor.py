"""What no simulation of a scenario is to go below: the bounds by which `psmodel.plans` rules configurations out.

Bulk-synchronous workers start their pulls together, so nobody has all parameters before the crowd's pull time P
is over (links are shared fairly), and the iteration ends no sooner than

* the slowest worker, having computed, has pushed alone: P + max c + q, nor than
* the crowd has pushed from when the first could begin: P + min c + Q,

averaged over the iterations with the very compute times that are drawn from the scenario's seed. With equal
compute times that is the iteration's closed form. Workers out of step have only the asymptotic bounds (Lazowska
et al. 1984, "Quantitative system performance", section 5.2): a cycle without any waiting, and the work of the
busiest resource, less what an end effect of half an iteration can hide.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from psmodel import draws
from psmodel.analytic import Inputs, bounds, inputs, phase_times, resource_times
from psmodel.calibration import IDEAL, Calibration
from psmodel.results import Array, Bound
from psmodel.scenario import Scenario
from psmodel.units import format_time

CALLS_SLACK, COLOCATED_SLACK = 0.15, 0.3
"""Taken off where calls and copies, or bytes that stay on a host, let phases overlap more than the closed forms
say; chosen above the most seen in 1480 random scenarios (0.10 and 0.23), tested on others."""

_ITERATIONS = 200
"""So many iterations' compute times stand for those of the steady state."""


@dataclass(frozen=True, kw_only=True)
class Floor:
    """Metric → the best value it can have (of ``updates_per_s`` the most), and which bounds say so."""

    best: Mapping[str, float]
    reason: str


def floor(scenario: Scenario, calibration: Calibration) -> Floor:
    """The bounds of one scenario."""
    if scenario.is_steady:
        scenario = scenario.replace(iterations=_ITERATIONS)
    if scenario.update_cost.is_random:
        scenario = scenario.replace(update_cost=0.0)  # what is drawn may be next to nothing
    i = inputs(scenario, calibration)
    time = _iteration(scenario, i, calibration)
    calls = calibration != IDEAL or scenario.message_overhead or scenario.update_cost.expected()
    if scenario.placement == "colocated":
        time *= 1 - COLOCATED_SLACK
    elif calls:
        time *= 1 - CALLS_SLACK
    best = {"iteration_time_s": time}
    if scenario.mode == "bsp":
        if time > 0:
            best["updates_per_s"] = float(i.workers) / time
        if scenario.push in ("blocking", "sequential") and not scenario.layers:
            best["ingress_time_s"] = float(i.remote_workers * i.into_host / i.shard_down)
    return Floor(best=best, reason=_reason(bounds(scenario, calibration)))


def _iteration(scenario: Scenario, i: Inputs, calibration: Calibration) -> float:
    compute = draws.compute_times(scenario)[:, scenario.warmup or 0 :] + i.assemble
    if scenario.prefetch or scenario.layers or scenario.backup_workers:
        return _overlapped(scenario, i, compute)
    alone = _phases(scenario, i, "asp")
    if scenario.mode == "bsp" and scenario.push != "fire-and-forget":
        pull, push = (_crowd(scenario, i, calibration, phase) for phase in ("pull", "push"))
        slowest, fastest = compute.max(axis=0), compute.min(axis=0)
        if scenario.racks or scenario.placement == "colocated" or calibration.head_start > 0:
            # Some workers may have their parameters long before the crowd has.
            late = np.maximum(alone["pull"] + slowest + alone["push"], pull + fastest + alone["push"])
            late = np.maximum(late, alone["pull"] + fastest + push)
        else:
            late = pull + np.maximum(slowest + alone["push"], fastest + push)
        return float(late.mean() + i.call_latency)
    cycle = float(alone["pull"] + compute.mean() + alone["push"])
    if scenario.push == "fire-and-forget":
        return cycle  # a run may end before its pushes have
    return max(cycle, _busiest(scenario, i))


def _overlapped(scenario: Scenario, i: Inputs, compute: Array) -> float:
    """Of phases that overlap only the computing and the busiest resource's work are sure."""
    if scenario.mode == "bsp":
        last = scenario.quorum - 1
        computed = float(np.partition(compute, last, axis=0)[last].mean())
    else:
        computed = float(compute.mean())
    return computed if scenario.push == "fire-and-forget" else max(computed, _busiest(scenario, i))


def _busiest(scenario: Scenario, i: Inputs) -> float:
    pull = "none" if scenario.prefetch else scenario.pull  # the first one may have been during the warm-up
    shared = {name: work for name, work in resource_times(i, pull=pull, push=scenario.push).items()
              if name != "worker CPU"}  # fmt: skip
    busiest = max((float(work) for work in shared.values()), default=0.0)
    return busiest * (1 - 0.5 / (scenario.iterations or _ITERATIONS))


def _crowd(scenario: Scenario, i: Inputs, calibration: Calibration, phase: str) -> float:
    """Time of a phase that all workers start together."""
    if getattr(scenario, phase) in ("parallel", "blocking"):
        return _phases(scenario, i, "bsp")[phase]
    # One shard after the other: who is done with the first shard leaves it to others, so that phases overlap.
    return max((b.time_s for b in bounds(scenario, calibration) if b.phase == phase), default=0.0)


def _phases(scenario: Scenario, i: Inputs, mode: str) -> dict[str, float]:
    times = phase_times(i, mode=mode, pull=scenario.pull, push=scenario.push)
    return {name: float(time) for name, time in times.items()}


def _reason(found: tuple[Bound, ...]) -> str:
    said = []
    for phase in dict.fromkeys(b.phase for b in found):
        most = max(b.time_s for b in found if b.phase == phase)
        binding = [b for b in found if b.phase == phase and b.time_s >= most * (1 - 1e-9)]
        if most > 0:
            named = " and ".join(f"{b.resource}, {b.formula}" for b in binding)
            said.append(f"{phase} at least {format_time(most)} ({named})")
    return "; ".join(said)
