"""Staleness of updates, simulated and measured: how far apart the two distributions are."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from psmodel.calibration import Calibration
from psmodel.simulation import predict as simulate
from validate.measurements.measurement import Measurement
from validate.measurements.selection import by_scenario, content, labels

Counts = Mapping[int, int]
"""Staleness → number of updates."""


@dataclass(frozen=True, kw_only=True)
class Staleness:
    """Of one scenario's updates, all runs together.

    Attributes
    ----------
    measured, predicted
        Number of updates by their staleness; predicted with the random numbers of the measured runs.
    """

    scenario: str
    measured: Counts
    predicted: Counts

    @property
    def distance(self) -> float:
        """Largest distance of the two distributions, see `distance`."""
        return distance(self.measured, self.predicted)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self) | {"distance": self.distance}


def distance(one: Counts, other: Counts) -> float:
    """The two-sample Kolmogorov–Smirnov statistic: the largest difference of two cumulative distributions.

    D = max_x |F₁(x) − F₂(x)|, from 0 (the same) to 1 (no overlap); both samples must hold something.
    """
    values = sorted({*one, *other})
    first, second = (np.cumsum([counts.get(v, 0) for v in values]) for counts in (one, other))
    return float(np.abs(first / first[-1] - second / second[-1]).max())


def mean(counts: Counts) -> float:
    """Mean staleness of an update."""
    return sum(value * number for value, number in counts.items()) / sum(counts.values())


def compare(calibration: Calibration, runs: Iterable[Measurement]) -> tuple[Staleness, ...]:
    """Each scenario's staleness as measured and as simulated, in the order of the runs.

    Scenarios without stale updates to count, because nothing is pulled or pushed, are left out.
    """
    groups = by_scenario(runs)
    names = labels([group[0].scenario for group in groups])
    rows = [_one(calibration, group, names[content(group[0].scenario)]) for group in groups]
    return tuple(s for s in rows if s.measured and s.predicted)


def _one(calibration: Calibration, runs: Sequence[Measurement], name: str) -> Staleness:
    simulated = [
        simulate(runs[0].scenario, calibration, replication=number).timeline
        for number in sorted({run.repetition for run in runs})
    ]
    return Staleness(
        scenario=name,
        measured=_total(run.timeline.staleness for run in runs),
        predicted=_total(timeline.staleness for timeline in simulated),
    )


def _total(counts: Iterable[Counts]) -> Counts:
    total: Counter[int] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))
