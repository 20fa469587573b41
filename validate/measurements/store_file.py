"""The SQLite file behind a store: opened to write, or to read without leaving a trace.

Versions of the schema (``PRAGMA user_version``): 1 is that of psmodel 0.1.0; 2 has a checksum of every row, so that a
flipped bit which still reads as a record is noticed. An older file is brought to the present version when it is
opened to write, after a copy of it has been put beside it; opened to read it stays as it is.
"""

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from psmodel.errors import BadInput
from validate.measurements.exported import is_list

SCHEMA_VERSION = 2
APPLICATION_ID = 0x70736D31
"""Marks the file as ours (sqlite.org/pragma.html#pragma_application_id): "psm1"."""
_BUSY_TIMEOUT_S = 30.0
_SCHEMA = (
    """CREATE TABLE measurement (
        id INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        key TEXT NOT NULL,
        testbed TEXT NOT NULL,
        suite TEXT,
        part TEXT,
        record TEXT NOT NULL,
        samples BLOB NOT NULL,
        checksum TEXT
    )""",
    "CREATE INDEX measurement_key ON measurement (key)",
    "CREATE INDEX measurement_suite ON measurement (suite, part)",
)
_MIGRATIONS: dict[int, tuple[str, ...]] = {1: ("ALTER TABLE measurement ADD COLUMN checksum TEXT",)}
"""Version → what makes the next one of it; rows that were there before have no checksum."""
COLUMNS = ("run_id", "key", "testbed", "suite", "part", "record", "samples")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A connection, what is to be said of its file, what else closing it takes, and whether it is empty."""

    db: sqlite3.Connection
    notes: tuple[str, ...] = ()
    tidy: Callable[[], None] = lambda: None
    empty: bool = False


def to_write(path: Path) -> Opened:
    """The store at a path, made or brought to the present version as need be.

    Raises
    ------
    BadInput
        If the file is something else, of a later version, damaged, or cannot be written.
    """
    if path.exists() and not path.is_file():
        raise BadInput(f"{path} cannot be used as a store of measurements: it is no regular file")
    _refuse_list(path)
    unclean = _ended_unclean(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = _connect(f"file:{quote(str(path.absolute()))}?mode=rwc")
    except (OSError, sqlite3.Error) as error:
        raise BadInput(f"{path} cannot be used as a store of measurements: {error}") from None
    try:
        version = _version(db, path)
        damage = _damage(db) if unclean else None
        if damage is not None:
            raise BadInput(
                f"{path} is damaged ({damage}); `psmodel validate import {path} --store OTHER` saves what can be read"
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        notes = _bring_up(db, path) if version != SCHEMA_VERSION else ()
    except sqlite3.Error as error:
        db.close()
        raise BadInput(f"{path} cannot be used as a store of measurements: {error}") from None
    except BaseException:
        db.close()
        raise
    return Opened(db=db, notes=notes)


def _refuse_list(path: Path) -> None:
    if is_list(path):
        raise BadInput(
            f"{path} is an exported list, and this needs a store; `psmodel validate import {path} --store OTHER` makes "
            "one of it"
        )


def to_read(path: Path) -> Opened:
    """The store at a path as it is; nothing is made, neither it nor a file beside it that stays.

    Raises
    ------
    BadInput
        If there is none, it is something else or of a later version.
    """
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise BadInput(
            f"{path} cannot be read as a store of measurements: {reason}; `psmodel validate run` or `suite` makes one"
        ) from None
    if not regular:
        raise BadInput(f"{path} cannot be read as a store of measurements: it is no regular file")
    _refuse_list(path)
    unclean = _ended_unclean(path)
    try:
        db, tidy = _connect_to_read(path, unclean)
    except (OSError, sqlite3.Error) as error:
        raise BadInput(f"{path} cannot be read as a store of measurements: {error}") from None
    try:
        version = _version(db, path)
        if version is not None:
            _check_columns(db, path)
        damage = _damage(db) if unclean else None
    except sqlite3.Error as error:
        db.close()
        tidy()
        raise BadInput(f"{path} cannot be read as a store of measurements: {error}") from None
    except BaseException:
        db.close()
        tidy()
        raise
    notes = () if damage is None else (f"{path} is damaged ({damage}); what can be read of it is used",)
    return Opened(db=db, notes=notes, tidy=tidy, empty=version is None)


def _connect(uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    # A damaged text must not keep us from reading the row's number and saying which one it is.
    db.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    return db


def _connect_to_read(path: Path, unclean: bool) -> tuple[sqlite3.Connection, Callable[[], None]]:
    name = quote(str(path.absolute()))
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        # As a writer SQLite recovers what a killed one left, sees what a living one adds, and tidies up after itself.
        db = _connect(f"file:{name}?mode=rw")
        db.execute("PRAGMA query_only = ON")
        return db, lambda: None
    if not unclean:
        return _connect(f"file:{name}?mode=ro&immutable=1"), lambda: None
    # The newest runs lie in a log that cannot be recovered where nothing can be written, so a copy is read.
    folder = Path(tempfile.mkdtemp(prefix="psmodel-store-"))
    try:
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", folder / f"copy{suffix}")
        db = _connect(f"file:{quote(str(folder / 'copy'))}?mode=rw")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return db, lambda: shutil.rmtree(folder, ignore_errors=True)


def identity(path: Path) -> tuple[int, int] | None:
    """Which file is at a path now: another one may have come in its place."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _ended_unclean(path: Path) -> bool:
    """Whether a log lies beside the file: who closes it last removes the log (sqlite.org/wal.html, section 4.1)."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except (OSError, ValueError):
        return False


def _version(db: sqlite3.Connection, path: Path) -> int | None:
    """Version of the schema; None if there is nothing in the file yet."""
    alone = not db.in_transaction
    if alone:
        db.execute("BEGIN")  # another process may be making the store: all three answers are of one moment
    try:
        objects = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
    except UnicodeDecodeError as error:  # SQLite's own message repeats a damaged byte of the schema
        raise sqlite3.DatabaseError("the schema is damaged") from error
    finally:
        if alone and db.in_transaction:
            db.execute("ROLLBACK")
    if objects == 0:
        return None
    if application != APPLICATION_ID:
        raise BadInput(f"{path} is no store of psmodel's measurements; name another file")
    if not 1 <= version <= SCHEMA_VERSION:
        by = "a later psmodel" if version > SCHEMA_VERSION else "no psmodel"
        raise BadInput(f"{path} was written by {by} (schema {version}); this one reads 1 to {SCHEMA_VERSION}")
    return version


def _check_columns(db: sqlite3.Connection, path: Path) -> None:
    there = {name for _, name, *_ in db.execute("PRAGMA table_info(measurement)")}
    missing = [name for name in COLUMNS if name not in there]
    if missing:
        what = "table measurement" if not there else f"column {missing[0]}"
        raise BadInput(f"{path} is no whole store of measurements: it has no {what}")


def has_checksums(db: sqlite3.Connection) -> bool:
    """Whether the rows have the column of version 2."""
    return any(name == "checksum" for _, name, *_ in db.execute("PRAGMA table_info(measurement)"))


def _damage(db: sqlite3.Connection) -> str | None:
    """What SQLite finds wrong with the whole file, in short; None if nothing."""
    try:
        first = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        return str(error)
    return None if first == "ok" else " ".join(str(first).split())


def _bring_up(db: sqlite3.Connection, path: Path) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    db.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited.
        version = _version(db, path)
        if version is None:
            steps: tuple[str, ...] = _SCHEMA
        else:
            _check_columns(db, path)
            steps = tuple(step for v in range(version, SCHEMA_VERSION) for step in _MIGRATIONS[v])
        if version is not None and steps:
            copy = _copy(path, version)
            notes = (
                f"{path} was brought from schema {version} to {SCHEMA_VERSION}; as it was it lies in {copy}",
            )
        for step in steps:
            db.execute(step)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
    return notes


def _copy(path: Path, version: int) -> Path:
    """A copy of the file as it is, whole before it has its name; an earlier copy is left alone."""
    target = path.with_name(f"{path.name}.schema-{version}")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.schema-{version}.{number}")
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    # By a connection of its own: one that holds the lock to write cannot be copied from.
    db, copy = _connect(f"file:{quote(str(path.absolute()))}?mode=rw"), sqlite3.connect(partial)
    try:
        db.backup(copy)
    finally:
        copy.close()
        db.close()
    partial.replace(target)
    return target
