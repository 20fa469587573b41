"""Utilisation of resources and mean queue lengths between two instants of a simulation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from psmodel.network.fluid import Link
from psmodel.simulation.shard import Shard
from psmodel.simulation.worker import Worker

_NAMED_UP_TO = 32
"""So many hosts of a role are listed one by one in the results; of more, only the busiest and the mean."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What has been up to an instant.

    Attributes
    ----------
    time_s
        The instant.
    busy_s
        Class of resources → seconds of full use, one number per simulated host.
    response_s
        Sum of all calls' response times, one per simulated shard.
    """

    time_s: float
    busy_s: Mapping[str, Sequence[float]]
    response_s: Sequence[float]


def read(
    time: float,
    shards: Sequence[Shard],
    workers: Sequence[Worker],
    *,
    links: bool,
    cores: Link | None,
    memory: Link | None,
) -> Reading:
    """Take a reading.

    Parameters
    ----------
    links
        Whether hosts have links that are used.
    cores, memory
        What all processes share, if they do.
    """

    def used(link: Link) -> float:
        return link.carried / link.capacity

    busy: dict[str, list[float]] = {}
    if links:
        busy |= {
            "shard ingress": [used(s.host.down) for s in shards],
            "shard egress": [used(s.host.up) for s in shards],
            "worker ingress": [used(w.host.down) for w in workers],
            "worker egress": [used(w.host.up) for w in workers],
        }
    busy |= {"shard CPU": [s.busy_s for s in shards], "worker CPU": [w.busy_s for w in workers]}
    if cores is not None:
        busy["host cores"] = [used(cores)]
    if memory is not None:
        busy["memory channels"] = [used(memory)]
    return Reading(time_s=time, busy_s=busy, response_s=[s.response_sum_s for s in shards])


def utilisation(before: Reading | None, now: Reading) -> tuple[dict[str, float], dict[str, float]]:
    """Share of the time between two readings (from the start if there is no first one) that resources were used.

    Returns
    -------
    classes, hosts
        Of each class the busiest host, and single hosts where they are few.
    """
    elapsed = now.time_s - (before.time_s if before else 0.0)
    shares = {
        name: [
            (busy - before_s) / elapsed if elapsed > 0 else 0.0
            for busy, before_s in zip(
                values, before.busy_s[name] if before else [0.0] * len(values), strict=True
            )
        ]
        for name, values in now.busy_s.items()
    }
    classes = {name: max(values) for name, values in shares.items() if values}
    hosts = {
        f"{role} {index} {what}": value
        for (role, what), values in ((tuple(name.split(" ", 1)), values) for name, values in shares.items())
        if 1 < len(values) <= _NAMED_UP_TO
        for index, value in enumerate(values)
    }
    return classes, hosts


def mean_queue(before: Reading | None, now: Reading) -> float:
    """Calls at a shard between two readings, mean over time and shards (Little 1961)."""
    elapsed = now.time_s - (before.time_s if before else 0.0)
    earlier = before.response_s if before else np.zeros(len(now.response_s))
    return float(np.mean(np.subtract(now.response_s, earlier))) / elapsed if elapsed > 0 else 0.0
