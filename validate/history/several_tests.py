"""Many comparisons at once: how sure each has to be so that all of them together are seldom wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What becomes of one of several hypotheses: whether it is rejected, and the level it was held to."""

    rejected: bool
    level: float


def holm(p_values: Sequence[float], alpha: float) -> list[Decision]:
    """Holm's step-down rule: with probability at least 1 − alpha no true hypothesis is rejected, however dependent.

    The k-th smallest of m p-values is held to alpha / (m − k + 1), until one is not below (Holm 1979, "A simple
    sequentially rejective multiple test procedure", Scand. J. Statist. 6). All that follow are held to that last level:
    so each p-value is below its own level exactly if its hypothesis is rejected.

    >>> [d.rejected for d in holm([0.01, 0.04, 0.03, 0.005], 0.05)]
    [True, False, False, True]
    """
    decisions = [Decision(rejected=False, level=alpha)] * len(p_values)
    level, going = alpha, True
    for rank, index in enumerate(np.argsort(p_values, kind="stable").tolist()):
        if going:
            level = alpha / (len(p_values) - rank)
            going = p_values[index] < level
        decisions[index] = Decision(rejected=going, level=level)
    return decisions


def benjamini_hochberg(p_values: Sequence[float], q: float) -> list[bool]:
    """Which hypotheses are rejected so that, on average, at most the part q of those is wrongly so.

    The k smallest of m are rejected for the largest k whose p-value is at most q k / m (Benjamini and Hochberg 1995,
    J. R. Statist. Soc. B 57); for independent or positively dependent p-values.

    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.005], 0.05)
    [True, True, True, True]
    """
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")
    below = [k for k, index in enumerate(order, start=1) if p_values[index] <= q * k / m]
    rejected = [False] * m
    for index in order[: max(below, default=0)].tolist():
        rejected[index] = True
    return rejected
