"""Makes the runs behind the figures anew, on the machine at hand, and puts them in place of those that are shipped."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from figures.kit import build, data, measured
from psmodel.cli.options import progress
from psmodel.errors import BadInput, CannotRun
from psmodel.storage.atomic import whole
from validate.fitting.estimate import fit
from validate.measurements.selection import believable
from validate.measurements.store import Store
from validate.suites import suite as suites
from validate.suites.parts import split

_DECIMALS = 6
"""Of instants in s: clocks of several processes say no more, and the files stay small."""


def suites_of(names: Iterable[str]) -> list[str]:
    """The suites whose runs these figures show."""
    return sorted({s for name in names if (s := data.provenance(name).get("suite")) is not None})


def figures_of(suite_names: Iterable[str]) -> list[str]:
    """All figures that show runs of these suites."""
    names = set(suite_names)
    return [name for name in build.names() if data.provenance(name).get("suite") in names]


def make_runs(suite: str, store_path: Path) -> None:
    """Make those runs of a suite that the store lacks; stopped, the same call goes on where it was.

    Raises
    ------
    CannotRun
        If a run could not be made; what there was to say has been said on the terminal.
    """
    # A process of its own, which may go into the sandbox of namespaces that shaped links need.
    command = [sys.executable, "-m", "psmodel", "validate", "suite", suite, "--store", str(store_path)]
    if subprocess.run(command, check=False).returncode != 0:
        raise CannotRun(f"suite {suite!r} is not complete in {store_path}; the same command resumes it")


def ship(suite: str, store_path: Path) -> None:
    """Fit a suite's runs of its present version, and put runs and fit where the figures read them.

    Raises
    ------
    BadInput
        If the store holds no calibration runs of it.
    """
    suite_file = suites.load(suite)
    with Store(store_path, write=False) as store:
        runs = list(store.measurements(suite=suite_file.label))
    calibration = believable(split(runs, suite_file.label).calibration) if runs else []
    if not calibration:
        raise BadInput(f"{store_path} holds no calibration runs of suite {suite_file.label}")
    with progress(None, f"Fitting suite {suite_file.name}"):
        fitted = fit(calibration)
    runs_path, fit_path = measured.paths(suite_file.name)
    lines = [json.dumps(_rounded(m.to_json()), separators=(",", ":"), allow_nan=False) for m in runs]
    for path, text in (
        (runs_path, "[\n" + ",\n".join(lines) + "\n]\n"),
        (fit_path, json.dumps(fitted.to_json(), indent=2)),
    ):
        with whole(path) as file:
            file.write(text.encode())


def _rounded(record: dict[str, Any]) -> dict[str, Any]:
    samples = {
        name: [[round(t, _DECIMALS) for t in row] if isinstance(row, list) else round(row, _DECIMALS) for row in rows]
        for name, rows in record["samples"].items()
    }  # fmt: skip
    return record | {"samples": samples}
