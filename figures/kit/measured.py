"""Shipped measurements of suites, and the fits that were made from their calibration runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from figures.kit.data import FOLDER, sha256
from psmodel.scenario import Scenario
from validate import fit_record
from validate.fit_record import Fit
from validate.measurement import Measurement
from validate.report import believable
from validate.store import read_json


def _paths(suite: str) -> tuple[Path, Path]:
    folder = FOLDER / "measured"
    return folder / f"{suite}.json", folder / f"{suite}.fit.json"


def groups(suite: str) -> dict[Scenario, list[Measurement]]:
    """The suite's believable runs by scenario, in the order of their names."""
    found: dict[Scenario, list[Measurement]] = {}
    for measurement in believable(read_json(_paths(suite)[0])):
        found.setdefault(measurement.scenario, []).append(measurement)
    return dict(sorted(found.items(), key=lambda item: item[0].name))


def fit(suite: str) -> Fit:
    """What was fitted to the suite's calibration runs."""
    return fit_record.load(_paths(suite)[1])


def origin(suite: str) -> Mapping[str, Any]:
    """The files behind a figure, and the machine they come from."""
    runs, fitted = _paths(suite)
    machine = next(iter(groups(suite).values()))[0].environment
    return {
        "suite": suite,
        "measurements_sha256": sha256(runs),
        "fit_sha256": sha256(fitted),
        "environment": machine.to_json(),
    }
