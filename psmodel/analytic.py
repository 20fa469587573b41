r"""Closed forms: every lower bound of a phase, and the phase times of workers that run in step.

With N workers, K shards, M bytes and links of B bytes/s, a full push brings N·M/K bytes to each shard and takes
M bytes out of each worker, so that it cannot take less than

.. math:: \max\left(\frac{N M}{K B_{shard}}, \frac{M}{B_{worker}}\right).

With equal links the second term binds from K = N on: more shards than workers do not help a full push.

All formulas are written for NumPy arrays, one element per scenario, so that a sweep evaluates thousands at once.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from psmodel.calibration import IDEAL, Calibration
from psmodel.demands import Demands, demands, rack_rates
from psmodel.results import Bound, Metrics, Prediction
from psmodel.scenario import Scenario

Number = Any
"""A float, or an array of them with one element per scenario."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the formulas need of a scenario (or of many: then each field is an array).

    N workers, K shards, sizes in bytes, rates in bytes/s, times in seconds as in `psmodel.demands.Demands`, summed
    over layers; `send`, `reply`, `apply` and `receive` are those of the busiest shard, `…_all` of all shards. Of
    bytes only those count that cross a link, which where workers and shards share hosts are not all.

    Attributes
    ----------
    workers
        Of whom an iteration takes the updates: all but the backup workers.
    pulled, pushed
        Bytes that one worker takes in and sends out.
    out_of_host, into_host
        Bytes that one worker's pull and push bring out of and into the busiest shard host.
    remote_workers
        Workers whose bytes cross the links of a shard's host.
    take_in, take_in_all
        `receive` of pushes.
    rack_pull, rack_push
        Seconds that the busiest link between racks needs for one iteration of all workers.
    """

    workers: Number
    shards: Number
    pulled: Number
    pushed: Number
    out_of_host: Number
    into_host: Number
    remote_workers: Number
    worker_up: Number
    worker_down: Number
    shard_up: Number
    shard_down: Number
    send: Number
    send_all: Number
    reply: Number
    reply_all: Number
    apply: Number
    apply_all: Number
    receive: Number
    receive_all: Number
    take_in: Number
    take_in_all: Number
    request_all: Number
    assemble: Number
    compute: Number
    compute_slowest: Number
    delay: Number
    call_latency: Number
    ask: Number
    cores: Number
    rack_pull: Number
    rack_push: Number


def inputs(scenario: Scenario, calibration: Calibration, *, last_layer: bool = False) -> Inputs:
    """The formulas' inputs for one scenario; on request with the push of the last layer to be pushed only."""
    d = demands(scenario, calibration)
    n, k = scenario.quorum, scenario.shards
    pushes = d.pushes[-1:] if last_layer else d.pushes
    largest = max(range(k), key=d.sizes.__getitem__)
    into = [sum(column) for column in zip(*(p.sizes for p in pushes), strict=True)]
    colocated = scenario.placement == "colocated"
    update = scenario.update_cost.expected()
    stretch = scenario.stragglers.stretch if scenario.stragglers else 1.0
    factors = scenario.compute_factors or [1.0] * scenario.workers
    compute = stretch * scenario.compute.expected() * math.fsum(factors) / scenario.workers
    slowest = stretch * _slowest_compute(scenario) if scenario.mode == "bsp" else compute
    if scenario.backup_workers:
        compute = min(compute, slowest)  # the iterations that a late worker misses take it no time
    remote_workers = n - 1 if colocated and n >= k else n
    rack_pull, rack_push = _between_racks(scenario, d, into)
    # The worker on a shard's own host, and the shard on a worker's own host, are reached through memory;
    # if there are more workers than shards, some worker has no shard at home, and the other way round.
    at_home = colocated and k >= n
    return Inputs(
        workers=n,
        shards=k,
        pulled=sum(d.sizes) - at_home * d.sizes[largest],
        pushed=sum(into) - at_home * into[largest],
        out_of_host=_busiest_host(scenario, d.sizes, remote_workers),
        into_host=_busiest_host(scenario, into, remote_workers),
        remote_workers=remote_workers,
        worker_up=d.worker_up,
        worker_down=d.worker_down,
        shard_up=d.shard_up,
        shard_down=d.shard_down,
        send=math.fsum(p.send[largest] for p in pushes),
        send_all=math.fsum(math.fsum(p.send) for p in pushes),
        reply=d.reply[largest],
        reply_all=math.fsum(d.reply),
        apply=math.fsum(p.apply[largest] for p in pushes) + update,
        apply_all=math.fsum(math.fsum(p.apply) for p in pushes) + k * update,
        receive=d.receive[largest],
        receive_all=math.fsum(d.receive),
        take_in=math.fsum(p.receive[largest] for p in pushes),
        take_in_all=math.fsum(math.fsum(p.receive) for p in pushes),
        request_all=k * d.request,
        assemble=d.assemble + math.fsum(p.compress for p in d.pushes),
        compute=compute,
        compute_slowest=slowest,
        delay=d.propagation_delay,
        call_latency=2 * d.one_way,
        ask=d.ask,
        cores=scenario.total_cores
        or (scenario.placement == "single-host" and scenario.cores_per_host)
        or math.inf,
        rack_pull=rack_pull,
        rack_push=rack_push,
    )


