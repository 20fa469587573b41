"""Mean value analysis of a closed network with one class of customers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from psmodel.queueing._checks import require_count, require_not_negative

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Station:
    """Where customers of a closed network spend time.

    Parameters
    ----------
    demand
        Seconds of service that one customer needs here per cycle (visits × mean service time).
    kind
        ``"queue"`` or ``"delay"`` (everybody is served at once: no queueing).
    servers
        Equal servers of a queue with one line.
    """

    demand: float
    kind: Literal["queue", "delay"] = "queue"
    servers: int = 1

    def __post_init__(self) -> None:
        require_not_negative(demand=self.demand)
        require_count(servers=self.servers)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClosedNetwork:
    """Steady state of a closed network of one class.

    Attributes
    ----------
    throughput
        Cycles per second of all customers together.
    response_time
        Mean time per cycle at the stations, s; think time is not counted.
    cycle_time
        Response time and think time, s.
    residence_times
        Mean time per cycle at each station, s; shape (stations,).
    mean_present
        Mean number of customers at each station; shape (stations,).
    utilisation
        Share of time that a server is busy; for a delay station the mean number there. Shape (stations,).
    """

    throughput: float
    response_time: float
    cycle_time: float
    residence_times: Array
    mean_present: Array
    utilisation: Array


def mva(stations: Sequence[Station], *, population: int, think_time: float = 0.0) -> ClosedNetwork:
    """Exact mean value analysis of a closed network of one class of customers.

    For n = 1 … N: Rₖ(n) = Dₖ·(1 + Qₖ(n−1)) at a queue and Dₖ at a delay station, X(n) = n/(Z + Σ Rₖ(n)),
    Qₖ(n) = X(n)·Rₖ(n). A queue of several servers is added to the rest of the network, seen from there as one
    server of rate X(n), which is exact in product-form networks and, unlike the recursion over its marginal
    probabilities, numerically stable.

    Exact for networks with a product form: exponential service at first-come-first-served queues, any service
    under processor sharing, any delays. Where first-come-first-served service varies less, customers wait less;
    `general_repairman` says by how much at a single station (up to 6 % of throughput if it never varies).

    Parameters
    ----------
    stations
        At least one.
    population
        N customers.
    think_time
        Z, s.

    Raises
    ------
    ValueError
        Unless the population is at least 1, the think time at least 0, and some time passes in a cycle.

    References
    ----------
    Reiser & Lavenberg 1980, J. ACM 27(2):313; Lazowska et al. 1984, *Quantitative System Performance*,
    algorithm 6.2; several servers: Chandy, Herzog & Woo 1975, IBM J. Res. Dev. 19(1):36.

    Examples
    --------
    >>> stations = [Station(demand=2), Station(demand=3), Station(demand=1)]
    >>> round(mva(stations, population=2, think_time=4).response_time, 9)
    7.4
    """
    require_count(population=population)
    require_not_negative(think_time=think_time)
    demands = np.array([station.demand for station in stations], dtype=np.float64)
    if not demands.sum() + think_time > 0:
        raise ValueError("no station has a demand and think_time is 0; a cycle must take some time")
    several = np.array([s.kind == "queue" and s.servers > 1 for s in stations], dtype=np.bool_)
    throughputs, present = _single_servers(stations, np.where(several, 0.0, demands), population, think_time)
    for k in np.flatnonzero(several & (demands > 0)).tolist():
        throughputs, present = _add_station(throughputs, present, k, demands[k], stations[k].servers)
    throughput = float(throughputs[-1])
    residence_times = present[-1] / throughput
    servers = np.array([s.servers if s.kind == "queue" else 1 for s in stations])
    return ClosedNetwork(
        throughput=throughput,
        response_time=float(residence_times.sum()),
        cycle_time=population / throughput,
        residence_times=residence_times,
        mean_present=present[-1],
        utilisation=throughput * demands / servers,
    )


def _single_servers(
    stations: Sequence[Station], demands: Array, population: int, think_time: float
) -> tuple[Array, Array]:
    """Throughput (shape N+1) and customers at each station (shape N+1, stations) for populations 0 … N."""
    is_queue = np.array([s.kind == "queue" for s in stations], dtype=np.float64)
    throughputs = np.zeros(population + 1)
    present = np.zeros((population + 1, len(demands)))
    for n in range(1, population + 1):
        residence = demands * (1 + is_queue * present[n - 1])
        cycle = think_time + residence.sum()
        throughputs[n] = n / cycle if cycle > 0 else math.inf
        present[n] = throughputs[n] * residence if cycle > 0 else 0.0
    return throughputs, present


def _add_station(
    throughputs: Array, present: Array, k: int, demand: float, servers: int
) -> tuple[Array, Array]:
    """The network with station k of several servers added to the rest."""
    population = throughputs.size - 1
    rates = np.minimum(np.arange(1, population + 1), servers) / demand
    log_rates = _cumulative_log(rates)
    with_station = np.zeros_like(throughputs)
    with_present = np.zeros_like(present)
    # An instant rest of the network holds nobody: all are at the station.
    instant = not np.isfinite(throughputs[-1])
    log_rest = np.zeros(population + 1) if instant else _cumulative_log(throughputs[1:])
    for n in range(1, population + 1):
        here = np.arange(n + 1)
        weights = log_rest[n] - log_rest[n - here] - log_rates[here]
        probabilities = (here == n).astype(np.float64) if instant else np.exp(weights - weights.max())
        probabilities /= probabilities.sum()
        with_station[n] = probabilities[1:] @ rates[:n]
        with_present[n] = probabilities @ present[n - here]
        with_present[n, k] = probabilities @ here
    return with_station, with_present


def _cumulative_log(rates: Array) -> Array:
    return np.concatenate([[0.0], np.cumsum(np.log(rates))])
