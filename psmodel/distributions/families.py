"""The parametric families: deterministic, normal, log-normal, exponential and gamma times."""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from psmodel.distributions.base import (
    Array,
    CoefficientOfVariation,
    ContinuousTime,
    PositiveTime,
    TimeDistribution,
    check_rank,
    distinct_factors,
)
from psmodel.units import Time


class Deterministic(TimeDistribution):
    """Always ``value``."""

    times: ClassVar = ("value",)
    kind: Literal["deterministic"] = "deterministic"
    value: Time

    @property
    def is_random(self) -> bool:
        return False

    def expected(self) -> float:
        return self.value

    def variance(self) -> float:
        return 0.0

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        return np.full(size, self.value)

    def survival(self, x: ArrayLike) -> Array:
        return (np.asarray(x) < self.value).astype(np.float64)

    def quantile(self, p: ArrayLike) -> Array:
        """The value, whatever ``p``, s."""
        return np.full(np.shape(p), self.value)

    def expected_order_statistic(self, rank: int, n: int) -> float:
        check_rank(rank, n)
        return self.value

    def expected_scaled_max(self, factors: Sequence[float]) -> float:
        return self.value * float(distinct_factors(factors)[0][-1])


class Normal(ContinuousTime):
    """Normal, truncated at 0: a draw below 0 is not counted and drawn again.

    ``mean`` and ``sd`` are those before truncation. The true mean, which ``expected()`` gives, is
    m + s·λ with λ = φ(m/s)/Φ(m/s), the true variance s²·(1 − λ·(λ + m/s)) (Johnson, Kotz & Balakrishnan 1994,
    *Continuous Univariate Distributions* vol. 1, section 13.10.1): at m = 3·s the mean is 0.4 % of s above m.
    """

    times: ClassVar = (
        "mean",
        "sd",
    )
    kind: Literal["normal"] = "normal"
    mean: Time
    sd: PositiveTime

    def _hazard(self) -> float:
        a = self.mean / self.sd
        return math.exp(-a * a / 2) / math.sqrt(2 * math.pi) / (math.erfc(-a / math.sqrt(2)) / 2)

    def expected(self) -> float:
        return self.mean + self.sd * self._hazard()

    def variance(self) -> float:
        hazard = self._hazard()
        return self.sd * self.sd * (1 - hazard * (hazard + self.mean / self.sd))

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        # By inversion: as many numbers from the generator as draws, where rejection would take more.
        return self._from_survival(1 - rng.random(size))

    def survival(self, x: ArrayLike) -> Array:
        from scipy.special import ndtr

        above_zero = np.maximum(np.asarray(x, dtype=np.float64), 0.0)
        return np.asarray(
            ndtr((self.mean - above_zero) / self.sd) / ndtr(self.mean / self.sd), dtype=np.float64
        )

    def _from_normal(self, z: Array) -> Array:
        from scipy.special import ndtr

        return self._from_survival(ndtr(-z))

    def _from_survival(self, survival: Array) -> Array:
        # From the upper tail, where the survival probability is exact however far out.
        from scipy.special import ndtr, ndtri

        times = self.mean - self.sd * ndtri(survival * ndtr(self.mean / self.sd))
        return np.asarray(np.maximum(times, 0.0), dtype=np.float64)


class LogNormal(ContinuousTime):
    """Lognormal of the given mean and coefficient of variation (sd/mean)."""

    times: ClassVar = ("mean",)
    kind: Literal["lognormal"] = "lognormal"
    mean: PositiveTime
    cv: CoefficientOfVariation

    def _log_parameters(self) -> tuple[float, float]:
        variance = math.log1p(self.cv * self.cv)
        return math.log(self.mean) - variance / 2, math.sqrt(variance)

    def expected(self) -> float:
        return self.mean

    def variance(self) -> float:
        return (self.mean * self.cv) ** 2

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        return rng.lognormal(*self._log_parameters(), size)

    def survival(self, x: ArrayLike) -> Array:
        from scipy.special import ndtr

        mu, sigma = self._log_parameters()
        with np.errstate(divide="ignore"):
            logs = np.log(np.maximum(np.asarray(x, dtype=np.float64), 0.0))
        return np.asarray(ndtr((mu - logs) / sigma), dtype=np.float64)

    def _from_normal(self, z: Array) -> Array:
        mu, sigma = self._log_parameters()
        return np.exp(mu + sigma * z)


class Exponential(ContinuousTime):
    """Exponential of the given mean."""

    times: ClassVar = ("mean",)
    kind: Literal["exponential"] = "exponential"
    mean: PositiveTime

    def expected(self) -> float:
        return self.mean

    def variance(self) -> float:
        return self.mean**2

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        return rng.exponential(self.mean, size)

    def survival(self, x: ArrayLike) -> Array:
        return np.exp(-np.maximum(np.asarray(x, dtype=np.float64), 0.0) / self.mean)

    def _from_normal(self, z: Array) -> Array:
        from scipy.special import log_ndtr

        return np.asarray(-self.mean * log_ndtr(-z), dtype=np.float64)

    def expected_order_statistic(self, rank: int, n: int) -> float:
        """E[X₍r₎] = mean·(1/n + 1/(n−1) + … + 1/(n−r+1)), s (Rényi 1953, Acta Math. Hung. 4:191)."""
        check_rank(rank, n)
        return self.mean * float(np.sum(1.0 / np.arange(n - rank + 1, n + 1)))


class Gamma(ContinuousTime):
    """Gamma of the given mean and coefficient of variation: shape 1/cv², scale mean·cv²."""

    times: ClassVar = ("mean",)
    kind: Literal["gamma"] = "gamma"
    mean: PositiveTime
    cv: CoefficientOfVariation

    def expected(self) -> float:
        return self.mean

    def variance(self) -> float:
        return (self.mean * self.cv) ** 2

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        return rng.gamma(self.cv**-2, self.mean * self.cv**2, size)

    def survival(self, x: ArrayLike) -> Array:
        from scipy.special import gammaincc

        scaled = np.maximum(np.asarray(x, dtype=np.float64), 0.0) / (self.mean * self.cv**2)
        return np.asarray(gammaincc(self.cv**-2, scaled), dtype=np.float64)

    def _from_normal(self, z: Array) -> Array:
        from scipy.special import gammainccinv, gammaincinv, ndtr

        # Each tail from its own probability: 1 − 1e-20 is 1 in floating point.
        shape = self.cv**-2
        lower = gammaincinv(shape, ndtr(np.minimum(z, 0.0)))
        upper = gammainccinv(shape, ndtr(-np.maximum(z, 0.0)))
        return np.asarray(np.where(z < 0, lower, upper) * (self.mean * self.cv**2), dtype=np.float64)
