"""The machine repairman: a closed network of one queue and a think time."""

from dataclasses import dataclass

import numpy as np

from psmodel.queueing._checks import require_count, require_not_negative, require_positive


@dataclass(frozen=True, kw_only=True)
class Repairman:
    """Steady state of M/M/c//N.

    ``throughput`` is in customers per second, ``utilisation`` that of one server; ``response_time`` (s) is
    waiting and service, ``mean_present`` the customers that wait or are served.
    """

    throughput: float
    utilisation: float
    response_time: float
    mean_present: float


def machine_repairman(
    *, population: int, think_time: float, service_time: float, servers: int = 1
) -> Repairman:
    """M/M/c//N: each of N customers thinks, then waits for one of c servers.

    pₙ ∝ N!/(N−n)! · (s/Z)ⁿ / Π_{i≤n} min(i, c); X = Σ pₙ·min(n, c)/s; R = N/X − Z.

    N workers that compute for Z and push to one shard that takes s per update. Exact for exponential service;
    the think time may have any distribution (the model is insensitive to it).

    Parameters
    ----------
    population
        N customers.
    think_time, service_time
        Means Z and s, s. Without think time all customers are always at the queue.
    servers
        c.

    Raises
    ------
    ValueError
        Unless population and servers are at least 1, service_time > 0 and think_time ≥ 0.

    References
    ----------
    Palm 1947, Industritidningen Norden; Kleinrock 1975, *Queueing Systems* vol. 1, sections 3.8 and 3.10;
    Bunday & Scraton 1980, Eur. J. Oper. Res. 4:399 (insensitivity).

    Examples
    --------
    >>> round(machine_repairman(population=2, think_time=1, service_time=1).throughput, 9)  # 4/5
    0.8
    """
    require_count(population=population, servers=servers)
    require_not_negative(think_time=think_time)
    require_positive(service_time=service_time)
    n = np.arange(population + 1)
    rates = np.minimum(n, servers) / service_time
    if think_time == 0:
        probabilities = (n == population).astype(np.float64)
    else:
        steps = np.log((population - n[:-1]) / think_time) - np.log(rates[1:])
        weights = np.concatenate([[0.0], np.cumsum(steps)])
        probabilities = np.exp(weights - weights.max())
        probabilities /= probabilities.sum()
    return _repairman(service_time, servers, float(probabilities @ rates), float(probabilities @ n))


def general_repairman(*, population: int, think_time: float, service_time: float, scv: float) -> Repairman:
    """M/G/1//N: as `machine_repairman` with one server, but any variability of service.

    The server is idle for 1/(1 + N·s/Z·Σₙ C(N−1,n)·Πᵢ₌₁ⁿ (1/B*(i/Z) − 1)) of the time, n = 0 … N−1, where B* is
    the Laplace–Stieltjes transform of the service time: here a gamma distribution, or a constant.

    Exact for exponential think times and service first come, first served.

    Parameters
    ----------
    population
        N customers.
    think_time, service_time
        Means Z and s, s.
    scv
        Squared coefficient of variation c² of the service times: 0 deterministic, 1 exponential.

    Raises
    ------
    ValueError
        Unless the population is at least 1, both times are positive and c² is at least 0.

    References
    ----------
    Ashcroft 1950, J. Roy. Stat. Soc. B 12(1):145 (deterministic); Takács 1962, *Introduction to the Theory of
    Queues*, chapter 5.

    Examples
    --------
    >>> fixed = general_repairman(population=2, think_time=1, service_time=1, scv=0)
    >>> round(fixed.throughput, 6)  # 2·e/(1 + 2·e)
    0.844638
    """
    require_count(population=population)
    require_positive(think_time=think_time, service_time=service_time)
    require_not_negative(scv=scv)
    n = np.arange(1, population)
    exponent = n * service_time / think_time
    log_inverse_transform = exponent if scv == 0 else np.log1p(scv * exponent) / scv
    # In logarithms: the products overflow from some tens of customers.
    log_factor = log_inverse_transform + np.log(-np.expm1(-log_inverse_transform))
    log_terms = np.concatenate([[0.0], np.cumsum(np.log((population - n) / n) + log_factor)])
    log_busy = np.log(population * service_time / think_time) + np.logaddexp.reduce(log_terms)
    utilisation = float(1 / (1 + np.exp(-log_busy)))
    throughput = utilisation / service_time
    return _repairman(service_time, 1, throughput, population - throughput * think_time)


def _repairman(service_time: float, servers: int, throughput: float, mean_present: float) -> Repairman:
    return Repairman(
        throughput=throughput,
        utilisation=throughput * service_time / servers,
        response_time=mean_present / throughput,
        mean_present=mean_present,
    )
