"""A distribution of one's own: Weibull's, as a time to failure has it."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from psmodel.distributions.base import ContinuousTime, PositiveTime

Array = NDArray[np.float64]


class Weibull(ContinuousTime):
    """P(X > x) = exp(−(x / scale)^shape)."""

    times = ("scale",)
    kind: Literal["weibull"] = "weibull"
    scale: PositiveTime
    shape: float

    def expected(self) -> float:
        return self.scale * math.gamma(1 + 1 / self.shape)

    def variance(self) -> float:
        return self.scale**2 * math.gamma(1 + 2 / self.shape) - self.expected() ** 2

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        return self.scale * rng.weibull(self.shape, size)

    def survival(self, x: ArrayLike) -> Array:
        return np.exp(-((np.maximum(x, 0.0) / self.scale) ** self.shape))

    def _from_normal(self, z: Array) -> Array:
        from scipy.special import log_ndtr

        return self.scale * np.asarray(-log_ndtr(-z)) ** (1 / self.shape)
