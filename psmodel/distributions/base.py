"""What all distributions of a time share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from psmodel.records import TAGS, RecordType
from psmodel.units import Time
from psmodel.wording import excerpt

Array = NDArray[np.float64]


_LEAST_TIME = 1e-12
"""A random time has no shorter mean, s: its reciprocal and their sums stay finite."""


def _positive(value: float, info: ValidationInfo) -> float:
    if value < _LEAST_TIME:
        raise ValueError(
            f"{info.field_name} is {value:g} s; it must be greater than 0 and at least {_LEAST_TIME:g} s "
            '(for a time that never varies write kind = "deterministic")'
        )
    return value


def refuse_booleans(record: type[BaseModel], values: Any) -> Any:
    """Refuse ``true`` where a number belongs (to Python it is 1); for a validator of the mode ``before``."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            field = record.model_fields.get(key)
            inner = value if isinstance(value, list | tuple) else (value,)
            if field is not None and field.annotation is not bool and any(isinstance(v, bool) for v in inner):
                raise ValueError(f"{key} = {excerpt(value)} is true or false, and no value of this key")
    return values


def _coefficient_of_variation(value: float, info: ValidationInfo) -> float:
    if not 1e-4 <= value <= 100:
        raise ValueError(
            f"{info.field_name} is {value:g}; it must lie between 0.0001 and 100 "
            '(for a time that never varies write kind = "deterministic")'
        )
    return value


PositiveTime = Annotated[Time, AfterValidator(_positive)]
CoefficientOfVariation = Annotated[
    float,
    AfterValidator(_coefficient_of_variation),
    Field(json_schema_extra={"minimum": 1e-4, "maximum": 100}),
]


BY_KIND: dict[str, type["TimeDistribution"]] = {}
"""Every kind that has been defined in this process."""


