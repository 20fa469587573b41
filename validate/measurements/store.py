"""The store of measurements: one SQLite file in WAL mode, one transaction per finished run.

A run is on disk, whole, before the next one starts: ``synchronous = FULL`` waits for the disk at each commit, so
that a killed process or a power cut loses at most the run in flight (sqlite.org/wal.html, sqlite.org/atomiccommit).
Rows that have been damaged since are left out and named; the others stay usable.
"""

import io
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from psmodel.errors import BadInput, UserError
from psmodel.results import Metrics
from psmodel.scenario import Scenario
from psmodel.wording import label
from validate.measurements import store_file
from validate.measurements.exported import json_entries
from validate.measurements.measurement import Measurement
from validate.measurements.store_row import Damaged, checksum_of, damage_of, measurement_of

_INDEXES = ("measurement_key", "measurement_suite", "sqlite_autoindex_measurement_1")
_MOST_SAMPLES = 256 * 2**20
"""Bytes of a run's packed samples; no run has as many."""


def default_path() -> Path:
    """``$PSMODEL_STORE``, or .psmodel/measurements.sqlite in the current directory."""
    return Path(os.environ.get("PSMODEL_STORE") or ".psmodel/measurements.sqlite")


class Store:
    """Measurements in a file. Several processes may use it at once.

    Opened to write it is made if it is missing, and brought to the present version (`store_file`); opened to read
    nothing is made or changed.

    Attributes
    ----------
    notes
        What is to be said of the file, a sentence each.
    damaged
        Row and reason of each that the last reading of all of them has left out.

    Raises
    ------
    BadInput
        If the file is something else, of a later version, or, to read, missing.
    """

    def __init__(self, path: Path, *, write: bool = True) -> None:
        self.path = path
        self.damaged: list[tuple[int, str]] = []
        self._open(store_file.to_write(path) if write else store_file.to_read(path))

    def _open(self, opened: store_file.Opened) -> None:
        self._db, self.notes, self._tidy = opened.db, opened.notes, opened.tidy
        self._file = store_file.identity(self.path)
        self._empty = opened.empty
        self._checksum = "checksum" if store_file.has_checksums(self._db) else "NULL"

    def close(self) -> None:
        """Close the file."""
        self._db.close()
        self._tidy()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def add(self, measurement: Measurement) -> None:
        """Keep a measurement; it is on disk when this returns.

        Raises
        ------
        UserError
            If it cannot be written, say because the disk is full; what was stored before is untouched. Also if the
            file has been moved or removed; then the measurement is on disk in a new one.
        """
        packed = io.BytesIO()
        np.savez_compressed(packed, **measurement.arrays())  # type: ignore[arg-type]
        record, samples = json.dumps(measurement.record(), allow_nan=False), packed.getvalue()
        moved = not self._db.in_transaction and self._file != store_file.identity(self.path)
        if moved:
            # SQLite would go on writing to a file that nobody finds any more.
            self.close()
            self._open(store_file.to_write(self.path))
        try:
            self._db.execute(
                "INSERT INTO measurement (run_id, key, testbed, suite, part, record, samples, checksum) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    measurement.run_id,
                    measurement.key,
                    measurement.testbed,
                    measurement.suite,
                    measurement.part,
                    record,
                    samples,
                    checksum_of(record, samples),
                ),
            )
        except sqlite3.Error as error:
            raise UserError(f"the measurement cannot be written to {self.path}: {error}") from None
        if moved:
            raise UserError(
                f"{self.path} was moved or removed while runs were being added to it; the last one is in a new file "
                "there, and the same command goes on with that"
            )

    def keys(self) -> set[str]:
        """`Measurement.key` of every run that is there and can be read."""
        keys: set[str] = set()
        self.damaged = []
        for number in self._numbers():
            with suppress(Damaged):
                key, _ = self._row(number)
                keys.add(key)
        return keys

    def load(self, run_id: str) -> Measurement:
        """The measurement whose run_id starts so.

        Raises
        ------
        BadInput
            If there is none, more than one, or it is damaged.
        """
        if len(matches := self._starting(run_id)) != 1:
            number = "no run" if not matches else "more than one run"
            raise BadInput(
                f"{number} in {self.path} has an id that starts with {label(run_id)!r}; "
                "`psmodel validate list` shows them"
            )
        try:
            return self._row(matches[0])[1]
        except Damaged as error:
            raise BadInput(f"run {label(run_id)} in {self.path} is damaged: {error}") from None

    def _starting(self, run_id: str) -> list[int]:
        try:
            rows = self._db.execute(
                "SELECT id FROM measurement WHERE substr(run_id, 1, ?) = ? LIMIT 2", (len(run_id), run_id)
            ).fetchall()
        except (sqlite3.Error, UnicodeError) as error:
            raise BadInput(f"{self.path} cannot be searched: {error}") from None
        return [number for (number,) in rows]

    def measurements(
        self,
        *,
        suite: str | None = None,
        testbed: str | None = None,
        part: str | None = None,
        scenario: Scenario | None = None,
        machine: str | None = None,
    ) -> Iterator[Measurement]:
        """In the order they were made; `suite` is its name, with or without ``@version``; `machine` a fingerprint.

        What cannot be read is left out, and stands in `damaged` afterwards.
        """
        self.damaged = []
        for number in self._numbers():
            try:
                _, measurement = self._row(number)
            except Damaged as error:
                self.damaged.append((number, str(error)))
                continue
            if (
                (suite is None or suite in (measurement.suite, (measurement.suite or "").rpartition("@")[0]))
                and (testbed is None or measurement.testbed == testbed)
                and (part is None or measurement.part == part)
                and (scenario is None or measurement.scenario == scenario)
                and (machine is None or measurement.environment.fingerprint == machine)
            ):
                yield measurement

    def damage(self) -> tuple[str, ...]:
        """A sentence on the rows that the last reading has left out; none if it has read all."""
        return damage_of([(f"row {number}", reason) for number, reason in self.damaged], self.path)

    def _numbers(self) -> list[int]:
        """Numbers of the rows: those that the table has, and those that only its indexes know of."""
        if self._empty:
            return []
        numbers: set[int] = set()
        whole = False
        for by in ("NOT INDEXED", *(f"INDEXED BY {index}" for index in _INDEXES)):
            # As far as each goes before it meets a damaged page of its own.
            with suppress(sqlite3.Error):
                for (number,) in self._db.execute(f"SELECT id FROM measurement {by}"):
                    numbers.add(number)
                whole = True
        if not numbers and not whole:
            raise BadInput(f"{self.path} is damaged where its table begins; no run in it can be found")
        return sorted(numbers)

    def _row(self, number: int) -> tuple[str, Measurement]:
        """Key and measurement of a row."""
        try:
            about = self._db.execute(
                "SELECT run_id, key, testbed, suite, part, typeof(record), typeof(samples), length(samples) "
                "FROM measurement WHERE id = ?",
                (number,),
            ).fetchone()
            if about is None:
                raise Damaged("it cannot be found")
            *columns, record_type, samples_type, size = about
            if record_type != "text" or samples_type != "blob" or size > _MOST_SAMPLES:
                raise Damaged("its columns hold what no run has")
            record, samples, checksum = self._db.execute(
                f"SELECT record, samples, {self._checksum} FROM measurement WHERE id = ?", (number,)
            ).fetchone()
        except (sqlite3.Error, MemoryError, OverflowError) as error:
            raise Damaged(str(error)) from None
        measurement = measurement_of(record, samples, checksum)
        run_id, key, *rest = columns
        if [run_id, *rest] != [measurement.run_id, measurement.testbed, measurement.suite, measurement.part]:
            raise Damaged("its columns are not those of its record")
        return key, measurement

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per measurement, see `row`."""
        return [row(m) for m in self.measurements()]

    def import_runs(self, runs: Iterable[Measurement]) -> int:
        """Add the runs that are not here yet, all of them or nothing; gives how many.

        Raises
        ------
        UserError
            If they cannot be written.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise UserError(f"nothing can be written to {self.path}: {error}") from None
        try:
            present = {run_id for (run_id,) in self._db.execute("SELECT run_id FROM measurement")}
            new = {m.run_id: m for m in runs if m.run_id not in present}
            for measurement in new.values():
                self.add(measurement)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return len(new)

    def import_json(self, path: Path) -> int:
        """Add what `export` wrote to a .json file and is not here yet, all of it or nothing; gives how many.

        Raises
        ------
        BadInput
            If it cannot be read, or is something else.
        """
        return self.import_runs(read_json(path))


