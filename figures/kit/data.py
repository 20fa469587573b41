"""A figure's data: rows in a CSV file, and where they come from in a JSON file of the same name."""

import csv
import hashlib
import json
import math
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psmodel.scenario import Scenario
from psmodel.storage import tables as table

FOLDER = Path(__file__).parents[1]
Value = str | float | None
Rows = Sequence[Mapping[str, Any]]
TOLERANCE = 1e-6
"""Relative; a machine's own floating point must not make old data look wrong, a changed model must."""
_PACKAGES = ("psmodel", "numpy", "scipy", "simpy")


def csv_path(name: str) -> Path:
    """Where a figure's data lie."""
    return FOLDER / f"{name}.csv"


def read(name: str) -> list[dict[str, Any]]:
    """The stored rows of a figure; what reads as a number is one, and an empty cell is None."""
    with csv_path(name).open(encoding="utf-8", newline="") as file:
        return [{key: _value(text) for key, text in row.items()} for row in csv.DictReader(file)]


def _value(text: str) -> Value:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def same(one: Rows, other: Rows) -> bool:
    """Whether two tables say the same, to `TOLERANCE`."""
    return len(one) == len(other) and all(
        a.keys() == b.keys() and all(_close(a[key], b[key]) for key in a)
        for a, b in zip(one, other, strict=True)
    )


def _close(a: Any, b: Any) -> bool:
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=1e-12)
    return bool(a == b)


def write(name: str, rows: Rows, scenario: Scenario, origin: Mapping[str, Any]) -> None:
    """Store a figure's rows, and how they were made.

    Parameters
    ----------
    origin
        What else they come from: files of measurements with their hashes and environment.
    """
    table.write(lambda: rows, csv_path(name))
    provenance = {
        "figure": name,
        "scenario": scenario.to_json(),
        "seed": scenario.seed,
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in _PACKAGES},
        "data_sha256": sha256(csv_path(name)),
        **origin,
    }
    text = json.dumps(provenance, indent=2, sort_keys=True, ensure_ascii=False)
    csv_path(name).with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def provenance(name: str) -> dict[str, Any]:
    """How a figure's stored data were made."""
    loaded: dict[str, Any] = json.loads(csv_path(name).with_suffix(".json").read_text(encoding="utf-8"))
    return loaded


def sha256(*paths: Path) -> str:
    """Of the contents of these files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _commit() -> str:
    """The commit on top of which the data were made, "unknown" outside a checkout."""
    process = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    return process.stdout.strip() or "unknown"
