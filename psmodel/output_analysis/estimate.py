"""Independent values: their mean, its interval, and how many more are needed."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

TOO_FEW = "too few values to know the width of the interval"

FEWEST = 10
"""Values from which a spread is known well enough to be used."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean (or quantile) with its confidence interval, in the unit of the values.

    Attributes
    ----------
    mean
        The point estimate.
    half_width
        The interval is mean ± half_width; infinite if nothing is known.
    confidence
        Share of such intervals that cover the true value, say 0.95.
    count
        Independent values that the interval rests on (batches, replications).
    flags
        Why not to believe it; empty if all is well.
    """

    mean: float
    half_width: float
    confidence: float
    count: int
    flags: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.flags

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half_width

    @property
    def relative_half_width(self) -> float:
        """Half width as a share of the mean; infinite for a mean of 0 that is not certain."""
        if self.half_width == 0:
            return 0.0
        return self.half_width / abs(self.mean) if self.mean else math.inf


def student_quantile(confidence: float, degrees_of_freedom: int) -> float:
    """t such that |T| ≤ t with probability ``confidence`` (Student 1908, Biometrika 6(1):1).

    Raises
    ------
    ValueError
        Unless 0 < confidence < 1.

    Examples
    --------
    >>> round(student_quantile(0.95, 9), 3)
    2.262
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence:g}; it must lie between 0 and 1, say 0.95")
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, (1 + confidence) / 2))


def replications(values: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Mean of independent values with Student's interval, mean ± t·s/√n.

    Parameters
    ----------
    values
        One per replication; shape (n,), n ≥ 1.
    confidence
        Of the interval.

    Raises
    ------
    ValueError
        If there is no value, one is not finite, or the confidence is not between 0 and 1.

    References
    ----------
    Law 2015, *Simulation Modeling and Analysis*, 5th ed., eq. 4.12.

    Examples
    --------
    >>> estimate = replications([1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09], confidence=0.90)
    >>> round(estimate.mean, 2), round(estimate.half_width, 2)
    (1.34, 0.24)
    """
    x = finite_values(values)
    few = (TOO_FEW,) if x.size < FEWEST and not is_constant(x) else ()
    if x.size == 1:
        return Estimate(
            mean=float(x[0]), half_width=math.inf, confidence=confidence, count=1, flags=(TOO_FEW,)
        )
    half_width = student_quantile(confidence, x.size - 1) * float(np.std(x, ddof=1)) / math.sqrt(x.size)
    return Estimate(
        mean=float(np.mean(x)), half_width=half_width, confidence=confidence, count=x.size, flags=few
    )


def replications_needed(values: ArrayLike, *, precision: float, confidence: float = 0.95) -> int:
    """How many replications a relative precision takes, guessed from those at hand.

    Equal to the number at hand once the precision is reached: run until then. The half width falls as 1/√n;
    no more than twice the number at hand is asked for at once, because the guess is rough. The rule depends on
    the values alone, so the number of processes that ran them changes nothing.

    Parameters
    ----------
    values
        One per replication so far; shape (n,), n ≥ 0.
    precision
        Wanted |estimate − truth| / |truth|, say 0.01. Reached when half_width/|mean| ≤ precision/(1 + precision).
    confidence
        Of the interval.

    Raises
    ------
    ValueError
        If the precision is not positive, a value not finite, or the confidence not between 0 and 1.

    References
    ----------
    Law 2015, *Simulation Modeling and Analysis*, 5th ed., section 9.4.1 (the sequential procedure).

    Examples
    --------
    >>> replications_needed([], precision=0.01)
    10
    """
    if not precision > 0:
        raise ValueError(f"precision is {precision:g}; it must be greater than 0, say 0.01")
    count = np.size(values)
    if count < FEWEST:
        return FEWEST
    ratio = replications(values, confidence=confidence).relative_half_width * (1 + precision) / precision
    return count if ratio <= 1 else max(count + 1, math.ceil(count * min(ratio**2, 2)))


def finite_values(values: ArrayLike) -> Array:
    """The values as an array of shape (n,), n ≥ 1, or a refusal."""
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"values have the shape {x.shape}; it must be (n,) with n of at least 1")
    if not np.all(np.isfinite(x)):
        raise ValueError(
            f"value {int(np.argmin(np.isfinite(x)))} is {x[~np.isfinite(x)][0]}; it must be finite"
        )
    return x


def is_constant(values: Array) -> bool:
    """Whether the values differ by no more than rounding, which is no randomness."""
    return bool(np.ptp(values) <= 1e-9 * np.max(np.abs(values)))
