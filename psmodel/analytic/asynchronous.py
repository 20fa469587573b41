"""Cycle times of workers out of step: an approximate mean value analysis in which each works on its own.

Links are shared by processor sharing, which is insensitive to how compute times are distributed (Baskett, Chandy,
Muntz & Palacios 1975, J. ACM 22(2):248): a station whose one job can use only the share `alone`/`work` of the
capacity behaves as that many servers. A shard's thread serves calls in order of arrival. What an arriving worker
finds is what the others leave there on average (Schweitzer 1979; Lazowska et al. 1984, section 6.4.2).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from psmodel.analytic.input_arrays import Array, Inputs
from psmodel.analytic.phases import (
    Phases,
    applied_rate,
    endless,
    prefetch_cycle,
    pull_time,
    push_times,
)
from psmodel.analytic.resources import work

_STEPS = 60
"""Halvings of the interval in which the throughput lies: to double precision."""

_ROOM = 0.8
"""Of ln N, cycles of room to lead that a bound of one gives: by recursions of 2 to 32 workers without shards."""


class Delays(NamedTuple):
    """What meeting others adds to one cycle: on the links of pulls and pushes, and per call at a shard; s."""

    pull: Array
    push: Array
    call: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class LinkLoad:
    """A link shared by processor sharing, visited so often in a cycle: its work and what one job alone takes; s."""

    work: Array
    alone: Array
    visits: Array

    def delay(self, load: Array) -> Array:
        """What sharing adds to one cycle (Sakasegawa 1977, Ann. Inst. Stat. Math. 29:67; one server: exact)."""
        utilisation = np.clip(load * self.work, 0.0, 1 - 1e-12)
        servers = np.maximum(
            np.divide(self.alone, self.work, out=np.ones_like(self.work), where=self.work > 0), 1.0
        )
        return np.asarray(
            self.visits * self.work * utilisation ** (np.sqrt(2 * (servers + 1)) - 1) / (1 - utilisation)
        )


class Cycle:
    """One worker's round as a function of the delays that others cause."""

    def __init__(self, i: Inputs) -> None:
        one = np.ones_like(i.workers)
        self.i = i
        self.links = {phase: _link(i, phase) for phase in ("pull", "push")}
        self._push = push_times(i, one, i.compute)
        self._pull = pull_time(i, one)
        self._ask = i.ask if i.scenario.mode != "asp" else 0.0

    def times(self, delays: Delays) -> tuple[Array, Array, Array, Array]:
        """Pull, push, what a push's bytes wait on their way, and the whole cycle; s."""
        i, scenario = self.i, self.i.scenario
        compute = self._push.computed
        pulling = self._pull + delays.pull + delays.call * _calls(i, "pull")
        transit = delays.push + delays.call * _calls(i, "push")
        arrived = self._push.arrived.max(axis=0) + transit
        pushing = self._push.ended - compute
        if scenario.push != "fire-and-forget":
            pushing = pushing + transit
        elif scenario.pull != "none" and not scenario.prefetch:
            # A pull waits at each shard for the worker's former push to have arrived.
            pulling = pulling + np.maximum(arrived - i.send_all, 0.0)
        busy = compute + pushing + self._ask
        if scenario.prefetch:
            spread = i.profile - i.compute
            needed = prefetch_cycle(i, pulling, compute + arrived)
            pulling = (np.maximum(needed - busy - spread, 0.0) * i.profile_weights).sum(axis=0)
        cycle = pulling + busy
        if scenario.max_in_flight_pushes is not None:
            cycle = np.maximum(cycle, arrived / scenario.max_in_flight_pushes)
        if scenario.mode == "ssp":
            # Whoever is held back meets nobody meanwhile: part of the cycle that the delays are worked out with.
            cycle = cycle + _held_back(i, cycle)
        return pulling, pushing, transit, cycle

    def phases(self, delays: Delays) -> Phases:
        """The phase times, held to what the busiest resource and the slowest worker allow."""
        i, scenario = self.i, self.i.scenario
        pulling, pushing, transit, cycle = self.times(delays)
        if not endless(i) and not scenario.iterations:
            cycle = np.maximum(cycle, np.maximum.reduce(list(work(i).values())))
        arrived = self._push.arrived + transit
        compute = self._push.computed
        return Phases(
            pull=pulling,
            compute=compute,
            push=pushing,
            wait=cycle - pulling - compute - pushing,
            ingress=arrived.max(axis=0),
            iteration=cycle,
            updates_per_s=applied_rate(i, _updates(i, cycle)),
            ingress_per_shard=arrived,
        )


