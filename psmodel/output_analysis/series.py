"""A series of correlated values: where its warm-up ends, and the mean and quantiles of the rest."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from psmodel.output_analysis.estimate import (
    FEWEST,
    TOO_FEW,
    Array,
    Estimate,
    finite_values,
    is_constant,
    replications,
    student_quantile,
)

CORRELATED = "values are still correlated over a twentieth of the run: the interval is too narrow, run longer"
WARMING_UP = "the warm-up may not be over: run longer"

_BATCHES = 20  # 10 to 30 do (Schmeiser 1982); up to twice as many are kept
_MOST = 0.8
"""Autocorrelation of batch means up to which an interval is widened for it; beyond, it is flagged anyway."""
_INDEPENDENT = 1.28  # normal quantile: one series in ten of independent values is taken for correlated


def batch_means(series: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Mean of a correlated stationary series, from the means of batches long enough to be independent.

    The batch size is doubled until the lag-1 autocorrelation r of the batch means is not significant (r ≤ 1.28/√b
    for b batches) and then until 20 to 39 batches are left, whose means are treated as replications. If 20 batches
    are still correlated the estimate is flagged.

    Parameters
    ----------
    series
        Values in the order of time, warm-up removed; shape (n,), n ≥ 1. If batches do not divide it, the first
        few are left out.
    confidence
        Of the interval.

    Raises
    ------
    ValueError
        If there is no value, one is not finite, or the confidence is not between 0 and 1.

    References
    ----------
    Schmeiser 1982, Operations Research 30(3):556 (number of batches); Fishman 1978, Management Science
    24(5):510 (growing them until uncorrelated).

    Examples
    --------
    >>> batch_means([2.0] * 100).half_width
    0.0
    """
    x = finite_values(series)
    size = 1
    while x.size >= 2 * size * _BATCHES and _is_correlated(_batched(x, size)):
        size *= 2
    flags = (CORRELATED,) if _is_correlated(_batched(x, size)) else ()
    while x.size >= 2 * size * _BATCHES:
        size *= 2
    estimate = replications(_batched(x, size), confidence=confidence)
    return replace(estimate, flags=estimate.flags + flags)


