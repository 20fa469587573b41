"""The empirical distribution of measured times."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, ValidationInfo, model_validator

from psmodel.distributions.base import Array, TimeDistribution, check_rank, distinct_factors
from psmodel.errors import BadInput
from psmodel.storage.atomic import read_text
from psmodel.units import Time, parse_time
from psmodel.wording import excerpt, plain

_MOST_SAMPLES = 1_000_000


class Empirical(TimeDistribution):
    """Drawn with replacement from measured times.

    Give ``samples``, or ``file``: a text or CSV file with one time per line ("80 ms", or bare numbers below a first
    line that names their unit: ``seconds``, ``time_ms``); blank lines, lines that start with ``#`` and a header line
    are skipped. The file is read when the record is made and its times are kept in ``samples``, so that a stored
    scenario needs no other file. A relative path starts from the ``directory`` of the validation context if there is
    one, else from the working directory.
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
        if not isinstance(data["file"], str):
            raise ValueError(f"file = {excerpt(data['file'])}; it is the path of a file of times")
        path = Path((info.context or {}).get("directory", "")) / data["file"]
        samples = [f"{time!r} s" for time in _read_times(path)]
        return {key: value for key, value in data.items() if key != "file"} | {"samples": samples}

    @model_validator(mode="after")
    def _has_samples(self) -> "Empirical":
        if not self.samples:
            raise ValueError("an empirical distribution needs samples or file with at least one time")
        if len(self.samples) > _MOST_SAMPLES:
            raise ValueError(f"an empirical distribution has at most {_MOST_SAMPLES} samples")
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
            below = np.searchsorted(np.sort(self.samples) * scale, values, side="right")
            all_done *= (below / len(self.samples)) ** count
        return float(np.diff(all_done, prepend=0.0) @ values)


def _read_times(path: Path) -> list[float]:
    try:
        lines = read_text(path).splitlines()
    except BadInput as error:
        raise ValueError(f"file {error}") from None
    times: list[float] = []
    unit = ""
    for number, line in enumerate(lines, start=1):
        text = line.strip().strip('"').strip()
        if not text or text.startswith("#"):
            continue
        if not times and not unit and _is_header(text):
            unit = _unit_of(text)
            continue
        try:
            times.append(parse_time(f"{text} {unit}" if unit and text[-1].isdigit() else text))
        except ValueError as error:
            hint = (
                ""
                if unit or not text[-1].isdigit()
                else ", or a first line that names the unit of all, like seconds"
            )
            raise ValueError(f"file {plain(str(path))}, line {number}: {error}{hint}") from None
    return times


def _is_header(text: str) -> bool:
    return not any(c.isdigit() for c in text) and text.lower().lstrip("+-") not in ("nan", "inf", "infinity")


_UNITS = {
    "s": "s",
    "sec": "s",
    "seconds": "s",
    "ms": "ms",
    "milliseconds": "ms",
    "us": "us",
    "microseconds": "us",
}


def _unit_of(header: str) -> str:
    """The unit that a header such as ``seconds``, ``time_ms`` or ``compute (ms)`` names; a space if none."""
    words = re.split(r"[^a-z]+", header.lower())
    return next((_UNITS[word] for word in reversed(words) if word in _UNITS), " ")