def out_of_step(i: Inputs) -> Phases:
    """Phase times of workers that do not wait for each other, or only for those far behind."""
    cycle = Cycle(i)

    def delays(throughput: Array) -> Delays:
        load = throughput * (1 - 1 / i.workers)
        return Delays(
            pull=cycle.links["pull"].delay(load),
            push=cycle.links["push"].delay(load),
            call=_wait_for_a_call(i, load),
        )

    low = np.zeros_like(i.workers)
    high = _most(i, cycle.times(delays(low))[3])
    for _ in range(_STEPS):
        middle = (low + high) / 2
        enough = i.workers >= middle * cycle.times(delays(middle))[3]
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    return cycle.phases(delays(low))


def _link(i: Inputs, phase: str) -> LinkLoad:
    style = getattr(i.scenario, phase)
    if style == "none":
        zero = np.zeros_like(i.workers)
        return LinkLoad(work=zero, alone=zero, visits=np.ones_like(zero))
    if phase == "pull":
        on_host, theirs, bytes_, own = i.out_of_host, i.shard_up, i.pulled, i.worker_down
    else:
        on_host, theirs, bytes_, own = i.into_host, i.shard_down, i.pushed_bytes, i.worker_up
    share = np.minimum(i.remote_workers, 1) * on_host / theirs
    # Asked one after the other, each shard is a station of its own, busy for one K-th of the cycle's bytes.
    visits = i.shards if style == "sequential" else np.ones_like(i.workers)
    return LinkLoad(work=share, alone=np.maximum(share, bytes_ / own / visits), visits=visits)


def _calls(i: Inputs, phase: str) -> Array:
    """How often a cycle waits for shards' threads."""
    style = getattr(i.scenario, phase)
    if style == "none":
        return np.zeros_like(i.workers)
    return i.shards if style == "sequential" else np.ones_like(i.workers)


def _wait_for_a_call(i: Inputs, load: Array) -> Array:
    """Mean time in a shard's line of calls (Pollaczek–Khinchine: Kleinrock 1975, eq. 5.70).

    Without end where the variance is; but a call waits for one of each other worker at most.
    """
    reply = i.of_largest(i.reply) * (i.scenario.pull != "none")
    apply = i.of_largest(i.apply) * (i.scenario.push != "none")
    variance = i.scenario.update_cost.variance() if i.scenario.push != "none" else 0.0
    if math.isinf(variance):
        return np.asarray((load > 0) * (i.workers - 1) * (reply + apply))
    square = reply**2 + apply**2 + variance
    utilisation = np.clip(load * (reply + apply), 0.0, 1 - 1e-12)
    return np.asarray(load * square / 2 / (1 - utilisation))


def _most(i: Inputs, alone: Array) -> Array:
    """An upper bound of the throughput, cycles/s of all workers; `alone` is a cycle that meets nobody."""
    loads = work(i)
    shared = [loads[name] for name in ("shard ingress", "shard egress", "shard CPU") if name in loads]
    return np.asarray(i.workers / np.maximum.reduce([np.full_like(alone, 1e-300), alone, *shared]))


def _held_back(i: Inputs, cycle: Array) -> Array:
    """Seconds of a cycle in which stale-synchronous workers wait for those behind.

    Unequal speed holds them back at any bound. By chance their leads wander within `staleness_bound` cycles as a
    random walk, which is turned back at the ends of its interval in proportion to its variance over the width
    (Harrison 1985, *Brownian Motion and Stochastic Flow Systems*, chapter 5). At bound 0 they wait for the slowest each
    time; in between it is an estimate.
    """
    scenario = i.scenario
    assert scenario.staleness_bound is not None
    factors = scenario.compute_factors
    lasting = i.compute * (max(factors) * len(factors) / sum(factors) if factors else 1.0)
    slowest = np.maximum(i.slowest - lasting, 0.0)
    # The square of the slowest's delay is the variance times about 2 ln N.
    room = _ROOM * np.log(np.maximum(i.workers, 1)) * scenario.staleness_bound * cycle
    chance = np.divide(slowest**2, slowest + room, out=np.zeros_like(slowest), where=slowest > 0)
    return np.asarray(lasting - i.compute + chance)


def _updates(i: Inputs, cycle: Array) -> Array:
    """Updates/s: each worker at its own pace, unless all are held to that of the slowest; NaN if it takes no time."""
    factors = i.scenario.compute_factors
    if factors is None or i.scenario.mode == "ssp":
        each = np.ones(1)
        crowd = i.workers
    else:
        each, crowd = np.array(factors) * len(factors) / sum(factors), np.ones_like(i.workers)
    times = cycle + (each[:, None] - 1) * i.compute
    rates = np.divide(crowd, times, out=np.full_like(times, np.nan), where=times > 0)
    return np.asarray(rates.sum(axis=0))
