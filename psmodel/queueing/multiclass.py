"""Mean value analysis of a closed network with several classes of customers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from psmodel.queueing._checks import require_count, require_not_negative

Array = NDArray[np.float64]


_TOLERANCE = 1e-10
_MAX_ITERATIONS = 100_000


@dataclass(frozen=True, kw_only=True, eq=False)
class MultiClassNetwork:
    """Approximate steady state of a closed network of several classes.

    Attributes
    ----------
    throughputs
        Cycles per second of each class; shape (classes,).
    response_times
        Mean time per cycle at the stations, s, without think time; shape (classes,).
    residence_times
        Mean time per cycle of each class at each station, s; shape (classes, stations).
    mean_present
        Mean number of customers of each class at each station; shape (classes, stations).
    utilisation
        Share of time that each station is busy; shape (stations,).
    """

    throughputs: Array
    response_times: Array
    residence_times: Array
    mean_present: Array
    utilisation: Array


def approximate_mva(
    demands: ArrayLike, *, populations: Sequence[int], think_times: Sequence[float]
) -> MultiClassNetwork:
    """Approximate mean value analysis of a closed network of several classes (Bard–Schweitzer).

    R_ck = D_ck·(1 + Σⱼ Q_jk − Q_ck/N_c), X_c = N_c/(Z_c + Σₖ R_ck), Q_ck = X_c·R_ck, repeated until no Q
    changes by 1e-10 of its class's population.

    For workers of unequal speed, each kind a class. An approximation even where the network has a product
    form, worst for classes of a single customer.

    Parameters
    ----------
    demands
        D_ck, seconds that a customer of class c needs of queueing station k per cycle; shape
        (classes, stations). What a class spends without queueing belongs to its think time.
    populations
        N_c customers of each class.
    think_times
        Z_c, s.

    Raises
    ------
    ValueError
        If shapes differ, a demand or think time is negative, a population is below 1, or a class spends no
        time.
    ArithmeticError
        If the fixed point is not reached.

    References
    ----------
    Bard 1979 and Schweitzer 1979; Lazowska et al. 1984, *Quantitative System Performance*, section 7.4.2.

    Examples
    --------
    >>> network = approximate_mva([[1, 3], [2, 4]], populations=[1, 1], think_times=[0, 0])
    >>> network.throughputs.round(3).tolist()
    [0.154, 0.104]
    """
    demand = np.atleast_2d(np.asarray(demands, dtype=np.float64))
    number = np.asarray(populations, dtype=np.float64)
    think = np.asarray(think_times, dtype=np.float64)
    classes, stations = demand.shape
    if number.shape != (classes,) or think.shape != (classes,):
        raise ValueError(
            f"demands has {classes} classes, populations {number.size} and think_times {think.size}; "
            "they must be as many"
        )
    for c in range(classes):
        require_count(**{f"populations[{c}]": populations[c]})
        require_not_negative(**{f"think_times[{c}]": think[c], f"demands[{c}]": demand[c].min()})
        if not 0 < demand[c].sum() + think[c] < np.inf:
            raise ValueError(f"class {c} has no demand and no think time; a cycle must take some time")
    present = np.tile(number[:, None] / stations, stations)
    for _ in range(_MAX_ITERATIONS):
        residence = demand * (1 + present.sum(axis=0) - present / number[:, None])
        throughputs = number / (think + residence.sum(axis=1))
        previous, present = present, throughputs[:, None] * residence
        if np.max(np.abs(present - previous) / number[:, None]) < _TOLERANCE:
            break
    else:
        raise ArithmeticError(f"the queue lengths still change after {_MAX_ITERATIONS} iterations")
    return MultiClassNetwork(
        throughputs=throughputs,
        response_times=residence.sum(axis=1),
        residence_times=residence,
        mean_present=present,
        utilisation=throughputs @ demand,
    )
