"""Stored runs from any file that holds some: a store, or what ``psmodel validate export`` wrote to a .json file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psmodel.errors import BadInput
from psmodel.storage import tables as table
from psmodel.wording import label
from validate.measurements.exported import is_list, json_entries
from validate.measurements.measurement import Measurement
from validate.measurements.store import COLUMNS, Store, row
from validate.measurements.store_row import damage_of


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What could be read of a file, and in `notes` a sentence each on what could not."""

    runs: tuple[Measurement, ...]
    notes: tuple[str, ...] = ()


def read(path: Path) -> Stored:
    """The runs of a store or of an exported .json file; whatever is damaged is left out and named.

    Raises
    ------
    BadInput
        If there is no such file, it is neither, or nothing in it can be read.
    """
    if not is_list(path):
        with Store(path, write=False) as store:
            runs = tuple(store.measurements())
            notes = store.notes + store.damage()
            damaged = len(store.damaged)
    else:
        whole, broken = _readable(json_entries(path))
        runs, notes, damaged = tuple(whole), damage_of(broken, path), len(broken)
    if damaged and not runs:
        raise BadInput(notes[-1])
    return Stored(runs=runs, notes=notes)


def one(path: Path, run_id: str) -> Measurement:
    """The run of a store or of an exported .json file whose run_id starts so.

    Raises
    ------
    BadInput
        If there is none, more than one, or it is damaged.
    """
    if not is_list(path):
        with Store(path, write=False) as store:
            return store.load(run_id)
    runs = [m for m in read(path).runs if m.run_id.startswith(run_id)]
    if len(runs) != 1:
        count = "no run" if not runs else "more than one run"
        raise BadInput(f"{count} in {path} has an id that starts with {label(run_id)!r}")
    return runs[0]


def _readable(entries: Iterable[Any]) -> tuple[list[Measurement], list[tuple[str, str]]]:
    runs: dict[str, Measurement] = {}
    broken = []
    for number, values in enumerate(entries, start=1):
        try:
            run = Measurement.from_json(values)
        except (BadInput, RecursionError) as error:
            broken.append((f"run {number}", str(error)))
            continue
        if run.run_id in runs:
            broken.append((f"run {number}", f"it has the run_id of another one, {run.run_id}"))
        runs.setdefault(run.run_id, run)
    return list(runs.values()), broken


def export(runs: Iterable[Measurement], path: Path) -> None:
    """Write a row per measurement to a .csv or .parquet file, or everything with its samples to a .json one.

    Raises
    ------
    BadInput
        If the file's ending is another one, or it cannot be written.
    """
    measurements = tuple(runs)
    if path.suffix == ".json":
        table.write(lambda: (m.to_json() for m in measurements), path)
    else:
        table.write(lambda: map(row, measurements), path, columns=COLUMNS)
