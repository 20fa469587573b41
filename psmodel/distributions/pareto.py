"""The Pareto distribution, for heavy tails."""

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import AfterValidator, Field, ValidationInfo

from psmodel.distributions.base import (
    Array,
    ContinuousTime,
    PositiveTime,
    check_rank,
)


def _shape_with_mean(value: float, info: ValidationInfo) -> float:
    if not 1 < value <= _MOST_SHAPE:
        raise ValueError(
            f"{info.field_name} is {value:g}; it must be greater than 1, else a Pareto time has no mean, "
            f"and at most {_MOST_SHAPE:g}"
        )
    return value


_MOST_SHAPE = 1e6


class Pareto(ContinuousTime):
    """Pareto: P(X > x) = (minimum/x)^shape for x ≥ minimum; the variance is infinite for shape ≤ 2."""

    times: ClassVar = ("minimum",)
    kind: Literal["pareto"] = "pareto"
    minimum: PositiveTime
    shape: Annotated[
        float,
        AfterValidator(_shape_with_mean),
        Field(json_schema_extra={"exclusiveMinimum": 1, "maximum": _MOST_SHAPE}),
    ]

    def expected(self) -> float:
        return self.minimum * self.shape / (self.shape - 1)

    def variance(self) -> float:
        if self.shape <= 2:
            return math.inf
        return self.minimum**2 * self.shape / ((self.shape - 1) ** 2 * (self.shape - 2))

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        return self.minimum * np.exp(rng.standard_exponential(size) / self.shape)

    def survival(self, x: ArrayLike) -> Array:
        ratio = self.minimum / np.maximum(np.asarray(x, dtype=np.float64), self.minimum)
        return np.asarray(ratio**self.shape, dtype=np.float64)

    def _from_normal(self, z: Array) -> Array:
        from scipy.special import log_ndtr

        with np.errstate(
            over="ignore"
        ):  # a quantile that hardly has a probability may lie beyond all doubles
            return np.asarray(self.minimum * np.exp(-log_ndtr(-z) / self.shape), dtype=np.float64)

    def expected_order_statistic(self, rank: int, n: int) -> float:
        """E[X₍r₎] = minimum·n!/(n−r)!·Γ(n−r+1−1/shape)/Γ(n+1−1/shape), s (Malik 1966, Skand. Aktuar. 49)."""
        check_rank(rank, n)
        # The quotients as a product over k: a difference of large log-gammas loses digits.
        k = np.arange(n - rank + 1, n + 1)
        return self.minimum * math.exp(-float(np.sum(np.log1p(-1 / (self.shape * k)))))
