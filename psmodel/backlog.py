"""Warn where fire-and-forget pushes come faster than they can be applied, so that the backlog grows without end."""

import math

import numpy as np

from psmodel.results import Array
from psmodel.scenario import Scenario
from psmodel.service_demands import Demands

_CLEARLY = 1 + 1e-6


def note(scenario: Scenario, demands: Demands, iteration_times: Array) -> str | None:
    """A sentence if the backlog grows without end; `iteration_times` (s) are the workers' means, shape (N,).

    A queue whose customers arrive faster than they can be served has no steady state (any textbook: Kleinrock 1975,
    section 3.1). A pull goes behind the worker's own pushes, and so does a push that has to wait for earlier ones:
    with either a worker slows down instead.
    """
    if scenario.push != "fire-and-forget" or scenario.pull != "none" or scenario.max_in_flight_pushes:
        return None
    if not (iteration_times > 0).all():
        return None
    rates = 1 / iteration_times
    busiest, load = max(_loads(scenario, demands, rates).items(), key=lambda item: item[1])
    if load <= _CLEARLY:
        return None
    rate = float(rates.sum())
    return (
        f"Pushes that nobody waits for are made faster ({rate:.4g} per second) than {busiest} can cope with "
        f"({rate / load:.4g} per second): what waits grows without end, in time and memory. "
        "max_in_flight_pushes bounds it."
    )


def _loads(scenario: Scenario, demands: Demands, rates: Array) -> dict[str, float]:
    """Work (s per s) that pushes at these `rates` (per worker and second) bring to each kind of resource."""
    sizes = np.array([push.sizes for push in demands.pushes], dtype=np.float64).sum(axis=0)
    apply = np.array([push.apply for push in demands.pushes]).sum(axis=0)
    apply = np.where(sizes > 0, apply + scenario.update_cost.expected(), 0.0)
    everyone = float(rates.sum())
    loads = {"shard CPU": everyone * float(apply.max())}
    if scenario.placement == "dedicated":
        share = scenario.link_shares.get
        step = scenario.shards_per_host
        into = max(
            float(sizes[first : first + step].sum()) / share(f"shard-{host}.down", 1.0)
            for host, first in enumerate(range(0, len(sizes), step))
        )
        step = scenario.workers_per_host
        out = max(
            float(rates[first : first + step].sum()) / share(f"worker-{host}.up", 1.0)
            for host, first in enumerate(range(0, len(rates), step))
        )
        loads["shard ingress"] = everyone * into / demands.shard_down
        loads["worker egress"] = out * float(sizes.sum()) / demands.worker_up
    cores = scenario.total_cores or (scenario.placement == "single-host" and scenario.cores_per_host)
    if cores:
        work = math.fsum(
            push.compress + math.fsum(push.send) + math.fsum(push.receive) for push in demands.pushes
        )
        if scenario.compute_on != "accelerator":
            work += scenario.compute.expected()
        loads["host cores"] = everyone * (work + float(apply.sum())) / cores
    if scenario.total_cores is not None or scenario.placement == "single-host":
        copied = math.fsum(math.fsum(p.send_memory) + math.fsum(p.apply_memory) for p in demands.pushes)
        loads["memory channels"] = everyone * (copied + demands.assemble_memory)
    return loads
