"""The work that each resource must do for one iteration of all workers: the bottleneck law's demands."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from psmodel.analytic.input_arrays import Array, Inputs
from psmodel.scenario import Scenario

Phase = Literal["push", "pull", "compute"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Work of one resource in one phase: seconds, shape (rows,)."""

    resource: str
    phase: Phase
    formula: str
    time: Callable[[Inputs], Array]


def shared_cores(scenario: Scenario) -> float:
    """Cores that all processes share; inf where they do not."""
    if scenario.placement == "single-host":
        return scenario.total_cores or scenario.cores_per_host or math.inf
    return scenario.total_cores or math.inf


def _per_host(i: Inputs, seconds: Array) -> Array:
    """Seconds of all shards' threads on one host ÷ its cores, at the host of the largest shards."""
    scenario = i.scenario
    if scenario.cores_per_host is None or scenario.placement == "single-host":
        return np.zeros_like(i.workers)
    shards = np.minimum(scenario.shards_per_host, i.shards) if scenario.placement == "dedicated" else 1.0
    return i.workers * i.of_largest(seconds) * shards / scenario.cores_per_host


def _push_cores(i: Inputs) -> Array:
    all_hosts = i.workers * (i.send_all + i.of_all(i.receive_push + i.apply)) / shared_cores(i.scenario)
    return np.maximum(all_hosts, _per_host(i, i.receive_push + i.apply))


def _pull_cores(i: Inputs) -> Array:
    all_hosts = i.workers * (i.request_all + i.of_all(i.reply + i.receive)) / shared_cores(i.scenario)
    return np.maximum(all_hosts, _per_host(i, i.reply))


def _compute_cores(i: Inputs) -> Array:
    computing = i.assemble + (0.0 if i.scenario.compute_on == "accelerator" else i.compute)
    cores, here = i.scenario.cores_per_host, i.on_host
    one_host = (
        here * computing / cores if cores is not None and i.scenario.placement != "single-host" else 0.0
    )
    return np.asarray(np.maximum(i.workers * computing / shared_cores(i.scenario), one_host))


def _memory(i: Inputs, of_all: Array, at_shard: Array | float, at_worker: Array | float = 0.0) -> Array:
    """Seconds of the memory channels of the machine that all share, or else of the busiest host."""
    if i.scenario.placement == "single-host" or i.scenario.total_cores is not None:
        return i.workers * of_all
    shards = np.minimum(i.scenario.shards_per_host, i.shards) if i.scenario.placement == "dedicated" else 1.0
    return np.maximum(i.workers * shards * at_shard, i.on_host * at_worker)


def _push_memory(i: Inputs) -> Array:
    send, apply = i.push_memory
    return _memory(i, i.of_all(send + apply), i.of_largest(apply), i.of_all(send))


def _pull_memory(i: Inputs) -> Array:
    return _memory(i, i.of_all(i.reply_memory), i.of_largest(i.reply_memory))


def _compute_memory(i: Inputs) -> Array:
    return _memory(i, i.assemble_memory, 0.0, i.assemble_memory)


# One row per resource and phase (Denning & Buzen 1978, eq. for D_max).
RULES = (
    Rule(
        resource="shard ingress",
        phase="push",
        formula="N·M/(K·B)",
        time=lambda i: i.remote_workers * i.into_host / i.shard_down,
    ),
    Rule(
        resource="worker egress",
        phase="push",
        formula="M/B",
        time=lambda i: i.on_host * i.pushed_bytes / i.worker_up,
    ),
    Rule(resource="worker CPU", phase="push", formula="Σ send", time=lambda i: i.send_all),
    Rule(
        resource="shard CPU",
        phase="push",
        formula="N·apply",
        time=lambda i: i.workers * i.of_largest(i.apply),
    ),
    Rule(
        resource="host cores",
        phase="push",
        formula="N·(Σ send + Σ receive + Σ apply)/cores",
        time=_push_cores,
    ),
    Rule(resource="memory channels", phase="push", formula="N·Σ copied/C", time=_push_memory),
    Rule(resource="latency", phase="push", formula="2·delay + call latency", time=lambda i: i.latency),
    Rule(
        resource="shard egress",
        phase="pull",
        formula="N·M/(K·B)",
        time=lambda i: i.remote_workers * i.out_of_host / i.shard_up,
    ),
    Rule(
        resource="worker ingress",
        phase="pull",
        formula="M/B",
        time=lambda i: i.on_host * i.pulled / i.worker_down,
    ),
    Rule(resource="worker CPU", phase="pull", formula="K·request", time=lambda i: i.request_all),
    Rule(
        resource="shard CPU",
        phase="pull",
        formula="N·reply",
        time=lambda i: i.workers * i.of_largest(i.reply),
    ),
    Rule(
        resource="host cores",
        phase="pull",
        formula="N·(K·request + Σ reply + Σ receive)/cores",
        time=_pull_cores,
    ),
    Rule(resource="memory channels", phase="pull", formula="N·Σ copied/C", time=_pull_memory),
    Rule(resource="latency", phase="pull", formula="2·delay + call latency", time=lambda i: i.latency),
    Rule(resource="rack links", phase="push", formula="bytes between racks/B", time=lambda i: i.rack_push),
    Rule(resource="rack links", phase="pull", formula="bytes between racks/B", time=lambda i: i.rack_pull),
    Rule(
        resource="worker CPU",
        phase="compute",
        formula="compute + assemble",
        time=lambda i: i.compute + i.assemble,
    ),
    Rule(
        resource="host cores",
        phase="compute",
        formula="N·(compute + assemble)/cores",
        time=_compute_cores,
    ),
    Rule(resource="memory channels", phase="compute", formula="N·copied/C", time=_compute_memory),
)


def rules_of(scenario: Scenario) -> tuple[Rule, ...]:
    """The rules of the phases that the scenario has."""
    absent = {phase for phase in ("pull", "push") if getattr(scenario, phase) == "none"}
    return tuple(rule for rule in RULES if rule.phase not in absent)


def work(i: Inputs) -> dict[str, Array]:
    """Resource → seconds of its work in one iteration of all workers, all phases added; shape (rows,).

    Latency is left out: nobody is busy in it, so that it limits nothing that could be bought.
    """
    totals: dict[str, Array] = {}
    for rule in rules_of(i.scenario):
        if rule.resource != "latency":
            totals[rule.resource] = totals.get(rule.resource, 0.0) + rule.time(i)
    return totals


def work_of_phase(i: Inputs, phase: Phase, resources: tuple[str, ...] | None = None) -> Array:
    """The most that any of `resources` (all but latency, if None) has to do in a phase; s, shape (rows,)."""
    times = [
        rule.time(i)
        for rule in rules_of(i.scenario)
        if rule.phase == phase
        and rule.resource != "latency"
        and (not resources or rule.resource in resources)
    ]
    return np.asarray(np.maximum.reduce([np.zeros_like(i.workers), *times]))