def _per_host(scenario: Scenario, sizes: Sequence[int]) -> list[int]:
    """Bytes of the shards on each shard host."""
    step = scenario.shards_per_host
    return [sum(sizes[first : first + step]) for first in range(0, len(sizes), step)]


def _busiest_host(scenario: Scenario, sizes: Sequence[int], remote_workers: int) -> float:
    """Bytes that each of `remote_workers` exchanges with the shard host that exchanges most in all."""
    if scenario.placement != "colocated":
        return max(_per_host(scenario, sizes))
    # All of a shard's bytes cross links but those of the worker on its own host.
    most = max((scenario.quorum - (shard < scenario.workers)) * size for shard, size in enumerate(sizes))
    return most / remote_workers if remote_workers else 0.0


def _between_racks(scenario: Scenario, d: Demands, pushed: Sequence[int]) -> tuple[float, float]:
    """Seconds that all workers' pulls and pushes of one iteration take on the busiest link of a rack."""
    if scenario.racks is None:
        return 0.0, 0.0
    count = scenario.racks.count
    workers = [len(range(rack, scenario.workers, count)) for rack in range(count)]
    kept, sent = (
        [sum(_per_host(scenario, sizes)[rack::count]) for rack in range(count)] for sizes in (d.sizes, pushed)
    )
    pulls, pushes = scenario.pull != "none", scenario.push != "none"
    links = []
    for rack, (up, down) in enumerate(rack_rates(scenario, d)):
        # Whoever an iteration does not wait for may be among either.
        here, elsewhere = (
            max(0, crowd - scenario.backup_workers)
            for crowd in (workers[rack], scenario.workers - workers[rack])
        )
        push_out, push_into = here * (sum(sent) - sent[rack]), elsewhere * sent[rack]
        pull_out, pull_into = elsewhere * kept[rack], here * (sum(kept) - kept[rack])
        links += [
            (pulls * pull_out / up, pushes * push_out / up),
            (pulls * pull_into / down, pushes * push_into / down),
        ]
    return max(links, key=sum)


def _slowest_compute(scenario: Scenario) -> float:
    """Expected compute time (s) of the last worker for whom a barrier waits."""
    if scenario.backup_workers:
        # Of workers of unequal speed, or that start late, it is a lower bound that all are as fast as the fastest.
        fastest = min(scenario.compute_factors or [1.0])
        return fastest * scenario.compute.expected_order_statistic(scenario.quorum, scenario.workers)
    if scenario.compute_factors is not None:
        return scenario.compute.expected_scaled_max(scenario.compute_factors)
    return scenario.compute.expected_max(scenario.workers)


@dataclass(frozen=True, kw_only=True)
class _Rule:
    resource: str
    phase: str
    formula: str
    time: Callable[[Inputs], Number]


