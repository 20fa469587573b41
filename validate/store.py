"""The store of measurements: one SQLite file in WAL mode, one transaction per finished run.

A run is on disk, whole, before the next one starts: ``synchronous = FULL`` waits for the disk at each commit, so
that a killed process or a power cut loses at most the run in flight (sqlite.org/wal.html, sqlite.org/atomiccommit).
"""

import io
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from psmodel import table
from psmodel.errors import BadInput, UserError
from psmodel.scenario import Scenario
from validate.measurement import Measurement

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x70736D31
"""Marks the file as ours (sqlite.org/pragma.html#pragma_application_id): "psm1"."""
_BUSY_TIMEOUT_S = 30.0
_SCHEMA = """
CREATE TABLE measurement (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    testbed TEXT NOT NULL,
    suite TEXT,
    part TEXT,
    record TEXT NOT NULL,
    samples BLOB NOT NULL
);
CREATE INDEX measurement_key ON measurement (key);
CREATE INDEX measurement_suite ON measurement (suite, part);
"""


def default_path() -> Path:
    """``$PSMODEL_STORE``, or .psmodel/measurements.sqlite in the current directory."""
    return Path(os.environ.get("PSMODEL_STORE") or ".psmodel/measurements.sqlite")


class Store:
    """Measurements in a file; made if it is missing. Several processes may use it at once.

    Raises
    ------
    BadInput
        If the file is something else, or of a later version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise BadInput(f"{path} cannot be used as a store of measurements: {error}") from None
        try:
            self._prepare()
        except sqlite3.Error as error:
            self.close()
            raise BadInput(f"{path} cannot be used as a store of measurements: {error}") from None
        except BadInput:
            self.close()
            raise

    def _prepare(self) -> None:
        application = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        empty = self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        if not empty and application != _APPLICATION_ID:
            raise BadInput(f"{self.path} is no store of psmodel's measurements; name another file")
        if version > SCHEMA_VERSION:
            raise BadInput(
                f"{self.path} was written by a later psmodel (schema {version}); this one reads {SCHEMA_VERSION}"
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if empty:
            self._db.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id = {_APPLICATION_ID}; "
                f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

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
            If it cannot be written, say because the disk is full; what was stored before is untouched.
        """
        samples = io.BytesIO()
        np.savez_compressed(samples, **measurement.arrays())  # type: ignore[arg-type]
        try:
            self._db.execute(
                "INSERT INTO measurement (run_id, key, testbed, suite, part, record, samples) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    measurement.run_id,
                    measurement.key,
                    measurement.testbed,
                    measurement.suite,
                    measurement.part,
                    json.dumps(measurement.record(), allow_nan=False),
                    samples.getvalue(),
                ),
            )
        except sqlite3.Error as error:
            raise UserError(f"the measurement cannot be written to {self.path}: {error}") from None

    def keys(self) -> set[str]:
        """`Measurement.key` of every run that is there."""
        return {key for (key,) in self._db.execute("SELECT DISTINCT key FROM measurement")}

    def load(self, run_id: str) -> Measurement:
        """The measurement whose run_id starts so.

        Raises
        ------
        BadInput
            If there is none, or more than one.
        """
        rows = self._db.execute(
            "SELECT record, samples FROM measurement WHERE substr(run_id, 1, ?) = ? LIMIT 2",
            (len(run_id), run_id),
        ).fetchall()
        if len(rows) != 1:
            found = "no run" if not rows else "more than one run"
            raise BadInput(
                f"{found} in {self.path} has an id that starts with {run_id!r}; `psmodel validate list` shows them"
            )
        return _measurement(*rows[0])

    def measurements(
        self,
        *,
        suite: str | None = None,
        testbed: str | None = None,
        part: str | None = None,
        scenario: Scenario | None = None,
        machine: str | None = None,
    ) -> Iterator[Measurement]:
        """In the order they were made; `suite` is its name, with or without ``@version``; `machine` a fingerprint."""
        wanted: Mapping[str, str | None] = {"testbed": testbed, "part": part}
        clauses = [f"{column} = ?" for column, value in wanted.items() if value is not None]
        values = [value for value in wanted.values() if value is not None]
        if suite is not None:
            clauses.append("(suite = ? OR suite LIKE ? || '@%')")
            values += [suite, suite]
        where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
        cursor = self._db.execute(f"SELECT record, samples FROM measurement{where} ORDER BY id", values)
        for record, samples in cursor:
            measurement = _measurement(record, samples)
            if scenario is not None and measurement.scenario != scenario:
                continue
            if machine is None or measurement.environment.fingerprint == machine:
                yield measurement

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per measurement, see `row`."""
        return [row(m) for m in self.measurements()]

    def export(self, path: Path) -> None:
        """Write a row per measurement to a .csv or .parquet file, or everything with its samples to a .json one.

        Raises
        ------
        BadInput
            If the file's ending is another one, or it cannot be written.
        """
        if path.suffix == ".json":
            table.write(lambda: (m.to_json() for m in self.measurements()), path)
        else:
            table.write(lambda: (row(m) for m in self.measurements()), path)

    def import_json(self, path: Path) -> int:
        """Add what `export` wrote to a .json file and is not here yet, all of it or nothing; gives how many.

        Raises
        ------
        BadInput
            If it cannot be read, or is something else.
        """
        found = read_json(path)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            held = {run_id for (run_id,) in self._db.execute("SELECT run_id FROM measurement")}
            new = [m for m in found if m.run_id not in held]
            for measurement in new:
                self.add(measurement)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return len(new)


def read_json(path: Path) -> list[Measurement]:
    """What `Store.export` wrote to a .json file.

    Raises
    ------
    BadInput
        If it cannot be read, or is something else.
    """
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
    if not isinstance(listed, list) or not all(isinstance(values, dict) for values in listed):
        raise BadInput(f"{path} holds no list of measurements")
    return [Measurement.from_json(values) for values in listed]


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


def _measurement(record: str, samples: bytes) -> Measurement:
    with np.load(io.BytesIO(samples), allow_pickle=False) as arrays:
        named: dict[str, NDArray[Any]] = {name: arrays[name] for name in arrays.files}
    return Measurement.from_record(json.loads(record), named)
