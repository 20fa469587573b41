"""Cycle times of workers out of step: an approximate mean value analysis in which each works on its own.

Links are shared by processor sharing, which is insensitive to how compute times are distributed (Baskett, Chandy,
Muntz & Palacios 1975, J. ACM 22(2):248): a station whose one job can use only the share `alone`/`work` of the
capacity behaves as that many servers. A shard's thread serves calls in order of arrival. What an arriving worker
finds is what the others leave there on average (Schweitzer 1979; Lazowska et al. 1984, section 6.4.2).
"""

from dataclasses import dataclass

import numpy as np

from psmodel.analytic.inputs import Array, Inputs
from psmodel.analytic.phases import Phases, pull_time, push_times
from psmodel.analytic.resources import work

_STEPS = 60
"""Halvings of the interval in which the throughput lies: to double precision."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Link:
    """A link shared by processor sharing: its work per cycle, and what one job alone takes; s."""

    work: Array
    alone: Array
    visits: Array

    def delay(self, load: Array) -> Array:
        """What sharing adds to one cycle (Sakasegawa 1977, Ann. Inst. Stat. Math. 29:67; one server: exact)."""
        each = self.work / self.visits
        used = np.clip(load * self.work, 0.0, 1 - 1e-12)
        servers = np.maximum(
            np.divide(self.alone, self.work, out=np.ones_like(self.work), where=self.work > 0), 1.0
        )
        return np.asarray(self.visits * each * used ** (np.sqrt(2 * (servers + 1)) - 1) / (1 - used))


def out_of_step(i: Inputs) -> Phases:
    """Phase times of workers that do not wait for each other, or only for those far behind."""
    one = np.ones_like(i.workers)
    pull_alone = pull_time(i, one)
    push = push_times(i, one, i.compute)
    compute = push.computed
    push_alone = push.ended - push.computed
    ask = i.ask if i.scenario.mode != "asp" else 0.0
    links = {phase: _link(i, phase) for phase in ("pull", "push")}

    def times(throughput: Array) -> tuple[Array, Array, Array]:
        """Pull, push and whole cycle at that many cycles/s of all workers."""
        load = throughput * (1 - 1 / i.workers)
        call = _wait_for_a_call(i, load)
        pulling = pull_alone + links["pull"].delay(load) + call * _calls(i, "pull")
        transit = links["push"].delay(load) + call * _calls(i, "push")
        pushing = push_alone + (0.0 if i.scenario.push == "fire-and-forget" else transit)
        if i.scenario.push == "fire-and-forget" and i.scenario.pull != "none":
            pulling = pulling + np.maximum(push.arrived.max(axis=0) - i.send_all, 0.0) + transit
        busy = compute + pushing + ask
        if i.scenario.prefetch:
            spread = i.profile - i.compute
            pulling = (np.maximum(pulling - busy - spread, 0.0) * i.profile_weights).sum(axis=0)
        cycle = pulling + busy
        limit = i.scenario.max_in_flight_pushes
        if limit is not None:
            cycle = np.maximum(cycle, (push.arrived.max(axis=0) + transit) / limit)
        return pulling, pushing, cycle

    low, high = np.zeros_like(i.workers), _most(i, times)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        enough = i.workers >= middle * times(middle)[2]
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    pulling, pushing, cycle = times(low)
    busiest = np.maximum.reduce(list(work(i).values()))
    endless = i.scenario.push == "fire-and-forget" and i.scenario.pull == "none"
    if not (endless and i.scenario.max_in_flight_pushes is None) and not i.scenario.iterations:
        cycle = np.maximum(cycle, busiest)
    if i.scenario.mode == "ssp":
        cycle = np.maximum(cycle, _held_back(i, cycle))
    with np.errstate(divide="ignore"):
        rate = np.where(cycle > 0, _updates(i, cycle), np.nan)
    queue = pushing - push_alone
    return Phases(
        pull=pulling,
        compute=compute,
        push=pushing,
        wait=cycle - pulling - compute - pushing,
        ingress=push.arrived.max(axis=0) + queue,
        iteration=cycle,
        updates_per_s=rate,
        ingress_per_shard=push.arrived + queue,
    )


def _link(i: Inputs, phase: str) -> _Link:
    style = getattr(i.scenario, phase)
    if style == "none":
        zero = np.zeros_like(i.workers)
        return _Link(work=zero, alone=zero, visits=np.ones_like(zero))
    if phase == "pull":
        on_host, theirs, bytes_, own = i.out_of_host, i.shard_up, i.pulled, i.worker_down
    else:
        on_host, theirs, bytes_, own = i.into_host, i.shard_down, i.pushed_bytes, i.worker_up
    share = np.minimum(i.remote_workers, 1) * on_host / theirs
    # Asked one after the other, each shard is a station of its own, busy for one K-th of the cycle's bytes.
    visits = i.shards if style == "sequential" else np.ones_like(i.workers)
    return _Link(work=share, alone=np.maximum(share, bytes_ / own / visits), visits=visits)


def _calls(i: Inputs, phase: str) -> Array:
    """How often a cycle waits for shards' threads."""
    style = getattr(i.scenario, phase)
    if style == "none":
        return np.zeros_like(i.workers)
    return i.shards if style == "sequential" else np.ones_like(i.workers)


def _wait_for_a_call(i: Inputs, load: Array) -> Array:
    """Mean time in a shard's line of calls (Pollaczek–Khinchine: Kleinrock 1975, eq. 5.70)."""
    reply = i.of_largest(i.reply) * (i.scenario.pull != "none")
    apply = i.of_largest(i.apply) * (i.scenario.push != "none")
    square = reply**2 + apply**2 + i.scenario.update_cost.variance() * (i.scenario.push != "none")
    used = np.clip(load * (reply + apply), 0.0, 1 - 1e-12)
    return np.asarray(load * square / 2 / (1 - used))


def _most(i: Inputs, times) -> Array:  # type: ignore[no-untyped-def]
    """An upper bound of the throughput, cycles/s of all workers."""
    _, _, alone = times(np.zeros_like(i.workers))
    with np.errstate(divide="ignore"):
        bound = i.workers / np.maximum(alone, 1e-300)
        for name in ("shard ingress", "shard egress", "shard CPU"):
            if name in (table := work(i)):
                bound = np.minimum(bound, i.workers / np.maximum(table[name], 1e-300))
    return np.asarray(bound)


def _held_back(i: Inputs, cycle: Array) -> Array:
    """Cycle of stale-synchronous workers: chance evens out over bound + 1 iterations, unequal speed never does."""
    scenario = i.scenario
    assert scenario.staleness_bound is not None
    factors = scenario.compute_factors
    lasting = i.compute * (max(factors) * len(factors) / sum(factors) if factors else 1.0)
    chance = np.maximum(i.slowest - lasting, 0.0) / np.sqrt(scenario.staleness_bound + 1)
    return np.asarray(cycle + lasting - i.compute + chance)


def _updates(i: Inputs, cycle: Array) -> Array:
    """Updates/s: each worker at its own pace, unless all are held to that of the slowest."""
    factors = i.scenario.compute_factors
    if factors is None or i.scenario.mode == "ssp":
        return np.asarray(i.workers / cycle)
    each = np.array(factors) * len(factors) / sum(factors) - 1
    return np.asarray((1 / (cycle + each[:, None] * i.compute)).sum(axis=0))