# One row per resource and phase; each is the work that this resource alone must do for one iteration of all
# workers (the bottleneck law: Denning & Buzen 1978, eq. for D_max), so each is a lower bound of its phase.
_RULES = (
    _Rule(resource="shard ingress", phase="push", formula="N·M/(K·B)",
          time=lambda i: i.remote_workers * i.into_host / i.shard_down),
    _Rule(resource="worker egress", phase="push", formula="M/B", time=lambda i: i.pushed / i.worker_up),
    _Rule(resource="worker CPU", phase="push", formula="Σ send", time=lambda i: i.send_all),
    _Rule(resource="shard CPU", phase="push", formula="N·apply", time=lambda i: i.workers * i.apply),
    _Rule(resource="host cores", phase="push", formula="N·(Σ send + Σ receive + Σ apply)/cores",
          time=lambda i: i.workers * (i.send_all + i.take_in_all + i.apply_all) / i.cores),
    _Rule(resource="latency", phase="push", formula="2·delay + call latency",
          time=lambda i: 2 * i.delay + i.call_latency),
    _Rule(resource="shard egress", phase="pull", formula="N·M/(K·B)",
          time=lambda i: i.remote_workers * i.out_of_host / i.shard_up),
    _Rule(resource="worker ingress", phase="pull", formula="M/B",
          time=lambda i: i.pulled / i.worker_down),
    _Rule(resource="worker CPU", phase="pull", formula="K·request", time=lambda i: i.request_all),
    _Rule(resource="shard CPU", phase="pull", formula="N·reply", time=lambda i: i.workers * i.reply),
    _Rule(resource="host cores", phase="pull", formula="N·(K·request + Σ reply + Σ receive)/cores",
          time=lambda i: i.workers * (i.request_all + i.reply_all + i.receive_all) / i.cores),
    _Rule(resource="latency", phase="pull", formula="2·delay + call latency",
          time=lambda i: 2 * i.delay + i.call_latency),
    _Rule(resource="rack links", phase="push", formula="bytes between racks/B", time=lambda i: i.rack_push),
    _Rule(resource="rack links", phase="pull", formula="bytes between racks/B", time=lambda i: i.rack_pull),
    _Rule(resource="worker CPU", phase="compute", formula="compute + assemble",
          time=lambda i: i.compute + i.assemble),
    _Rule(resource="host cores", phase="compute", formula="N·assemble/cores",
          time=lambda i: i.workers * i.assemble / i.cores),
)  # fmt: skip


def _tandem(n: Number, first: Number, second: Number) -> Number:
    """Makespan of n equal jobs through two stations in series, each working without pause once it can.

    The second station ends when its last busy period does: max over j of j·first + (n − j + 1)·second, whose
    maximum lies at an end (Johnson 1954, two-machine flow shop).
    """
    return np.maximum(first + n * second, n * first + second)


