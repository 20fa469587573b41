"""Phase times of workers that run in step: all of them start every phase together, or as their computing ends."""

from typing import NamedTuple

import numpy as np

from psmodel.analytic.input_arrays import Array, Inputs, LayerInputs
from psmodel.analytic.resources import rules_of, work, work_of_phase
from psmodel.analytic.sharing import drain_times, sharing_ends

_SHARED_BY_ALL = ("host cores", "memory channels", "rack links")


class Phases(NamedTuple):
    """Mean times (s), shape (rows,); `ingress_per_shard` has shape (groups, rows)."""

    pull: Array
    compute: Array
    push: Array
    wait: Array
    ingress: Array
    iteration: Array
    updates_per_s: Array
    ingress_per_shard: Array


class PushTimes(NamedTuple):
    """A push after the computing; s, shape (rows,), `arrived` (groups, rows).

    `computed` is when the last layer is ready and `ended` when the worker goes on, both after the pull; `arrived` when
    the last byte is at a shard of each group, after `computed`.
    """

    computed: Array
    ended: Array
    arrived: Array


def tandem(n: Array, first: Array, second: Array) -> Array:
    """Makespan of n equal jobs through two stations in series, each working without pause once it can.

    The second station ends when its last busy period does: max over j of j·first + (n − j + 1)·second, whose
    maximum lies at an end (Johnson 1954, two-machine flow shop).
    """
    return np.asarray(np.maximum(first + n * second, n * first + second))


def pull_time(i: Inputs, crowd: Array) -> Array:
    """Seconds of a pull that `crowd` workers start together."""
    pull = i.scenario.pull
    if pull == "none":
        return np.zeros_like(i.workers)
    remote = np.minimum(i.remote_workers, crowd)
    shard_out = i.out_of_host / i.shard_up
    reply = i.of_largest(i.reply)
    if pull == "parallel":
        links = _links(i, i.sizes, i.shard_up, i.worker_down, i.out_of_host, i.pulled, crowd).max(axis=0)
        replies = np.maximum(tandem(remote, reply, shard_out), reply + links)
        asking = 0.0 if i.scenario.prefetch else i.request_all  # else the worker asks before it computes
        return np.asarray(i.latency + asking + replies + i.of_largest(i.receive))
    own = np.minimum(i.on_host, crowd) * i.pulled / i.worker_down
    visits = _shard_by_shard(i, crowd, i.reply, own, remote * i.pulled / i.shard_up)
    return np.asarray(i.shards * i.latency + i.request_all + visits + i.of_all(i.receive))


def _shard_by_shard(i: Inputs, crowd: Array, calls: Array, own: Array, shared: Array) -> Array:
    """Seconds in which `crowd` workers have visited all shards one after the other.

    `calls` are seconds of a shard's thread, (groups, rows); `own` and `shared` those that the links need for all
    shards, for one worker and for all. Where a call costs nothing, all workers go from shard to shard together. The
    longer it takes against a transfer, the more they follow each other as through a pipeline (Johnson 1954); between
    the two this is an estimate.
    """
    thread = i.of_all(calls)
    together = crowd * i.of_largest(calls) + thread - i.of_largest(calls) + np.maximum(shared, own)
    slowest = np.maximum(i.of_largest(calls), shared / np.maximum(crowd, 1) / i.shards)
    pipeline = thread + own + (crowd - 1) * slowest
    transfer = shared / np.maximum(crowd, 1)
    apart = np.divide(thread * i.shards / 2, transfer, out=np.zeros_like(thread), where=transfer > 0)
    apart = np.minimum(np.where(transfer > 0, apart, 1.0), 1.0)
    return np.asarray(apart * np.minimum(pipeline, together) + (1 - apart) * together)


