"""Look up a method by name; propagate a fit's uncertainty to its predictions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from psmodel import analytic
from psmodel.calibration import IDEAL, Calibration, CalibrationError, read_object
from psmodel.region import Region
from psmodel.results import Method, Metrics, Prediction
from psmodel.scenario import Scenario

COVERAGE = 0.95
"""Share of a fit's draws that an interval covers."""
_SIMULATED_DRAWS = 40
"""So many of a fit's draws are simulated: they show the spread, thousands would take hours."""


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """Best-fit coefficients, their bootstrap draws, and the region they were fitted in.

    Attributes
    ----------
    best
        The coefficients with which everything is predicted.
    draws
        Equally likely coefficients (bootstrap or posterior draws of a fit): with them a prediction gets an
        interval.
    region
        Where the runs lay that the coefficients were fitted to; None if nobody says.
    """

    best: Calibration = IDEAL
    draws: tuple[Calibration, ...] = ()
    region: Region | None = None

    def outside(self, scenario: Scenario) -> tuple[str, ...]:
        """In what a scenario lies outside the region of the fit, a phrase each."""
        return () if self.region is None else self.region.outside(scenario)

    def by(self, method: Method) -> "Calibrated":
        """The same with as many draws as a method has time for."""
        return self if method == "analytic" else replace(self, draws=self.draws[:_SIMULATED_DRAWS])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "calibration": self.best.to_json(),
            "draws": [draw.to_json() for draw in self.draws],
            "region": self.region and self.region.to_json(),
        }


def load_calibrated(path: Path) -> Calibrated:
    """Read a calibration or a fit; a fit's ``draws`` is a list of tables of the coefficients that vary.

    Raises
    ------
    CalibrationError
        If the file is missing or is neither.
    """
    values = read_object(path, "a fit or a calibration")
    best = Calibration.from_json(values, str(path))
    entries = values.get("draws", [])
    if not isinstance(entries, list) or not all(isinstance(draw, dict) for draw in entries):
        raise CalibrationError(f"{path}: draws must be a list of tables, one table of coefficients per draw")
    draws = [
        Calibration.from_json(best.to_json() | draw, f"{path}: draws[{i}]") for i, draw in enumerate(entries)
    ]
    try:
        region = Region.from_json(values["region"]) if "region" in values else None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CalibrationError(
            f"{path}: region is not what `psmodel validate fit` writes: ranges and kinds"
        ) from None
    return Calibrated(best=best, draws=tuple(draws), region=region)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A prediction, and the interval of each metric that the fit's uncertainty leaves (none without draws).

    `extrapolation` says in what the scenario lies outside what the fit has seen; the prediction's notes say it too.
    """

    prediction: Prediction
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    extrapolation: tuple[str, ...] = ()


Predictor = Callable[[Scenario, Calibration], Prediction]


def predictor(method: Method, *, replications: int = 1) -> Predictor:
    """The function that predicts by `method`; a simulation of random times is repeated `replications` times.

    Simulations come without bounds; see `with_bounds`.
    """
    if method == "analytic":
        return analytic.predict
    if method == "mva":
        from psmodel.analytic import mva

        closed_network: Predictor = mva.predict
        return closed_network
    return lambda scenario, coefficients: _simulate(scenario, coefficients, replications)


def _simulate(scenario: Scenario, coefficients: Calibration, replications: int) -> Prediction:
    from psmodel.simulation.replications import replicate

    return replicate(scenario, coefficients, replications=replications, processes=1)


def with_bounds(prediction: Prediction, scenario: Scenario, coefficients: Calibration) -> Prediction:
    """A simulation's prediction with the proved bounds beside it."""
    closed = analytic.ClosedForm(scenario=scenario, calibration=coefficients)
    return replace(prediction, bounds=closed.bounds)


def answer(scenario: Scenario, predict: Predictor, calibrated: Calibrated) -> Answer:
    """Predict with the best coefficients and, where there are draws, with each of them.

    See `interval` for that of a metric.
    """
    prediction = predict(scenario, calibrated.best)
    outside = calibrated.outside(scenario)
    if outside:
        note = f"Extrapolation, the fit has not seen this: {'; '.join(outside)}."
        prediction = replace(prediction, notes=(*prediction.notes, note))
    if not calibrated.draws:
        return Answer(prediction=prediction, extrapolation=outside)
    samples = [predict(scenario, draw).metrics for draw in calibrated.draws]
    return Answer(prediction=prediction, intervals=intervals(samples), extrapolation=outside)


def intervals(samples: Sequence[Metrics]) -> dict[str, tuple[float, float]]:
    """Metric → its `interval` over predictions, one per draw; of those that a prediction has."""
    columns: dict[str, list[float]] = {}
    for metrics in samples:
        for name, value in metrics.to_json().items():
            if value is not None:
                columns.setdefault(name, []).append(value)
    return {name: interval(values) for name, values in columns.items()}


def interval(samples: Sequence[float]) -> tuple[float, float]:
    """The quantiles of values, one per draw, that leave out (1 − `COVERAGE`)/2 on either side.

    The percentile method: Efron & Tibshirani 1993, section 13.3.
    """
    low, high = np.quantile(np.array(samples), [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)
