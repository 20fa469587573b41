"""Is a simulated mean below a limit? As many replications as that takes, and a stated risk of being wrong."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from psmodel.output_analysis.estimate import finite_values, is_constant

Side = Literal["below", "above"]

FIRST = 10
"""Replications from which the variance is estimated before the first look."""


def side(
    values: ArrayLike, limit: float, *, tolerance: float, error: float, first: int = FIRST
) -> Side | None:
    """On which side of a limit the mean of independent values lies; None: another value must tell.

    Procedure F_B, fully sequential: call it after every value and stop at the first answer. The partial sum of
    (value − limit) leaves the triangle ± max(0, h²S²/(2ε) − ε·r/2) at last when r reaches h²S²/ε², where S² is the
    variance of the first n₀ values, h² = 2η(n₀ − 1) and η = ((2β)^(−2/(n₀−1)) − 1)/2. Looks after every value are
    accounted for: the answer is wrong with a probability of at most β where the mean is at least ε from the
    limit, and either answer is right where it is nearer (the indifference zone), for normal values. Means of
    many iterations nearly are.

    Parameters
    ----------
    values
        One per replication so far; shape (r,), r ≥ 1.
    tolerance
        ε > 0, in the unit of the values.
    error
        β, the probability of a wrong answer that is accepted, less than 0.5.
    first
        n₀.

    References
    ----------
    Andradóttir & Kim 2010, "Fully sequential procedures for comparing constrained systems via simulation", Naval
    Research Logistics 57(5):403, procedure F_B for one constraint with c = 1; its triangle is that of Kim & Nelson
    2001, ACM TOMACS 11(3):251.

    Examples
    --------
    >>> side([1.0, 1.1, 0.9, 1.0, 1.05, 0.95], 2.0, tolerance=0.1, error=0.01, first=5)
    'below'
    >>> side([1.0, 1.1], 2.0, tolerance=0.1, error=0.01) is None
    True
    """
    if not tolerance > 0 or not 0 < error < 0.5:
        raise ValueError(
            f"tolerance is {tolerance:g} and error {error:g}; they are above 0, and error below 0.5"
        )
    x = finite_values(values)
    if x.size < first:
        return None
    beyond = float(np.sum(x - limit))
    if is_constant(x):
        return "below" if beyond <= 1e-9 * x.size * abs(limit) else "above"
    eta = ((2 * error) ** (-2 / (first - 1)) - 1) / 2
    spread = 2 * eta * (first - 1) * float(np.var(x[:first], ddof=1))
    width = max(0.0, spread / (2 * tolerance) - tolerance * x.size / 2)
    if abs(beyond) < width:
        return None
    return "below" if beyond <= 0 else "above"


def most_values(values: ArrayLike, *, tolerance: float, error: float, first: int = FIRST) -> int:
    """How many values `side` may need at most, by the variance of the first; `first` while those are not there.

    >>> most_values([1.0, 1.1, 0.9, 1.0, 1.05], tolerance=0.1, error=0.01, first=5)
    14
    """
    x = finite_values(values) if np.size(values) else np.empty(0)
    if x.size < first or is_constant(x):
        return first
    eta = ((2 * error) ** (-2 / (first - 1)) - 1) / 2
    spread = 2 * eta * (first - 1) * float(np.var(x[:first], ddof=1))
    return max(first, math.floor(spread / tolerance**2) + 1)