def warmup_length(series: ArrayLike) -> tuple[int, bool]:
    """How many first values to drop, by MSER-5, and whether the rest is long enough to say so.

    Over batches z of five values: the d that makes Σ_{j>d} (z_j − mean)² / (m − d)² smallest, the squared
    standard error of what is kept. A minimum in the second half means that the series is too short. Series of
    fewer than 50 values are not batched.

    Parameters
    ----------
    series
        Values in the order of time from the very start; shape (n,), n ≥ 1.

    Returns
    -------
    length, is_over
        Values to drop, at most half of them; False where more might have to be.

    Raises
    ------
    ValueError
        If there is no value or one is not finite.

    References
    ----------
    White 1997, Simulation 69(6):323; White, Cobb & Spratt 2000, Proc. Winter Simulation Conf., p. 755.

    Examples
    --------
    >>> import numpy as np
    >>> warmup_length(np.r_[np.linspace(9, 1, 40), np.tile([0.9, 1.0, 1.1], 200)])
    (40, True)
    """
    x = finite_values(series)
    if is_constant(x):
        return 0, True
    if x.size < FEWEST:
        return 0, False
    size = 5 if x.size >= 5 * FEWEST else 1
    z = x[: x.size // size * size].reshape(-1, size).mean(axis=1)
    z = z - z.mean()
    counts = np.arange(z.size, 0, -1)
    sums, squares = (np.cumsum(power[::-1])[::-1] for power in (z, z**2))
    # The last few always look calm.
    error = ((squares - sums**2 / counts) / counts**2)[: z.size - 4]
    half = z.size // 2
    return int(np.argmin(error[: half + 1])) * size, bool(np.argmin(error) <= half)


def steady_state(series: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Mean in steady state: `warmup_length` is dropped, `batch_means` of the rest.

    Parameters
    ----------
    series
        Values in the order of time from the very start; shape (n,), n ≥ 1.
    confidence
        Of the interval.

    Raises
    ------
    ValueError
        If there is no value, one is not finite, or the confidence is not between 0 and 1.
    """
    x = finite_values(series)
    length, is_over = warmup_length(x)
    estimate = batch_means(x[length:], confidence=confidence)
    return estimate if is_over else replace(estimate, flags=(*estimate.flags, WARMING_UP))


def sequential_mean(series: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Mean of a correlated stationary series that goes on until its interval is narrow enough.

    As `batch_means`, but wider, because a run that ends as soon as its interval is narrow ends more often where the
    interval is too narrow by chance: of 20 to 39 batches and of 10 to 19, longer ones, the wider interval is taken,
    each widened by √((1 + r)/(1 − r)) for what the batch means are still correlated, r at lag 1 less its bias −1/b.

    Parameters
    ----------
    series
        Values in the order of time, warm-up removed; shape (n,), n ≥ 1.
    confidence
        Of the interval.

    Raises
    ------
    ValueError
        If there is no value, one is not finite, or the confidence is not between 0 and 1.

    References
    ----------
    Tafazzoli & Wilson 2011, "Skart", IIE Transactions 43(2):110 (the adjustment); Law & Kelton 1982, Management
    Science 28(5):550 (fixed-width procedures that end too early).

    Examples
    --------
    >>> sequential_mean([2.0] * 100).half_width
    0.0
    """
    estimate = batch_means(series, confidence=confidence)
    x = finite_values(series)
    width = estimate.half_width
    for batches in (_BATCHES, _BATCHES // 2):
        size = 1
        while x.size >= 2 * size * batches:
            size *= 2
        means = _batched(x, size)
        if means.size >= FEWEST:
            r = min(max(_autocorrelation(means) + 1 / means.size, 0.0), _MOST)
            plain = replications(means, confidence=confidence).half_width
            width = max(width, plain * math.sqrt((1 + r) / (1 - r)))
    return replace(estimate, half_width=width)


def quantile(series: ArrayLike, probability: float, *, confidence: float = 0.95) -> Estimate:
    """A quantile of a stationary series with its interval by sectioning.

    The point is the quantile q of the whole series, the width t·√(Σ (qᵢ − q)² / (b·(b−1))) comes from the
    quantiles qᵢ of b = 10 equal sections. Flagged where a section has no value beyond the quantile to expect.

    Parameters
    ----------
    series
        Values in the order of time, warm-up removed; shape (n,), n ≥ 1.
    probability
        Between 0 and 1: 0.95 for p95.
    confidence
        Of the interval.

    Raises
    ------
    ValueError
        If there is no value, one is not finite, or a probability is not between 0 and 1.

    References
    ----------
    Asmussen & Glynn 2007, *Stochastic Simulation: Algorithms and Analysis*, chapter III (sectioning).
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"probability is {probability:g}; it must lie between 0 and 1")
    x = finite_values(series)
    t = student_quantile(confidence, FEWEST - 1)
    point = float(np.quantile(x, probability))
    size = x.size // FEWEST
    few = size == 0 or size * min(probability, 1 - probability) < 1
    flags = (TOO_FEW,) if few and not is_constant(x) else ()
    if size == 0:
        return Estimate(mean=point, half_width=math.inf, confidence=confidence, count=0, flags=(TOO_FEW,))
    sections = np.quantile(x[x.size - size * FEWEST :].reshape(FEWEST, size), probability, axis=1)
    half_width = t * math.sqrt(float(np.sum((sections - point) ** 2)) / (FEWEST * (FEWEST - 1)))
    return Estimate(mean=point, half_width=half_width, confidence=confidence, count=FEWEST, flags=flags)


def _batched(x: Array, size: int) -> Array:
    return np.asarray(x[x.size % size :].reshape(-1, size).mean(axis=1), dtype=np.float64)


def _is_correlated(x: Array) -> bool:
    """Whether the lag-1 autocorrelation is significantly positive."""
    return _autocorrelation(x) > _INDEPENDENT / math.sqrt(x.size)


def _autocorrelation(x: Array) -> float:
    """At lag 1; 0 of a constant."""
    if x.size < 3 or is_constant(x):
        return 0.0
    deviation = x - x.mean()
    deviation /= np.abs(deviation).max()  # squares of tiny numbers would vanish
    return float(deviation[1:] @ deviation[:-1]) / float(deviation @ deviation)