def push_times(i: Inputs, crowd: Array, compute: Array) -> PushTimes:
    """A push of `crowd` workers that have all computed for `compute` seconds (mean), layer by layer."""
    shares = [layer.compute_share for layer in i.layers]
    ready = i.assemble + compute * (1 - sum(shares[1:])) + i.layers[0].compress
    if i.scenario.prefetch:
        ready = ready + i.request_all
    starts: list[Array] = [ready]
    for before, layer, share in zip(i.layers, i.layers[1:], shares[1:], strict=False):
        ready = ready + i.of_all(before.send) + compute * share + layer.compress
        starts.append(ready)
    if i.scenario.push == "none":
        return PushTimes(ready, ready, np.zeros_like(i.sizes))
    if i.scenario.push == "sequential":
        return _one_after_the_other(i, crowd, ready)
    last = i.layers[-1]
    links = [_layer_links(i, layer, crowd) for layer in i.layers]
    own = np.minimum(i.on_host, crowd) * i.pushed_bytes * _share_of_bytes(i, last) / i.worker_up
    send_all, send = i.of_all(last.send), i.of_largest(last.send)
    arrive = np.maximum(tandem(i.shards, send_all / i.shards, own / i.shards), send + links[-1].max(axis=0))
    # Layers share the links: the last byte is there when the last busy period of the links ends.
    behind = np.zeros_like(links[-1])
    earlier = np.zeros_like(i.workers)
    for start, link in zip(reversed(starts[:-1]), reversed(links[:-1]), strict=True):
        behind = behind + link
        earlier = np.maximum(earlier, (start - ready) + (behind + links[-1]).max(axis=0))
    apply = i.of_largest(last.apply) + i.update
    half_way = i.delay + i.call_latency / 2
    served = np.maximum(arrive, earlier) + i.of_largest(last.receive_push) + (crowd - 1) * apply
    arrived = half_way + served
    per_shard = arrived - (links[-1].max(axis=0) - links[-1])
    ended = ready + (i.send_all if i.scenario.push == "fire-and-forget" else arrived + apply + half_way)
    return PushTimes(ready, ended, per_shard)


def _one_after_the_other(i: Inputs, crowd: Array, ready: Array) -> PushTimes:
    remote = np.minimum(i.remote_workers, crowd)
    apply = i.of_largest(i.apply)
    own = np.minimum(i.on_host, crowd) * i.pushed_bytes / i.worker_up
    visits = _shard_by_shard(i, crowd, i.apply, own, remote * i.pushed_bytes / i.shard_down)
    time = i.shards * i.latency + i.send_all + visits + i.of_all(i.receive_push)
    last = time - i.delay - i.call_latency / 2 - apply
    # A shard's place in the order is not its group's: those before the last one are done in proportion.
    return PushTimes(ready, ready + time, np.broadcast_to(last, i.sizes.shape))


def _share_of_bytes(i: Inputs, layer: LayerInputs) -> Array:
    total = i.of_all(i.pushed)
    return np.divide(i.of_all(layer.pushed), total, out=np.ones_like(total), where=total > 0)


def _layer_links(i: Inputs, layer: LayerInputs, crowd: Array) -> Array:
    share = _share_of_bytes(i, layer)
    return _links(
        i, layer.pushed, i.shard_down, i.worker_up, i.into_host * share, i.pushed_bytes * share, crowd
    )


def _links(
    i: Inputs, sizes: Array, theirs: Array, own: Array, on_host: Array, own_bytes: Array, crowd: Array
) -> Array:
    """Seconds until the bytes of each group's shards are through, if `crowd` workers start at once."""
    scenario = i.scenario
    remote = np.minimum(i.remote_workers, crowd)
    own = own / np.minimum(i.on_host, crowd)
    if scenario.placement == "colocated" or scenario.shards_per_host > 1:
        return np.broadcast_to(np.maximum(remote * on_host / theirs, own_bytes / own), sizes.shape)
    return drain_times(sizes, i.counts, each=theirs / np.maximum(remote, 1), together=own)


