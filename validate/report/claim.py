"""The claim of sharding beside real runs: the same push to more and more shards over the same links."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from psmodel import simulation
from psmodel.scenario import Scenario
from psmodel.units import format_time
from validate.comparison.comparisons import ComparisonRow
from validate.fitting.estimate import fit
from validate.fitting.model_response import Forward
from validate.measurements.measurement import Measurement
from validate.measurements.selection import believable, by_scenario, content
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
                    links_s=_links_alone(scenario),
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


_FEWEST = 3
"""Numbers of shards that make a series."""
_BESIDE = ("name", "description", "shards", "iterations", "warmup", "seed")
"""Keys in which the scenarios of a series may differ."""


def series(
    held_out: Iterable[ComparisonRow], calibration: Iterable[ComparisonRow], scenarios: Iterable[Scenario]
) -> tuple[Scenario, list[Step]] | None:
    """The longest series of pushes over links that differ in nothing but the number of shards.

    Returns
    -------
    tuple
        The scenario with the fewest shards, and the steps of all; None where there are fewer than three.
    """
    rows = {row.content: (row, of_fit) for part, of_fit in ((calibration, True), (held_out, False)) for row in part
            if row.metric == "push_time_s"}  # fmt: skip
    groups: dict[str, dict[int, Scenario]] = {}
    for scenario in scenarios:
        if (
            scenario.bandwidth is not None
            and scenario.placement != "single-host"
            and content(scenario) in rows
        ):
            groups.setdefault(_but_for_shards(scenario), {})[scenario.shards] = scenario
    longest = max(groups.values(), key=len, default={})
    if len(longest) < _FEWEST:
        return None
    ordered = [longest[shards] for shards in sorted(longest)]
    return ordered[0], [_step(scenario, *rows[content(scenario)]) for scenario in ordered]


def _but_for_shards(scenario: Scenario) -> str:
    values = {key: value for key, value in scenario.to_json().items() if key not in _BESIDE}
    return json.dumps(values, sort_keys=True)


def _step(scenario: Scenario, row: ComparisonRow, of_fit: bool) -> Step:
    return Step(
        shards=scenario.shards,
        calibration=of_fit,
        links_s=_links_alone(scenario),
        predicted_s=row.predicted,
        low_s=row.low,
        high_s=row.high,
        measured_s=row.measured,
        measured_low_s=row.measured_low,
        measured_high_s=row.measured_high,
        runs=row.runs,
    )


def _links_alone(scenario: Scenario) -> float:
    """The push time of the ideal system (s)."""
    return simulation.predict(scenario).prediction.metrics.push_time_s or 0.0


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
