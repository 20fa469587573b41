"""Max–min fair rates of fluid flows, and the arithmetic of their progress.

A flow holds a rate on every link of its path; rates are *max–min fair*: none can be raised without lowering one
that is not larger [1]_. A bundle of identical flows between interchangeable hosts is one flow here whose rate
counts on a link as many times as members pass through it (its *weight* there).

References
----------
.. [1] D. Bertsekas and R. Gallager, *Data Networks*, 2nd ed., Prentice Hall 1992, section 6.5.2 (progressive
   filling).
"""

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

TIE = 1e-12
"""Levels and instants that differ by less than this, relatively, are one."""


def max_min(capacity: Floats, links: Ints, weights: Floats, limit: Floats) -> Floats:
    """Max–min fair rates by progressive filling, every local bottleneck of a round at once.

    Parameters
    ----------
    capacity
        Capacity of each link, units/s; shape (L,); may hold inf.
    links
        Links on each flow's path; shape (P, F); a short path is filled up with any link at weight 0.
    weights
        How many times the flow's rate counts on that link; shape (P, F).
    limit
        Upper bound of each flow's rate, units/s; shape (F,); may hold inf.

    Returns
    -------
    Floats
        Rate of one member of each flow, units/s; shape (F,).

    Notes
    -----
    A link's *level* is what is left of its capacity divided by the weight still to be served: it never falls
    while filling goes on. A link whose level is not above that of any link it shares a flow with therefore
    saturates at just this level, whatever happens elsewhere, so all such links are settled in one round.
    """
    rates = np.empty(links.shape[1])
    left = capacity.astype(float)
    active = np.arange(links.shape[1])
    n_links = capacity.size
    while active.size:
        load = np.zeros(n_links)
        for path, weight in zip(links, weights, strict=True):
            load += np.bincount(path, weight, n_links)
        with np.errstate(divide="ignore"):
            level = np.where(load > 0, left / np.where(load > 0, load, 1.0), math.inf)
        rate = np.minimum(level[links].min(axis=0), limit)
        smallest = np.full(n_links, math.inf)
        for path in links:
            np.minimum.at(smallest, path, rate)
        saturated = level <= smallest * (1 + TIE)
        settled = saturated[links] & (weights > 0)
        done = settled.any(axis=0) | (rate >= limit)
        if not done.any():  # rounding: settle what is lowest
            done = rate <= rate.min() * (1 + TIE)
        rates[active[done]] = rate[done]
        for path, weight in zip(links, weights, strict=True):
            left -= np.bincount(path[done], weight[done] * rate[done], n_links)
        np.maximum(left, 0.0, out=left)
        keep = ~done
        active, links, weights, limit = active[keep], links[:, keep], weights[:, keep], limit[keep]
    return rates


class Carrier(Protocol):
    """What a flow needs to know of a link."""

    @property
    def capacity(self) -> float: ...


class Flow:
    """One bundle of identical flows under way; `weights` says how often its rate counts on each link."""

    __slots__ = ("amount", "finish", "limit", "links", "number", "rate", "remaining", "since", "weights")

    def __init__(
        self,
        number: int,
        links: tuple[int, ...],
        weights: tuple[float, ...],
        amount: float,
        limit: float,
        now: float,
    ) -> None:
        self.number = number
        self.links = links
        self.weights = weights
        self.amount = amount
        self.limit = limit
        self.remaining = amount
        self.rate = 0.0
        self.since = now
        self.finish = math.inf

    def sent(self, now: float) -> float:
        """Units that one member has got through by `now`."""
        return min(self.amount, self.amount - self.remaining + self.rate * (now - self.since))

    def set_rate(self, rate: float, now: float) -> None:
        """From `now` on the flow runs at `rate`."""
        if rate != self.rate:
            self.remaining = max(0.0, self.remaining - self.rate * (now - self.since))
            self.since = now
            self.rate = rate
            self.finish = now + self.remaining / rate
