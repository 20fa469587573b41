"""Max–min fairness done slowly: by linear programs, and flow by flow without bundles or memory."""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Flows of `amount` each that start together; their rate counts on the links as `path` says."""

    path: Mapping[Hashable, float]
    amount: float = 1.0
    limit: float = math.inf
    start: float = 0.0


def lp_rates(capacity: Mapping[Hashable, float], bundles: Sequence[Bundle]) -> list[float]:
    """Max–min fair rates by the definition: raise the least rate as far as it goes, fix who is stuck, repeat.

    M. Pióro and D. Medhi, *Routing, Flow, and Capacity Design in Communication and Computer Networks*, 2004,
    section 8.1 (algorithm 8.1): one linear program for the level, one for each flow to see whether it is stuck.
    """
    links = [link for link, value in capacity.items() if math.isfinite(value)]
    usage = np.array([[bundle.path.get(link, 0.0) for bundle in bundles] for link in links])
    limits = np.array([capacity[link] for link in links])
    rates: dict[int, float] = {}

    def best(objective: Sequence[int], free: Sequence[int], level: float | None) -> float:
        """The largest sum of the objective's rates; the last variable is the level of all that are free."""
        n = len(bundles)
        cost = np.zeros(n + 1)
        cost[list(objective)] = -1.0
        above = np.zeros((len(free), n + 1))
        above[range(len(free)), free] = -1.0
        above[:, n] = 1.0
        result = linprog(
            cost,
            A_ub=np.vstack([np.hstack([usage, np.zeros((len(links), 1))]), above]),
            b_ub=np.concatenate([limits, np.zeros(len(free))]),
            bounds=[(rates.get(i, 0.0), rates.get(i, b.limit)) for i, b in enumerate(bundles)]
            + [(level or 0.0, level)],
            method="highs",
        )
        assert result.success, result.message
        return float(-result.fun)

    while len(rates) < len(bundles):
        free = [i for i in range(len(bundles)) if i not in rates]
        level = best([len(bundles)], free, None) * (1 - 1e-13)
        stuck = [i for i in free if best([i], free, level) <= level * (1 + 1e-7)]
        assert stuck
        rates |= dict.fromkeys(stuck, level)
    return [rates[i] for i in range(len(bundles))]


def filling_rates(capacity: Mapping[Hashable, float], bundles: Sequence[Bundle]) -> list[float]:
    """Textbook progressive filling: all rates rise together, and stop where a link or a limit stops them."""
    rates = [0.0] * len(bundles)
    rising = set(range(len(bundles)))
    left = dict(capacity)
    while rising:
        load: Counter[Hashable] = Counter()
        for i in rising:
            load.update(dict(bundles[i].path))
        step = min(
            [left[link] / weight for link, weight in load.items()]
            + [bundles[i].limit - rates[i] for i in rising]
        )
        assert math.isfinite(step)
        for link, weight in load.items():
            left[link] -= step * weight
        full = {link for link in load if left[link] <= 1e-12 * capacity[link]}
        for i in list(rising):
            rates[i] += step
            if not full.isdisjoint(bundles[i].path) or rates[i] >= bundles[i].limit * (1 - 1e-12):
                rising.remove(i)
    return rates


Rates = Callable[[Mapping[Hashable, float], Sequence[Bundle]], list[float]]


def completion_times(
    capacity: Mapping[Hashable, float], bundles: Sequence[Bundle], rates_of: Rates = filling_rates
) -> list[float]:
    """When each bundle's last unit leaves: between two events all rates are found anew from nothing."""
    now = 0.0
    left = [bundle.amount for bundle in bundles]
    ends = [math.inf] * len(bundles)
    for i, bundle in enumerate(bundles):
        if bundle.amount == 0:
            ends[i] = bundle.start
    while not all(map(math.isfinite, ends)):
        active = [i for i, b in enumerate(bundles) if b.start <= now and math.isinf(ends[i])]
        rates = rates_of(capacity, [bundles[i] for i in active])
        changes = [bundle.start for bundle in bundles if bundle.start > now]
        changes += [now + left[i] / rate for i, rate in zip(active, rates, strict=True)]
        then = min(changes)
        for i, rate in zip(active, rates, strict=True):
            if now + left[i] / rate <= then * (1 + 1e-12):
                ends[i] = then
            left[i] -= rate * (then - now)
        now = then
    return ends
