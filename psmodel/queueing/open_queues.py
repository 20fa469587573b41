"""One queue with Poisson arrivals from outside.

Times in seconds, rates per second. A shard under asynchronous pushes of many workers comes close to it; with
few workers use the machine repairman, who knows that a waiting worker sends nothing.
"""

from dataclasses import dataclass

from psmodel.queueing._checks import require_count, require_not_negative, require_positive, require_stable


@dataclass(frozen=True, kw_only=True)
class OpenQueue:
    """Steady state of an open queue.

    ``mean_waiting`` and ``mean_present`` are numbers of customers (in the line; in the line or in service):
    by Little's law (Little 1961, Operations Research 9(3):383) the arrival rate times the time spent there.
    """

    utilisation: float
    waiting_time: float
    response_time: float
    mean_waiting: float
    mean_present: float


def _open_queue(
    arrival_rate: float, utilisation: float, waiting_time: float, service_time: float
) -> OpenQueue:
    response_time = waiting_time + service_time
    return OpenQueue(
        utilisation=utilisation,
        waiting_time=waiting_time,
        response_time=response_time,
        mean_waiting=arrival_rate * waiting_time,
        mean_present=arrival_rate * response_time,
    )


def mg1(*, arrival_rate: float, service_time: float, scv: float) -> OpenQueue:
    """M/G/1, first come first served: the Pollaczek–Khinchine formula.

    W = ρ·s·(1 + c²) / (2·(1 − ρ)), ρ = λ·s.

    Parameters
    ----------
    arrival_rate
        λ of a Poisson process, 1/s.
    service_time
        Mean s of independent service times, s.
    scv
        Their squared coefficient of variation c² (variance / mean²): 0 deterministic, 1 exponential.

    Raises
    ------
    ValueError
        If λ or s is not positive, c² is negative or infinite, or ρ ≥ 1.

    References
    ----------
    Pollaczek 1930, Math. Z. 32:64; Khinchine 1932; Kleinrock 1975, *Queueing Systems* vol. 1, sections 5.5–5.7.

    Examples
    --------
    >>> round(mg1(arrival_rate=8, service_time=0.1, scv=1).waiting_time, 9)
    0.4
    """
    require_positive(arrival_rate=arrival_rate, service_time=service_time)
    require_not_negative(scv=scv)
    utilisation = arrival_rate * service_time
    require_stable(utilisation)
    waiting = utilisation * service_time * (1 + scv) / (2 * (1 - utilisation))
    return _open_queue(arrival_rate, utilisation, waiting, service_time)


def mm1(*, arrival_rate: float, service_time: float) -> OpenQueue:
    """M/M/1: exponential service times, one server; R = s / (1 − ρ) (Kleinrock 1975, eq. 3.26).

    Any order of service that does not look at the service times gives the same means.

    Raises
    ------
    ValueError
        If a parameter is not positive or ρ = λ·s ≥ 1.

    Examples
    --------
    >>> round(mm1(arrival_rate=9, service_time=0.1).response_time, 9)
    1.0
    """
    return mg1(arrival_rate=arrival_rate, service_time=service_time, scv=1)


def md1(*, arrival_rate: float, service_time: float) -> OpenQueue:
    """M/D/1: service always takes the same time; W = ρ·s / (2·(1 − ρ)), half that of M/M/1.

    The case c² = 0 of `mg1`.

    Raises
    ------
    ValueError
        If a parameter is not positive or ρ = λ·s ≥ 1.

    Examples
    --------
    >>> round(md1(arrival_rate=9, service_time=0.1).waiting_time, 9)
    0.45
    """
    return mg1(arrival_rate=arrival_rate, service_time=service_time, scv=0)


def mg1_ps(*, arrival_rate: float, service_time: float) -> OpenQueue:
    """M/G/1 processor sharing: all present share the server equally, as flows share a link.

    R = s / (1 − ρ) whatever the distribution of service times; who needs x alone takes x / (1 − ρ) in the
    mean. ``waiting_time`` is what sharing costs, R − s.

    Raises
    ------
    ValueError
        If a parameter is not positive or ρ = λ·s ≥ 1.

    References
    ----------
    Sakata, Noguchi & Oizumi 1971, Operations Research 19:371; Kleinrock 1976, *Queueing Systems* vol. 2,
    section 4.4.

    Examples
    --------
    >>> round(mg1_ps(arrival_rate=9, service_time=0.1).response_time, 9)
    1.0
    """
    require_positive(arrival_rate=arrival_rate, service_time=service_time)
    utilisation = arrival_rate * service_time
    require_stable(utilisation)
    waiting = service_time * utilisation / (1 - utilisation)
    return _open_queue(arrival_rate, utilisation, waiting, service_time)


def erlang_b(*, servers: int, offered_load: float) -> float:
    """Probability that all ``servers`` of a loss system M/G/c/c are busy.

    B(0) = 1, B(k) = a·B(k−1) / (k + a·B(k−1)), with the offered load a = λ·s in erlangs (Erlang 1917; the
    recursion: Jagerman 1974, Bell Syst. Tech. J. 53(3):525).

    Raises
    ------
    ValueError
        Unless servers ≥ 1 and the load is positive.

    Examples
    --------
    >>> round(erlang_b(servers=10, offered_load=4.461), 4)
    0.01
    """
    require_count(servers=servers)
    require_positive(offered_load=offered_load)
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = offered_load * blocked / (k + offered_load * blocked)
    return blocked


def erlang_c(*, servers: int, offered_load: float) -> float:
    """Probability that an arrival has to wait in M/M/c.

    C = B / (1 − ρ·(1 − B)), ρ = a/c, from Erlang's B (Erlang 1917; Cooper 1981, *Introduction to Queueing
    Theory*, 2nd ed., chapter 3).

    Raises
    ------
    ValueError
        Unless servers ≥ 1, the load is positive and below the number of servers.

    Examples
    --------
    >>> round(erlang_c(servers=2, offered_load=1), 6)
    0.333333
    """
    blocked = erlang_b(servers=servers, offered_load=offered_load)
    utilisation = offered_load / servers
    require_stable(utilisation)
    return blocked / (1 - utilisation * (1 - blocked))


def mmc(*, arrival_rate: float, service_time: float, servers: int) -> OpenQueue:
    """M/M/c: exponential service times, ``servers`` servers, one line; W = C·s / (c·(1 − ρ)), ρ = λ·s/c.

    Raises
    ------
    ValueError
        If a parameter is not positive or ρ ≥ 1.

    References
    ----------
    Kleinrock 1975, *Queueing Systems* vol. 1, section 3.5; C is `erlang_c`.

    Examples
    --------
    >>> round(mmc(arrival_rate=10, service_time=0.1, servers=2).waiting_time, 6)
    0.033333
    """
    require_count(servers=servers)
    require_positive(arrival_rate=arrival_rate, service_time=service_time)
    load = arrival_rate * service_time
    utilisation = load / servers
    must_wait = erlang_c(servers=servers, offered_load=load)
    waiting = must_wait * service_time / (servers * (1 - utilisation))
    return _open_queue(arrival_rate, utilisation, waiting, service_time)
