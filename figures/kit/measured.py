"""Shipped measurements of suites, and the fits that were made from their calibration runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figures.kit.data import FOLDER, Rows, sha256
from psmodel.scenario import Scenario
from validate.fitting import fit as fit_record
from validate.fitting.fit import Fit, Interval
from validate.measurements.measurement import Measurement
from validate.measurements.selection import believable, by_scenario
from validate.measurements.store import read_json


def paths(suite: str) -> tuple[Path, Path]:
    """Where the suite's runs and the fit to them lie."""
    folder = FOLDER / "measured"
    return folder / f"{suite}.json", folder / f"{suite}.fit.json"


def groups(suite: str) -> dict[Scenario, list[Measurement]]:
    """The suite's believable runs by scenario, in the order of their names."""
    groups_of_runs = by_scenario(believable(read_json(paths(suite)[0])))
    return {runs[0].scenario: runs for runs in sorted(groups_of_runs, key=lambda runs: runs[0].scenario.name)}


def fit(suite: str) -> Fit:
    """What was fitted to the suite's calibration runs."""
    return fit_record.load(paths(suite)[1])


def origin(suite: str) -> Mapping[str, Any]:
    """The files behind a figure, and the machine they come from."""
    runs, fitted = paths(suite)
    machine = next(iter(groups(suite).values()))[0].environment
    return {
        "suite": suite,
        "measurements_sha256": sha256(runs),
        "fit_sha256": sha256(fitted),
        "environment": machine.to_json(),
    }


def row(runs: Sequence[Measurement], metric: str, interval: Interval) -> dict[str, float]:
    """A metric of some runs of one scenario, and the prediction: mean, range and interval, s."""
    times = [float(getattr(m.metrics, metric)) for m in runs]
    return {
        "runs": len(times),
        "measured_s": sum(times) / len(times),
        "measured_low_s": min(times),
        "measured_high_s": max(times),
        "predicted_s": interval.predicted,
        "low_s": interval.low,
        "high_s": interval.high,
    }


def bars(rows: Rows, value: str, low: str, high: str) -> list[list[float]]:
    """Lengths of error bars from `low` to `high` around `value`, as Matplotlib takes them."""
    return [[r[value] - r[low] for r in rows], [r[high] - r[value] for r in rows]]
