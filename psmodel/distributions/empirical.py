"""Times that were measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, ValidationInfo, model_validator

from psmodel.distributions.base import Array, TimeDistribution, check_rank, distinct_factors
from psmodel.units import Time, parse_time


class Empirical(TimeDistribution):
    """Drawn with replacement from measured times.

    Give ``samples``, or ``file``: a text or CSV file with one time per line ("80 ms", or a bare number of
    seconds); blank lines, lines that start with ``#`` and a header line are skipped. The file is read when
    the record is made and its times are kept in ``samples``, so that a stored scenario needs no other file.
    A relative path starts from the ``directory`` of the validation context if there is one, else from the
    working directory.
    """

    times: ClassVar = ("samples",)
    kind: Literal["empirical"] = "empirical"
    samples: tuple[Time, ...] = ()
    file: str | None = Field(default=None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _read_file(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict) or data.get("file") is None:
            return data
        if data.get("samples"):
            raise ValueError("an empirical distribution takes samples or file, not both")
        path = Path((info.context or {}).get("directory", "")) / str(data["file"])
        return {key: value for key, value in data.items() if key != "file"} | {"samples": _read_times(path)}

    @model_validator(mode="after")
    def _has_samples(self) -> "Empirical":
        if not self.samples:
            raise ValueError("an empirical distribution needs samples or file with at least one time")
        return self

    @property
    def is_random(self) -> bool:
        return min(self.samples) < max(self.samples)

    def expected(self) -> float:
        return float(np.mean(self.samples))

    def variance(self) -> float:
        return float(np.var(self.samples))

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        times = np.array(self.samples)
        return times[(rng.random(size) * times.size).astype(np.intp)]

    def survival(self, x: ArrayLike) -> Array:
        return 1 - np.searchsorted(np.sort(self.samples), np.asarray(x), side="right") / len(self.samples)

    def quantile(self, p: ArrayLike) -> Array:
        """The smallest sample of which at least ``p`` are no larger, the shape of ``p``, s."""
        return np.asarray(np.quantile(np.array(self.samples), np.asarray(p), method="inverted_cdf"))

    def expected_order_statistic(self, rank: int, n: int) -> float:
        """Exact, s: P(X₍r₎ ≤ x) = I_F(x)(r, n−r+1), a binomial tail (David & Nagaraja 2003, section 2.1)."""
        check_rank(rank, n)
        from scipy.special import betainc

        size = len(self.samples)
        below = betainc(rank, n - rank + 1, np.arange(size + 1) / size)
        return float(np.diff(below) @ np.sort(self.samples))

    def expected_scaled_max(self, factors: Sequence[float]) -> float:
        """Exact, s: Σ over the possible values v of v·(P(max ≤ v) − P(max < v))."""
        scales, counts = distinct_factors(factors)
        values = np.unique(np.outer(scales, np.unique(self.samples)))
        all_done = np.ones_like(values)
        for scale, count in zip(scales, counts, strict=True):
            # Counted on the scaled samples: value / scale may round to just below the sample itself.
            done = np.searchsorted(np.sort(self.samples) * scale, values, side="right")
            all_done *= (done / len(self.samples)) ** count
        return float(np.diff(all_done, prepend=0.0) @ values)


def _read_times(path: Path) -> list[float]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ValueError(f"file {str(path)!r} cannot be read: {reason}") from None
    times: list[float] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip().strip('"')
        if not text or text.startswith("#") or (number == 1 and _is_header(text)):
            continue
        try:
            times.append(parse_time(_number_or_text(text)))
        except ValueError as error:
            raise ValueError(f"file {str(path)!r}, line {number}: {error}") from None
    return times


def _is_header(text: str) -> bool:
    return isinstance(_number_or_text(text), str) and not any(character.isdigit() for character in text)


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
