"""Max–min fair rates by progressive filling, with NumPy, or with Numba where there is much to solve.

All solvers take the same arguments and agree to rounding; see `numpy_solver` for their meaning.
"""

import math
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.intp]
Solver: TypeAlias = Callable[[Floats, Ints, Floats, Floats, Floats, float], Floats]

TIE = 1e-12
"""Levels, and instants, that differ by less than this, relatively, are one."""
_WORTH_LOADING = 200_000
"""So many flows solved by NumPy, in all solves together, take about as long as Numba's kernel takes to load."""
_LEAST = 100
"""A solve by NumPy takes at least as long as one of so many flows."""


def numpy_solver(
    capacity: Floats, paths: Ints, weights: Floats, limit: Floats, rates: Floats, floor: float
) -> Floats:
    """Max–min fair rates, all local bottlenecks of a round at once.

    Parameters
    ----------
    capacity
        Capacity of each link, units/s; shape (L,). The first is no link at all and its capacity inf.
    paths
        Links on each flow's path; shape (P, F); short paths are filled up with link 0 at weight 0.
    weights
        How often the flow's rate counts on that link; shape (P, F).
    limit
        Upper bound of each flow's rate, units/s; shape (F,); may hold inf.
    rates
        Rates before the change that makes this call necessary, units/s; shape (F,); 0 for a new flow.
    floor
        Rates below this one, units/s, are known to remain as they are.

    Returns
    -------
    Floats
        New rates, units/s; shape (F,).

    Notes
    -----
    A link's *level* is what is left of its capacity divided by the weight still to be served; it never falls
    while filling goes on. A link whose level is not above that of any link it shares a flow with therefore
    saturates at just this level, whatever happens elsewhere, so that all such links are settled in one round.

    Limits: each round costs a few passes over the flows not yet settled, and there can be as many rounds as
    there are different levels.
    """
    links = capacity.size
    fixed = (rates > 0) & (rates < floor * (1 - 1e-9))
    result = np.where(fixed, rates, 0.0)
    left = capacity - _sum_by_link(paths, weights * result, links)
    level = np.zeros(links)
    flows = np.arange(rates.size)
    remain = np.flatnonzero(~fixed)
    while remain.size:
        flows, limit = flows.take(remain), limit.take(remain)
        paths, weights = paths.take(remain, 1), weights.take(remain, 1)
        load = _sum_by_link(paths, weights, links)
        level = np.maximum(level, np.divide(left, load, out=np.full(links, math.inf), where=load > 0))
        rate = np.minimum(limit, level.take(paths).min(axis=0))
        smallest = np.full(links, math.inf)
        for path in paths:
            np.minimum.at(smallest, path, rate)
        settled = (level <= smallest * (1 + TIE)).take(paths).any(axis=0)
        settled |= rate == limit
        result[flows[settled]] = rate[settled]
        remain = np.flatnonzero(~settled)
        if remain.size:
            left -= _sum_by_link(paths, weights * np.where(settled, rate, 0.0), links)
    return result


def _sum_by_link(paths: Ints, values: Floats, links: int) -> Floats:
    total = np.zeros(links)
    for path, value in zip(paths, values, strict=True):
        total += np.bincount(path, value, links)
    return total


def link_level(capacity: float, weight: Floats, limit: Floats) -> float:
    """Rate of those flows on one link whose `limit` leaves them more; the link is full, or the rate is inf.

    Parameters
    ----------
    capacity
        Capacity of the link, units/s.
    weight
        How often each flow's rate counts on it; shape (F,).
    limit
        Upper bound of each flow's rate, units/s; shape (F,).
    """
    order = np.argsort(limit)
    limit, weight = limit[order], weight[order]
    with np.errstate(invalid="ignore"):  # 0 · inf, of a flow that is not on the link
        taken = np.where(weight > 0, weight * limit, 0.0)
    before = np.concatenate([[0.0], np.cumsum(taken[:-1])])
    left = np.cumsum(weight[::-1])[::-1]
    level = np.full(limit.size, math.inf)
    np.divide(capacity - before, left, out=level, where=left > 0)
    unlimited = np.flatnonzero((limit >= level) & (weight > 0))
    return float(level[unlimited[0]]) if unlimited.size else math.inf


@cache
def numba_solver() -> Solver:
    """The compiled solver; importing Numba takes half a second, and a first compilation some more.

    Raises
    ------
    ModuleNotFoundError
        If the extra `fast` is not installed.
    """
    from psmodel.simulation._numba import solve

    compiled: Solver = solve
    return compiled


@cache
def _has_numba() -> bool:
    return find_spec("numba") is not None


class BestSolver:
    """NumPy, and Numba (if installed) once there has been enough to solve for its loading to pay.

    What has been solved is counted for each network, so that a simulation gives the same numbers whatever its
    process did before.
    """

    def __init__(self) -> None:
        self._solved = 0

    def __call__(
        self, capacity: Floats, paths: Ints, weights: Floats, limit: Floats, rates: Floats, floor: float
    ) -> Floats:
        """See `numpy_solver`."""
        self._solved += max(_LEAST, rates.size)
        solve = numba_solver() if self._solved > _WORTH_LOADING and _has_numba() else numpy_solver
        return solve(capacity, paths, weights, limit, rates, floor)
