"""Is a simulated mean below a limit? As many replications as that takes, and a stated risk of being wrong."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from psmodel.output_analysis.estimate import Array, finite_values, is_constant

Side = Literal["below", "above"]

FIRST = 10
"""Replications from which procedure F_B estimates the variance."""
_SCALES = (0.01, 1.0, 100.0)
"""Variances of the effect sizes that are mixed: differences of a tenth of the spread, of all of it, of ten times."""


def side(values: ArrayLike, limit: float, *, tolerance: float, error: float) -> Side | None:
    """On which side of a limit the mean of independent values lies; None: another value must tell.

    Fully sequential: call it after every value and stop at the first answer; looks after every value are accounted
    for. Two tests run side by side, each with half of the error, and the first to answer does:

    * a t-test by mixture (Robbins 1970; the mixture over normal effect sizes is that of Gönen et al. 2005), whose
      Bayes factor stays below 1/β for ever with a probability of at least 1 − β where the mean is the limit. It ends
      soon where the mean is far from the limit, whatever the tolerance.
    * procedure F_B of Andradóttir & Kim 2010 (for one constraint, c = 1; its triangle is that of Kim & Nelson 2001):
      the sum of (value − limit) leaves ± max(0, h²S²/(2ε) − ε·r/2) at last when r reaches h²S²/ε², where S² is the
      variance of the first n₀ values, h² = 2η(n₀ − 1) and η = ((2β)^(−2/(n₀−1)) − 1)/2. It ends even where the mean
      is next to the limit, and is right with 1 − β where it is at least the tolerance ε away (the indifference zone).

    Both suppose normal values; means of many iterations nearly are.

    Parameters
    ----------
    values
        One per replication so far; shape (r,), r ≥ 1.
    tolerance
        ε > 0, in the unit of the values.
    error
        Probability of a wrong answer that is accepted, less than 0.5.

    References
    ----------
    Robbins 1970, "Statistical methods related to the law of the iterated logarithm", Annals of Mathematical
    Statistics 41(5):1397. Gönen, Johnson, Lu & Westfall 2005, "The Bayesian two-sample t test", The American
    Statistician 59(3):252. Pérez-Ortiz, Lardy, de Heide & Grünwald 2024, "E-statistics, group invariance and
    anytime-valid testing", Annals of Statistics 52(4):1410 (why it may be looked at after every value).
    Andradóttir & Kim 2010, "Fully sequential procedures for comparing constrained systems via simulation", Naval
    Research Logistics 57(5):403. Kim & Nelson 2001, ACM TOMACS 11(3):251.

    Examples
    --------
    >>> side([1.0, 1.1, 0.9, 1.0, 1.05, 0.95], 2.0, tolerance=0.1, error=0.01)
    'below'
    >>> side([1.0, 1.1], 2.0, tolerance=0.1, error=0.01) is None
    True
    """
    if not tolerance > 0 or not 0 < error < 0.5:
        raise ValueError(
            f"tolerance is {tolerance:g} and error {error:g}; they are above 0, and error below 0.5"
        )
    x = finite_values(values)
    beyond = float(np.sum(x - limit))
    if is_constant(x):
        # Nothing is known yet of a spread that a few more values may show.
        if x.size < FIRST:
            return None
        return "below" if beyond <= 1e-9 * x.size * abs(limit) else "above"
    if log_bayes_factor(x, limit) >= -math.log(error) or _leaves_triangle(x, beyond, tolerance, error / 2):
        return "below" if beyond <= 0 else "above"
    return None


def log_bayes_factor(values: ArrayLike, limit: float) -> float:
    """Logarithm of the odds, by the values, for a mean elsewhere than at the limit: a mixture over effect sizes.

    With t on ν = n − 1 degrees of freedom and effect sizes of variance g, (1 + ng)^(−1/2)·((1 + t²/ν)/(1 + t²/(ν(1 +
    ng))))^(n/2) (Gönen et al. 2005, eq. 3 for one sample), averaged over a few g. One half of the error lies on
    either side, so that one side alone is wrong with half the probability.

    >>> round(log_bayes_factor([1.0, 1.2, 0.8], 1.0), 2)
    -0.66
    """
    x = finite_values(values)
    n = x.size
    if n < 2:
        return 0.0
    ratio = n * (float(np.mean(x)) - limit) ** 2 / float(np.var(x, ddof=1)) / (n - 1)
    logs = [
        -0.5 * math.log1p(n * g) + 0.5 * n * (math.log1p(ratio) - math.log1p(ratio / (1 + n * g)))
        for g in _SCALES
    ]
    most = max(logs)
    return most + math.log(math.fsum(math.exp(value - most) for value in logs) / len(logs))


def _leaves_triangle(x: Array, beyond: float, tolerance: float, error: float) -> bool:
    if x.size < FIRST:
        return False
    eta = ((2 * error) ** (-2 / (FIRST - 1)) - 1) / 2
    spread = 2 * eta * (FIRST - 1) * float(np.var(x[:FIRST], ddof=1))
    return bool(abs(beyond) >= max(0.0, spread / (2 * tolerance) - tolerance * x.size / 2))
