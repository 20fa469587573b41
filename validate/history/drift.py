"""Drift: where a series of times has changed for good, with control over false discoveries among many series.

Times are compared on a log scale. A series is split where the means before and after differ most, by a t statistic
whose noise comes from the median absolute difference of neighbours, which a few changes cannot move; then each side
again (binary segmentation: Scott and Knott 1974, Biometrics 30; Vostrikova 1981). A split's p-value is multiplied by
the number of places that it could have been at. Of all splits that were tried in all series those are kept that
Benjamini and Hochberg's rule keeps.
"""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from psmodel.errors import BadInput
from psmodel.storage.atomic import read_text
from psmodel.units import format_time
from psmodel.wording import label
from validate.history.several_tests import benjamini_hochberg

Array = NDArray[np.float64]
SCHEMA_VERSION = 1
FALSE_DISCOVERIES = 0.05
LEAST_POINTS = 5
"""Shorter series do not tell their noise from a change."""
_MAD = 1.4826
_LEAST_NOISE = 0.005


@dataclass(frozen=True, kw_only=True)
class Series:
    """Times (s) in order, each with the label of when or of what it is."""

    name: str
    labels: tuple[str, ...]
    times: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A step of a series.

    Attributes
    ----------
    index
        Of the first point after the step; `before` and `after` are the labels of the points at both sides.
    before_s, after_s
        Geometric means (s) of the stretches at both sides, as far as the neighbouring steps.
    factor, low, high
        After ÷ before, with its 95 % interval.
    points_before, points_after
        In these stretches.
    p_value
        Of the split, for all places together; not yet for all series.
    """

    series: str
    index: int
    before: str
    after: str
    before_s: float
    after_s: float
    factor: float
    low: float
    high: float
    points_before: int
    points_after: int
    p_value: float

    @property
    def sentence(self) -> str:
        """What has changed, when, and by how much."""
        times = self.factor if self.factor >= 1 else 1 / self.factor
        word = "slower" if self.factor > 1 else "faster"
        return (
            f"{label(self.series)}: {times:.3g} times {word} from {label(self.before)} to {label(self.after)} "
            f"({format_time(self.before_s)} to {format_time(self.after_s)}, factor {self.low:.3g} to {self.high:.3g})"
        )


@dataclass(frozen=True, kw_only=True)
class _Split:
    series: int
    first: int
    index: int
    end: int
    p_value: float


@dataclass(frozen=True, kw_only=True)
class _Noise:
    deviation: float
    freedom: float


def changes(series: Sequence[Series], q: float = FALSE_DISCOVERIES) -> tuple[Change, ...]:
    """The steps of all series, those of one series in their order; on average at most the part q of them is false.

    Series of fewer than 5 points are left alone.
    """
    logs = [np.log(np.array(s.times, np.float64)) for s in series]
    noises = [_noise(log) for log in logs]
    tried = [
        split
        for number, (log, noise) in enumerate(zip(logs, noises, strict=True))
        if len(log) >= LEAST_POINTS
        for split in _splits(number, log, 0, len(log), noise, q)
    ]
    survivors = [
        s for s, keep in zip(tried, benjamini_hochberg([s.p_value for s in tried], q), strict=True) if keep
    ]
    results = []
    for number, of in enumerate(series):
        own = sorted((s for s in survivors if s.series == number), key=lambda s: s.index)
        edges = [0, *(s.index for s in own), len(of.times)]
        for place, split in enumerate(own, start=1):
            ends = (edges[place - 1], split.index, edges[place + 1])
            results.append(_change(of, logs[number], noises[number], ends, split.p_value))
    return tuple(results)


def _noise(log: Array) -> _Noise:
    steps = np.abs(np.diff(log))
    deviation = _MAD * float(np.median(steps)) / math.sqrt(2) if len(steps) else 0.0
    # The median absolute deviation has 37 % of the standard deviation's efficiency; neighbouring differences share a
    # point, which takes a third of the rest.
    return _Noise(deviation=max(_LEAST_NOISE, deviation), freedom=max(2.0, 0.37 * len(steps) * 2 / 3))


def _splits(number: int, log: Array, first: int, end: int, noise: _Noise, q: float) -> Iterator[_Split]:
    """The best split of a stretch, and if it may be one, those of its two sides."""
    length = end - first
    if length < 2:
        return
    sums = np.cumsum(log[first:end])
    sizes = np.arange(1, length)
    difference = sums[:-1] / sizes - (sums[-1] - sums[:-1]) / (length - sizes)
    statistic = np.abs(difference) / (noise.deviation * np.sqrt(1 / sizes + 1 / (length - sizes)))
    best = int(np.argmax(statistic))
    p = min(1.0, 2 * float(student.sf(statistic[best], noise.freedom)) * (length - 1))
    index = first + best + 1
    yield _Split(series=number, first=first, index=index, end=end, p_value=p)
    if p < q:
        yield from _splits(number, log, first, index, noise, q)
        yield from _splits(number, log, index, end, noise, q)


def _change(series: Series, log: Array, noise: _Noise, ends: tuple[int, int, int], p: float) -> Change:
    start, index, end = ends
    before, after = float(log[start:index].mean()), float(log[index:end].mean())
    error = noise.deviation * math.sqrt(1 / (index - start) + 1 / (end - index))
    reach = float(student.isf(0.025, noise.freedom)) * error
    return Change(
        series=series.name,
        index=index,
        before=series.labels[index - 1],
        after=series.labels[index],
        before_s=math.exp(before),
        after_s=math.exp(after),
        factor=math.exp(after - before),
        low=math.exp(after - before - reach),
        high=math.exp(after - before + reach),
        points_before=index - start,
        points_after=end - index,
        p_value=p,
    )


def read_csv(path: Path) -> tuple[Series, ...]:
    """Series from a CSV file: a header, labels in the first column, times (s) in the others; empty cells are left out.

    Raises
    ------
    BadInput
        If it is none, or a time is no number above 0.
    """
    rows = list(csv.reader(io.StringIO(read_text(path)), strict=False))
    if len(rows) < 2 or len(rows[0]) < 2:
        raise BadInput(f"{path} holds no series: it has a header, then labels and times (s) in columns")
    header = rows[0]
    labels: dict[int, list[str]] = {column: [] for column in range(1, len(header))}
    times: dict[int, list[float]] = {column: [] for column in range(1, len(header))}
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise BadInput(f"{path}, line {number}: {len(row)} cells, and the header has {len(header)}")
        for column in range(1, len(header)):
            if not row[column].strip():
                continue
            labels[column].append(row[0])
            times[column].append(_time(row[column], f"{path}, line {number}, {label(header[column])}"))
    return tuple(
        Series(name=header[c], labels=tuple(labels[c]), times=tuple(times[c])) for c in range(1, len(header))
    )


def _time(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf):
        raise BadInput(f"{where}: {label(text)!r} is no time; it is a number of seconds above 0")
    return value