def read_json(path: Path) -> list[Measurement]:
    """What `validate export` wrote to a .json file.

    Raises
    ------
    BadInput
        If it cannot be read, or is something else; also if one of its runs is no whole one.
    """
    runs = []
    for number, values in enumerate(json_entries(path), start=1):
        try:
            runs.append(Measurement.from_json(values))
        except BadInput as error:
            raise BadInput(f"{path}: run {number}: {error}") from None
    return runs


COLUMNS = (
    "run_id", "started_at", "testbed", "suite", "part", "scenario", "repetition", "workers", "shards", "model_bytes",
    "bandwidth_bytes_per_s", "mode", "pull", "push", *(f.name for f in fields(Metrics)),
    "duration_s", "sums_ok", "suspect", "machine",
)  # fmt: skip
"""Keys of `row`: the header of a table that has no rows yet."""


def row(measurement: Measurement) -> dict[str, Any]:
    """A measurement as one flat row: what was run, where, and every metric (s, 1/s)."""
    scenario = measurement.scenario
    bandwidth = scenario.bandwidth
    return {
        "run_id": measurement.run_id,
        "started_at": measurement.started_at,
        "testbed": measurement.testbed,
        "suite": measurement.suite,
        "part": measurement.part,
        "scenario": scenario.name,
        "repetition": measurement.repetition,
        "workers": scenario.workers,
        "shards": scenario.shards,
        "model_bytes": scenario.total_bytes,
        "bandwidth_bytes_per_s": None if bandwidth is None else bandwidth.shard_down,
        "mode": scenario.mode,
        "pull": scenario.pull,
        "push": scenario.push,
        **measurement.metrics.to_json(),
        "duration_s": measurement.duration_s,
        "sums_ok": measurement.sums_ok,
        "suspect": "; ".join(measurement.suspect),
        "machine": measurement.environment.fingerprint,
    }
