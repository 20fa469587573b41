"""Every format that is read says its version, and a reader takes its own and no other."""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from psmodel import calibration
from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from tests.real_records import SCENARIO, record
from validate.fitting import fit as fit_record
from validate.fitting.fit import Fit
from validate.measurements import measurement, store_file
from validate.measurements.measurement import Measurement
from validate.measurements.store import Store
from validate.measurements.stored import read
from validate.suites import suite_file

ROOT = Path(__file__).parents[2]
FIT: dict[str, Any] = json.loads((ROOT / "figures" / "measured" / "sharding.fit.json").read_text())


def of_suite(version: Any, folder: Path) -> object:
    text = (ROOT / "validate" / "suites" / "smoke.toml").read_text()
    file = folder / "smoke.toml"
    file.write_text(text.replace("schema_version = 1", f"schema_version = {json.dumps(version)}"))
    return suite_file.parse(suite_file.read(file, "smoke.toml"), "smoke.toml")


def of_store(version: Any, folder: Path) -> object:
    file = folder / "x.sqlite"
    Store(file).close()
    db = sqlite3.connect(file)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    return read(file)


def of_measurement(version: Any, folder: Path) -> object:
    return Measurement.from_json(record().to_json() | {"format_version": version})


def of_fit(version: Any, folder: Path) -> object:
    return Fit.from_json(FIT | {"schema_version": version})


def of_calibration(version: Any, folder: Path) -> object:
    return calibration.Calibration.from_json({"schema_version": version})


def of_scenario(version: Any, folder: Path) -> object:
    return Scenario.from_json(SCENARIO.to_json() | {"schema_version": version})


FORMATS: dict[str, tuple[int, Callable[[Any, Path], object]]] = {
    "suite": (suite_file.SCHEMA_VERSION, of_suite),
    "store": (store_file.SCHEMA_VERSION, of_store),
    "measurement": (measurement.FORMAT_VERSION, of_measurement),
    "fit": (fit_record.SCHEMA_VERSION, of_fit),
    "calibration": (calibration.SCHEMA_VERSION, of_calibration),
    "scenario": (1, of_scenario),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_reader_takes_its_own_version(name: str, tmp_path: Path) -> None:
    version, reader = FORMATS[name]
    assert reader(version, tmp_path) is not None


@pytest.mark.parametrize("name", FORMATS)
def test_a_reader_takes_no_later_version(name: str, tmp_path: Path) -> None:
    version, reader = FORMATS[name]
    with pytest.raises(BadInput) as error:
        reader(version + 1, tmp_path)
    assert re.search(r"version|schema|later", str(error.value))
    assert str(version) in str(error.value)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "store"])
@pytest.mark.parametrize("version", ["1", 1.5, None, True, [1], -1])
def test_a_version_is_a_whole_number(name: str, version: Any, tmp_path: Path) -> None:
    if (name == "suite" and version is None) or (version is True and name in ("scenario", "calibration")):
        return  # TOML has no null, and these take true for 1
    with pytest.raises(BadInput):
        FORMATS[name][1](version, tmp_path)


def test_no_version_is_written_without_a_name() -> None:
    """One constant per format, next to its reader: no bare number in what a command prints."""
    for package in ("psmodel/cli", "psmodel/app", "validate"):
        for file in (ROOT / package).rglob("*.py"):
            assert not re.search(r'"(schema|format)_version": \d', file.read_text(encoding="utf-8")), file
