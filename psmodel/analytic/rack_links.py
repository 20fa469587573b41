"""Work of the links between racks, of one scenario or of one in each row."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from psmodel.scenario import Scenario

Array = NDArray[np.float64]
_NUMBERS_AT_A_TIME = 2**20
"""Racks times rows that are held in memory at once."""


def between_racks(
    scenario: Scenario,
    rates: Mapping[str, Array],
    *,
    workers: Array,
    pulled: Array,
    pushed: Array,
    counts: Array,
) -> tuple[Array, Array]:
    """Seconds that all workers' pulls and pushes of one iteration take on the busiest link of a rack; (rows,).

    Parameters
    ----------
    rates
        Goodput (bytes/s) of each direction of an interface, shape (rows,).
    workers
        All of them, backup workers too; shape (rows,).
    pulled, pushed
        Bytes that one worker pulls from, and pushes to, a shard of each group; shape (groups, rows).
    counts
        Shards of each group, in the order of their numbers; shape (groups, rows).
    """
    pull, push = np.zeros_like(workers), np.zeros_like(workers)
    if scenario.racks is None:
        return pull, push
    worker_hosts = np.ceil(workers / scenario.workers_per_host)
    shard_hosts = np.ceil(counts.sum(axis=0) / scenario.shards_per_host)
    # The others are empty.
    racks = min(scenario.racks.count, int(max(worker_hosts.max(), shard_hosts.max())))
    step = max(1, _NUMBERS_AT_A_TIME // workers.size)
    for first in range(0, racks, step):
        rack = np.arange(first, min(first + step, racks))[:, None]
        rack_workers = _members(workers, scenario.workers_per_host, rack, scenario.racks.count)
        here = np.maximum(rack_workers - scenario.backup_workers, 0)
        # Whoever an iteration does not wait for may be among either.
        elsewhere = np.maximum(workers - rack_workers - scenario.backup_workers, 0)
        hosts = [_members(h, 1, rack, scenario.racks.count) for h in (worker_hosts, shard_hosts)]
        up, down = (
            (hosts[0] * rates[f"worker_{way}"] + hosts[1] * rates[f"shard_{way}"])
            / scenario.racks.oversubscription
            for way in ("up", "down")
        )
        pull_volume, push_volume = (_volumes(scenario, sizes, counts, rack) for sizes in (pulled, pushed))
        pull_rest, push_rest = (
            (counts * pulled).sum(axis=0) - pull_volume,
            (counts * pushed).sum(axis=0) - push_volume,
        )
        # Of each rack first what leaves it, then what comes into it; shape (links, rows).
        pulls = _alternating(elsewhere * pull_volume, here * pull_rest, up, down, scenario.pull != "none")
        pushes = _alternating(here * push_rest, elsewhere * push_volume, up, down, scenario.push != "none")
        busiest = np.argmax(pulls + pushes, axis=0)[None, :]
        best_pull, best_push = (np.take_along_axis(times, busiest, axis=0)[0] for times in (pulls, pushes))
        more = best_pull + best_push > pull + push
        pull, push = np.where(more, best_pull, pull), np.where(more, best_push, push)
    return pull, push


def _members(number: Array, per_host: int, rack: NDArray[np.intp], racks: int) -> Array:
    """How many of so many stand in a rack: those of hosts rack, rack + racks, …; shape (racks, rows)."""
    rounds, rest = np.divmod(number, per_host * racks)
    return np.asarray(rounds * per_host + np.clip(rest - rack * per_host, 0, per_host))


def _volumes(scenario: Scenario, sizes: Array, counts: Array, rack: NDArray[np.intp]) -> Array:
    """Bytes of the shards in a rack, shape (racks, rows)."""
    assert scenario.racks is not None
    per_host, racks = scenario.shards_per_host, scenario.racks.count
    if scenario.shard_weights is not None:
        # Each shard is a group of its own.
        place = np.arange(sizes.shape[0]) // per_host % racks - rack[0, 0]
        inside = (place >= 0) & (place < rack.shape[0])
        volumes = np.zeros((rack.shape[0], sizes.shape[1]))
        np.add.at(volumes, place[inside], sizes[inside])
        return volumes
    ends = np.cumsum(counts, axis=0)
    members = [_members(end, per_host, rack, racks) for end in (np.zeros_like(ends[0]), *ends)]
    return np.asarray(
        sum((after - before) * size for before, after, size in zip(members, members[1:], sizes, strict=False))
    )


def _alternating(out: Array, into: Array, up: Array, down: Array, present: bool) -> Array:
    """Seconds of each rack's two links, one below the other; a rack without hosts has none to carry."""
    times = [
        np.divide(volume, rate, out=np.zeros_like(volume), where=rate > 0) * present
        for volume, rate in ((out, up), (into, down))
    ]
    return np.stack(times, axis=1).reshape(-1, out.shape[1])