def phase_times(i: Inputs, *, mode: str, pull: str, push: str) -> dict[str, Number]:
    """Phase times (s) of workers that start every phase together, one element per scenario.

    Exact where the network alone takes time; with calls and copies an estimate that takes each pair of
    successive stations as a tandem. `iteration` is exact for bulk-synchronous training with those phases, and a
    lower bound otherwise: the larger of one worker's cycle without any queueing and of the busiest resource's
    work (asymptotic bounds of Lazowska et al. 1984, eq. 5.1 ff.).
    """
    latency = 2 * i.delay + i.call_latency
    shard_in, shard_out = i.into_host / i.shard_down, i.out_of_host / i.shard_up
    worker_in, worker_out = i.pulled / i.worker_down, i.pushed / i.worker_up
    in_step = mode == "bsp"
    crowd = i.workers if in_step else 1
    remote_crowd = i.remote_workers if in_step else np.minimum(1, i.remote_workers)

    if pull == "parallel":
        replies = np.maximum(_tandem(remote_crowd, i.reply, shard_out), i.reply + worker_in)
        pull_time = latency + i.request_all + replies + i.receive
    elif pull == "sequential":
        replies = np.maximum(
            crowd * i.reply_all + shard_out,
            i.reply_all + np.maximum(remote_crowd * i.pulled / i.shard_up, worker_in),
        )
        pull_time = i.shards * latency + i.request_all + replies + i.receive_all
    else:
        pull_time = 0.0 * i.workers
    if push == "none":
        ingress = push_time = 0.0 * i.workers
    else:
        per_shard = worker_out / i.shards
        arrive = np.maximum(
            _tandem(i.shards, i.send_all / i.shards, per_shard),
            i.send + np.maximum(remote_crowd * shard_in, worker_out),
        )
        ingress = i.delay + i.call_latency / 2 + arrive + i.take_in + (crowd - 1) * i.apply
        if push == "blocking":
            push_time = ingress + i.apply + i.delay + i.call_latency / 2
        elif push == "sequential":
            links = np.maximum(remote_crowd * i.pushed / i.shard_down, worker_out)
            push_time = i.shards * latency + i.send_all + links + i.take_in_all + crowd * i.apply_all
            ingress = push_time - i.delay - i.call_latency / 2 - i.apply
        else:
            push_time = i.send_all
    if in_step:
        crowded = {
            phase: np.maximum.reduce(
                [np.asarray(r.time(i) + 0.0 * i.workers) for r in _RULES
                 if r.phase == phase and r.resource in ("host cores", "rack links")]
            )
            for phase in ("pull", "push")
        }  # fmt: skip
        pull_time = np.maximum(pull_time, crowded["pull"]) if pull != "none" else pull_time
        push_time = (
            np.maximum(push_time, crowded["push"]) if push in ("blocking", "sequential") else push_time
        )
    compute = i.compute + i.assemble
    slowest = i.compute_slowest + i.assemble
    wait = np.maximum(slowest - compute, 0.0) + (i.ask if mode != "asp" else 0.0)
    iteration = pull_time + compute + push_time + wait
    busiest = np.maximum.reduce(
        [np.asarray(time + 0.0 * i.workers) for time in resource_times(i, pull=pull, push=push).values()]
    )
    if not in_step or push == "fire-and-forget":
        iteration = np.maximum(iteration, busiest)
    return {
        "pull": pull_time,
        "compute": compute,
        "push": push_time,
        "wait": iteration - pull_time - compute - push_time,
        "ingress": ingress,
        "iteration": iteration,
    }


def resource_times(i: Inputs, *, pull: str, push: str) -> dict[str, Number]:
    """Work (s) of every resource in one iteration, both phases added; the largest is the bottleneck's.

    Latency is left out: nobody is busy in it, so that it limits nothing that could be bought.
    """
    totals: dict[str, Number] = {}
    for rule in _RULES:
        absent = (rule.phase == "pull" and pull == "none") or (rule.phase == "push" and push == "none")
        if rule.resource != "latency" and not absent:
            totals[rule.resource] = totals.get(rule.resource, 0.0) + rule.time(i)
    return totals


def total_work(scenario: Scenario, calibration: Calibration = IDEAL) -> dict[str, float]:
    """Resource → its work (s) in one iteration of all workers of one scenario, see `resource_times`."""
    i = inputs(scenario, calibration)
    times = resource_times(i, pull=scenario.pull, push=scenario.push)
    return {resource: float(seconds) for resource, seconds in times.items()}


def bounds(scenario: Scenario, calibration: Calibration = IDEAL) -> tuple[Bound, ...]:
    """Every lower bound of every phase, in seconds; of what overlaps with computing, only what cannot."""
    # A run may be too short for its stragglers' long-run mean.
    i = inputs(scenario.model_copy(update={"stragglers": None}), calibration, last_layer=True)
    skip = {phase for phase in ("pull", "push") if getattr(scenario, phase) == "none"}
    if scenario.prefetch:
        skip.add("pull")
    return tuple(
        Bound(resource=r.resource, phase=r.phase, time_s=float(r.time(i)), formula=r.formula)  # type: ignore[arg-type]
        for r in _RULES
        if r.phase not in skip
    )


