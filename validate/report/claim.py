"""The claim of sharding beside real runs: the same push to more and more shards over the same links."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from psmodel import simulation
from psmodel.units import format_time
from validate.fitting.estimate import fit
from validate.fitting.model_response import Forward
from validate.measurements.measurement import Measurement
from validate.measurements.selection import believable, by_scenario
from validate.suites.parts import split


@dataclass(frozen=True, kw_only=True)
class Step:
    """One number of shards: the push time as links alone have it, as fitted, and as measured (mean, range); s."""

    shards: int
    calibration: bool
    links_s: float
    predicted_s: float
    low_s: float
    high_s: float
    measured_s: float
    measured_low_s: float
    measured_high_s: float
    runs: int

    @property
    def error(self) -> float:
        """Relative, of the fitted prediction."""
        return self.predicted_s / self.measured_s - 1

    def to_json(self) -> dict[str, Any]:
        """Name → value."""
        return asdict(self)


def steps(runs: Sequence[Measurement], suite: str) -> list[Step]:
    """The suite's scenarios in the order of their numbers of shards; fitted on its calibration runs alone.

    Raises
    ------
    BadInput
        If there are no calibration runs.
    """
    parts = split(runs, suite)
    forward = Forward()
    fitted = fit(believable(parts.calibration), forward=forward)
    steps = []
    for part, calibration in ((parts.calibration, True), (parts.held_out, False)):
        for group in by_scenario(believable(part)):
            scenario = group[0].scenario
            times = [float(m.metrics.push_time_s or 0.0) for m in group]
            interval = fitted.predict(scenario, forward)["push_time_s"]
            steps.append(
                Step(
                    shards=scenario.shards,
                    calibration=calibration,
                    links_s=simulation.predict(scenario).prediction.metrics.push_time_s or 0.0,
                    predicted_s=interval.predicted,
                    low_s=interval.low,
                    high_s=interval.high,
                    measured_s=fmean(times),
                    measured_low_s=min(times),
                    measured_high_s=max(times),
                    runs=len(times),
                )
            )
    return sorted(steps, key=lambda step: step.shards)


HEADINGS = ("shards", "links alone", "fitted on K = 1", "measured", "error", "faster than K = 1")


def rows(steps: Sequence[Step]) -> list[tuple[str, ...]]:
    """A row of text for each step, under `HEADINGS`."""
    first = steps[0].measured_s
    return [
        (
            str(step.shards),
            format_time(step.links_s),
            format_time(step.predicted_s),
            format_time(step.measured_s),
            "(seen)" if step.calibration else f"{100 * step.error:+.1f} %",
            f"{first / step.measured_s:.2f} ×",
        )
        for step in steps
    ]