class TimeDistribution(BaseModel, ABC, metaclass=RecordType):
    """What all kinds share; times in seconds.

    A kind of one's own is a subclass with a field ``kind: Literal["mine"] = "mine"``. From then on a scenario takes it,
    from Python and by its kind. For files that are read by a command, the package that has it names the class in the
    entry-point group ``psmodel.distributions``, under its kind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    if TYPE_CHECKING:
        kind: str  # a field of each subclass
    times: ClassVar[tuple[str, ...]]
    """The parameters that are times; the others are numbers without a unit."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        kind = cls.model_fields.get("kind")
        if kind is not None and isinstance(kind.default, str):
            there = BY_KIND.get(kind.default)
            if there is not None and there.__module__ != cls.__module__:
                raise TypeError(f"kind {kind.default!r} is {there.__module__}.{there.__qualname__} already")
            BY_KIND[kind.default] = cls
            TAGS.add(kind.default)

    def scaled(self, by: float) -> Self:
        """The distribution of `by` (above 0) times as long a time: all its times are multiplied.

        >>> from psmodel.distributions import LogNormal
        >>> LogNormal(mean=2, cv=0.3).scaled(0.5)
        LogNormal(kind='lognormal', mean=1.0, cv=0.3)
        """
        if not 0 < by < math.inf:
            raise ValueError(f"by is {by:g}; a time is multiplied by a finite number above 0")
        values = self.model_dump()
        for name in self.times:
            value = values[name]
            values[name] = [by * v for v in value] if isinstance(value, tuple | list) else by * value
        return type(self)(**values)

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, values: Any) -> Any:
        return refuse_booleans(cls, values)

    @property
    def is_random(self) -> bool:
        """Whether two draws can differ."""
        return True

    @abstractmethod
    def expected(self) -> float:
        """Expected time, s."""

    @abstractmethod
    def variance(self) -> float:
        """Variance, s²; infinite for a Pareto of shape ≤ 2."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, size: int) -> Array:
        """``size`` independent draws, s; drawing in parts gives the same numbers."""

    @abstractmethod
    def survival(self, x: ArrayLike) -> Array:
        """P(X > x), the shape of ``x`` (s); exact however small."""

    def cdf(self, x: ArrayLike) -> Array:
        """P(X ≤ x), the shape of ``x`` (s)."""
        return 1 - self.survival(x)

    @abstractmethod
    def quantile(self, p: ArrayLike) -> Array:
        """F⁻¹(p) for 0 < p < 1, the shape of ``p``, s."""

    def expected_max(self, n: int) -> float:
        """E[max of n independent draws], s: what a barrier of n workers costs."""
        return self.expected_order_statistic(n, n)

    @abstractmethod
    def expected_order_statistic(self, rank: int, n: int) -> float:
        """E[the ``rank``-th smallest of n independent draws], s.

        A barrier waits for ``rank = n``; with b backup workers it waits for ``rank = n − b``.

        Raises
        ------
        ValueError
            Unless 1 ≤ rank ≤ n.
        """

    @abstractmethod
    def expected_scaled_max(self, factors: Sequence[float]) -> float:
        """E[max over i of fᵢ·Xᵢ] of independent Xᵢ, s: a barrier of workers of unequal speed.

        Raises
        ------
        ValueError
            Unless there is a factor and all are positive and finite.
        """


class ContinuousTime(TimeDistribution):
    """A time with a smooth density: its order statistics by quadrature."""

    @abstractmethod
    def _from_normal(self, z: Array) -> Array:
        """The time at the quantile where a standard normal variable is ``z``, F⁻¹(Φ(z)), s."""

    def quantile(self, p: ArrayLike) -> Array:
        """F⁻¹(p) for 0 < p < 1, the shape of ``p``, s.

        Examples
        --------
        >>> from psmodel.distributions import Exponential
        >>> round(float(Exponential(mean=1).quantile(0.5)), 6)  # ln 2
        0.693147
        """
        from scipy.special import ndtri

        return self._from_normal(np.asarray(ndtri(p)))

    def expected_order_statistic(self, rank: int, n: int) -> float:
        """E[X₍r₎] = ∫ F⁻¹(Φ(z)) · r·C(n,r)·Φ(z)^(r−1)·(1−Φ(z))^(n−r)·φ(z) dz, s.

        The density of an order statistic (David & Nagaraja, *Order Statistics*, 3rd ed. 2003, section 2.1) on
        the scale of a normal variable. There the integrand is analytic and falls as exp(−z²/2), so the
        trapezoidal rule converges exponentially (Trefethen & Weideman 2014, SIAM Review 56(3):385).

        Examples
        --------
        >>> from psmodel.distributions import Normal
        >>> round(Normal(mean=10, sd=1).expected_max(2) - 10, 6)  # 1/√π
        0.56419
        """
        check_rank(rank, n)
        z, weights = _order_statistic(rank, n)
        return float(self._from_normal(z) @ weights)

    def expected_scaled_max(self, factors: Sequence[float]) -> float:
        """∫ 1 − Πᵢ F(x/fᵢ) dx, s, by Gauss–Legendre in log x between quantiles of the scaled times."""
        scales, counts = distinct_factors(factors)
        if scales.size == 1:
            return float(scales[0]) * self.expected_max(len(factors))
        quantiles = self._from_normal(np.arange(-8.0, _Z_MAX))
        # Before this the slowest worker has surely not finished: Φ(−8) = 6e-16. Doubles end at 1e±300.
        start = max(scales[-1] * quantiles[0], 1e-300)
        edges = np.unique(np.outer(scales, quantiles))
        edges = np.log(np.concatenate([[start], edges[(edges > start) & (edges < 1e300)]]))
        nodes, weights = np.polynomial.legendre.leggauss(12)
        half = np.diff(edges)[:, None] / 2
        x = np.exp(edges[:-1, None] + half * (nodes + 1))
        log_all_done = np.zeros_like(x)
        with np.errstate(divide="ignore"):
            for scale, count in zip(scales, counts, strict=True):
                log_all_done += count * np.log1p(-self.survival(x / scale))
        return float(start + np.sum(-np.expm1(log_all_done) * x * half * weights))


_Z_MAX = 37.0  # Φ(−37) = 6e-300: beyond, double precision ends


def check_rank(rank: int, n: int) -> None:
    """Refuse an order statistic that does not exist."""
    if not 1 <= rank <= n:
        raise ValueError(f"rank is {rank}; an order statistic of {n} draws has a rank between 1 and {n}")


def distinct_factors(factors: Sequence[float]) -> tuple[Array, Array]:
    """The distinct factors in rising order and how often each occurs."""
    values = np.asarray(factors, dtype=np.float64)
    if values.size == 0 or not np.all((values > 0) & np.isfinite(values)):
        raise ValueError(
            f"factors are {list(factors)}; there must be at least one and all greater than 0 and finite"
        )
    scales, counts = np.unique(values, return_counts=True)
    return scales, counts.astype(np.float64)


@lru_cache(maxsize=64)
def _order_statistic(rank: int, n: int) -> tuple[Array, Array]:
    """Points of a normal variable, and the share of the order statistic's density at each."""
    from scipy.special import log_ndtr, ndtri

    # The density of the order statistic is about this wide in z; the step must resolve it.
    quantile = rank / (n + 1)
    centre = ndtri(quantile)
    width = math.sqrt(quantile * (1 - quantile) / (n + 2) * 2 * math.pi) * math.exp(centre**2 / 2)
    z = np.arange(-_Z_MAX, _Z_MAX, min(1 / 32, width / 4))
    log_density = (rank - 1) * log_ndtr(z) + (n - rank) * log_ndtr(-z) - z**2 / 2
    # Normalised by its own sum: the factor r·C(n,r) from log-gammas would cost digits at large n.
    density = np.exp(log_density - log_density.max())
    return z, density / density.sum()