def _notes(scenario: Scenario, i: Inputs) -> tuple[str, ...]:
    notes = []
    if scenario.push != "none" and scenario.shards > scenario.workers and i.worker_up <= i.shard_down:
        notes.append(
            f"More shards than workers (K = {scenario.shards} > N = {scenario.workers}) do not help a full push: "
            f"each worker's own link needs M/B = {i.pushed / i.worker_up:.4g} s."
        )
    left_out = [
        text
        for text, there in (
            ("background traffic", scenario.background),
            ("failures", scenario.failures),
            ("that racks let some workers pull sooner than others", scenario.racks),
            ("that stragglers' episodes come only in the long run", scenario.stragglers),
            ("that stragglers fall behind together", scenario.stragglers and scenario.mode == "bsp"),
            ("that a late worker misses the next start", scenario.backup_workers),
            ("how far the layers' pushes stand in each other's way", scenario.layers),
            ("that a prefetched pull shares links with pushes", scenario.prefetch),
        )
        if there
    ]
    if left_out:
        notes.append(f"The closed form leaves out {', '.join(left_out)}: a lower bound; simulate it.")
    if scenario.mode != "bsp":
        notes.append(
            "Workers are not in step: the iteration time is a lower bound (no queueing); simulate it."
        )
    return tuple(notes)


def _times(scenario: Scenario, i: Inputs, calibration: Calibration) -> dict[str, float]:
    """`phase_times` of one scenario, whose pull and push may overlap with its computing."""
    styles = {"mode": scenario.mode, "pull": scenario.pull, "push": scenario.push}
    times = {name: float(value) for name, value in phase_times(i, **styles).items()}
    if not (scenario.prefetch or scenario.layers):
        return times
    last = inputs(scenario, calibration, last_layer=True)
    after = {name: float(value) for name, value in phase_times(last, **styles).items()}
    compute = times["compute"] + float(i.send_all - last.send_all)
    # A prefetched pull has the computing to hide behind, and the push if the worker waits for it.
    behind = compute + (after["push"] if scenario.push != "none" else 0.0)
    pull = max(0.0, times["pull"] - behind) if scenario.prefetch else times["pull"]
    wait = after["wait"]
    work = resource_times(i, pull=scenario.pull, push=scenario.push)
    busiest = max(float(seconds) for seconds in work.values())
    iteration = max(pull + compute + after["push"] + wait, busiest)
    return {
        "pull": pull,
        "compute": compute,
        "push": after["push"],
        "wait": iteration - pull - compute - after["push"],
        "ingress": after["ingress"],
        "iteration": iteration,
    }


def predict(scenario: Scenario, calibration: Calibration = IDEAL) -> Prediction:
    """Closed-form prediction of a scenario.

    >>> from psmodel.scenario import load
    >>> predict(load("ingress-single")).metrics.ingress_time_s
    8.0
    >>> predict(load("ingress-sharded")).metrics.ingress_time_s
    0.08
    """
    i = inputs(scenario, calibration)
    times = _times(scenario, i, calibration)
    work = resource_times(i, pull=scenario.pull, push=scenario.push)
    pushes = scenario.push != "none"
    iteration = times["iteration"]
    return Prediction(
        scenario=scenario.name,
        method="analytic",
        metrics=Metrics(
            iteration_time_s=iteration,
            pull_time_s=times["pull"],
            compute_time_s=times["compute"],
            push_time_s=times["push"],
            wait_time_s=times["wait"],
            ingress_time_s=times["ingress"] if pushes else None,
            updates_per_s=i.workers / iteration if iteration > 0 else None,
        ),
        bottleneck=max(work, key=lambda resource: float(work[resource])),
        bounds=bounds(scenario, calibration),
        ingress_time_per_shard_s=_ingress_per_shard(scenario, times["ingress"], i) if pushes else (),
        notes=_notes(scenario, i),
        utilisation={r: float(w) / iteration for r, w in work.items()} if iteration > 0 else {},
        bytes_per_iteration={
            "push": float(scenario.workers * sum(scenario.pushed_sizes)) if pushes else 0.0,
            "pull": float(scenario.workers * scenario.total_bytes) if scenario.pull != "none" else 0.0,
        },
    )


def _ingress_per_shard(scenario: Scenario, longest: float, i: Inputs) -> tuple[float, ...]:
    """A smaller shard is done earlier in proportion, where its own link is what binds."""
    own_link = i.remote_workers * i.into_host / i.shard_down >= i.pushed / i.worker_up
    largest = max(scenario.shard_sizes)
    return tuple(longest * (size / largest if own_link else 1.0) for size in scenario.shard_sizes)


FIELDS = tuple(f.name for f in fields(Inputs))