def in_step(i: Inputs) -> Phases:
    """Phase times of workers that start every iteration together."""
    scenario = i.scenario
    pull = np.maximum(pull_time(i, i.workers), work_of_phase(i, "pull", _SHARED_BY_ALL))
    push = push_times(i, i.workers, i.compute)
    compute = push.computed
    ask = i.ask if scenario.mode != "asp" else 0.0
    if scenario.push in ("blocking", "sequential"):
        crowded = work_of_phase(i, "push", _SHARED_BY_ALL)
        held_up = np.maximum(crowded - (push.ended - push.computed), 0.0)
        push = push._replace(ended=push.ended + held_up, arrived=push.arrived + held_up)
    pushing = push.ended - push.computed
    ends = push.ended
    arrived = push.arrived
    if i.profile.shape[0] > 1 and scenario.push in ("blocking", "sequential"):
        pushing, ends, arrived = _staggered(i, push)
    elif i.profile.shape[0] > 1:
        ends = i.slowest - i.compute + push.ended
    pulling, ends = _carried_over(i, pull, compute, ends, arrived)
    iteration = pulling + ends + ask
    if scenario.prefetch or scenario.push == "fire-and-forget":
        iteration = _at_least_the_work(i, iteration)
    rate = np.divide(i.workers, iteration, out=np.full_like(iteration, np.nan), where=iteration > 0)
    return Phases(
        pull=pulling,
        compute=compute,
        push=pushing,
        wait=iteration - pulling - compute - pushing,
        ingress=arrived.max(axis=0),
        iteration=iteration,
        updates_per_s=applied_rate(i, rate),
        ingress_per_shard=arrived,
    )


def _staggered(i: Inputs, push: PushTimes) -> tuple[Array, Array, Array]:
    """Mean push, end of the round and ingress where workers begin to push as they have computed."""
    one = np.ones_like(i.workers)
    alone = push_times(i, one, i.compute)
    q, crowd = alone.ended - alone.computed, push.ended - push.computed
    offset = push.computed - i.compute
    ends = sharing_ends(i.profile, i.profile_weights, alone=q, together=crowd)
    pushing = np.maximum(((ends - i.profile) * i.profile_weights).sum(axis=0), q)
    last = np.maximum(np.maximum(ends[-1], i.slowest + q), i.fastest + crowd)
    answer = push.ended - push.computed - push.arrived.max(axis=0)
    longest = last - i.fastest - answer
    return pushing, last + offset, push.arrived + (longest - push.arrived.max(axis=0))


def _carried_over(
    i: Inputs, pull: Array, computed: Array, ends: Array, arrived: Array
) -> tuple[Array, Array]:
    """The pull as the worker sees it: a prefetched one hides, one behind a push that nobody waited for is late.

    The first iteration of a finite run has nothing to hide behind or to wait for.
    """
    scenario = i.scenario
    first = 1 / scenario.iterations if scenario.iterations and not scenario.warmup else 0.0
    if scenario.prefetch:
        hidden = np.maximum(prefetch_cycle(i, pull, computed + arrived.max(axis=0)) - ends, 0.0)
        return first * pull + (1 - first) * hidden, ends
    if scenario.push == "fire-and-forget" and scenario.pull != "none":
        late = np.maximum(arrived.max(axis=0) - i.send_all - (i.slowest - i.compute), 0.0)
        return pull + (1 - first) * late, ends
    return pull, ends


def prefetch_cycle(i: Inputs, pull: Array, pushed: Array) -> Array:
    """The shortest cycle that prefetched pulls of `pull` seconds allow, s.

    A pull that is asked for when computing starts waits at each shard for the push before it. If that one has arrived
    `pushed` seconds after its own computing began, T = P + max(0, pushed − T).
    """
    if i.scenario.push != "fire-and-forget":
        return pull
    return np.asarray(np.maximum(pull, (pull + pushed) / 2))


def applied_rate(i: Inputs, submitted: Array) -> Array:
    """Updates/s that are applied of so many submitted: where they pile up, as fast as the busiest resource can."""
    if i.scenario.push == "none":
        return np.full_like(submitted, np.nan)
    if not endless(i):
        return submitted
    busiest = np.maximum.reduce([rule.time(i) for rule in rules_of(i.scenario) if rule.phase == "push"])
    most = np.divide(i.workers, busiest, out=np.full_like(busiest, np.inf), where=busiest > 0)
    return np.asarray(np.minimum(submitted, most))


def endless(i: Inputs) -> bool:
    """Whether pushes may pile up without end: nothing waits for them."""
    s = i.scenario
    return s.push == "fire-and-forget" and s.pull == "none" and s.max_in_flight_pushes is None


def _at_least_the_work(i: Inputs, iteration: Array) -> Array:
    """In the long run no iteration is shorter than what the busiest resource has to do for it."""
    if i.scenario.iterations or endless(i):
        return iteration
    return np.asarray(np.maximum.reduce([iteration, *work(i).values()]))
