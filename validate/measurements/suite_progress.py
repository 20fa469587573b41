"""What a suite that is being run says of itself, in a file beside its store, for whoever watches.

Its process holds a lock on the file, which the kernel takes away with the process however that ends: a file without a
lock is of a suite that was stopped. A suite that has made all of its runs takes its file away.
"""

import contextlib
import glob
import json
import math
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # not on Windows, where no suite is run
    fcntl = None  # type: ignore[assignment]

SCHEMA_VERSION = 1
_MOST_BYTES = 1 << 16
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
"""A pipe in the file's place must not keep whoever watches waiting."""
_TRIES, _PAUSE_S = 5, 0.02
"""Whoever watches holds a lock of their own for a moment."""
_MIDDLE = ".suite-"
_TEXTS = ("suite", "testbed", "scenario")
_NUMBERS = ("planned", "stored", "began", "made", "suspect", "failed", "run_began")


@dataclass(frozen=True, kw_only=True)
class SuiteProgress:
    """How far a suite is.

    Attributes
    ----------
    planned, stored
        Runs of the suite, and how many of them are in the store.
    made, suspect, failed
        Since it was last started: runs made (repeated ones too), how many of them are suspect, runs that failed.
    scenario
        Of the run that is being made.
    began, run_began
        When it was last started, and when that run was: seconds since 1970, UTC.
    running
        False if its process has ended before its time.
    """

    suite: str
    testbed: str
    planned: int
    stored: int
    began: float
    made: int = 0
    suspect: int = 0
    failed: int = 0
    scenario: str = ""
    run_began: float = 0.0
    running: bool = True

    def left_s(self) -> float | None:
        """Seconds until the end if what is left takes as long as what was made; None before the first run is made."""
        if not self.running or self.made + self.failed == 0:
            return None
        each = (self.run_began - self.began) / (self.made + self.failed)
        return each * max(0, self.planned - self.stored - self.failed)


class ProgressFile:
    """The file of a suite that is being run; one that cannot be written is done without."""

    def __init__(self, path: Path, progress: SuiteProgress) -> None:
        self._path, self._progress = path, progress
        self._descriptor: int | None = None
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if fcntl is not None and _taken(descriptor):
                os.close(descriptor)  # another process runs the same suite, and says so itself
            else:
                self._descriptor = descriptor
        self._write()

    def begins(self, scenario: str) -> None:
        """A run is about to be made."""
        self._progress = replace(self._progress, scenario=scenario, run_began=time.time())
        self._write()

    def made(self, *, suspect: bool, again: bool) -> None:
        """It has been made and stored; `again` if it only repeats a suspect one."""
        p = self._progress
        self._progress = replace(
            p, made=p.made + 1, suspect=p.suspect + suspect, stored=p.stored + (not again), run_began=time.time()
        )  # fmt: skip
        self._write()

    def failed(self) -> None:
        """It could not be made."""
        self._progress = replace(self._progress, failed=self._progress.failed + 1, run_began=time.time())
        self._write()

    def finished(self) -> None:
        """There is nothing left to do."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self) -> None:
        if self._descriptor is None:
            return
        text = json.dumps({"schema_version": SCHEMA_VERSION, **asdict(self._progress)}).encode()
        with contextlib.suppress(OSError):  # a full disk must not end a run
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))


@contextmanager
def told(store: Path, suite: str, testbed: str, *, planned: int, stored: int) -> Iterator[ProgressFile]:
    """Keep the file of a suite while it is being run."""
    file = ProgressFile(
        _path_of(store, suite),
        SuiteProgress(suite=suite, testbed=testbed, planned=planned, stored=stored, began=time.time()),
    )
    try:
        yield file
    finally:
        file.close()


def read(store: Path) -> list[SuiteProgress]:
    """The suites that are being run into a store, and those that were stopped before they had all of their runs."""
    try:
        paths = sorted(store.parent.glob(f"{glob.escape(store.name)}{_MIDDLE}*.json"))
    except OSError:
        return []
    return [progress for path in paths if (progress := _read(path)) is not None]


def _path_of(store: Path, suite: str) -> Path:
    plain = re.sub(r"[^A-Za-z0-9@._-]", "-", suite)[:80]
    return store.with_name(f"{store.name}{_MIDDLE}{plain}.json")


def _read(path: Path) -> SuiteProgress | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | _NO_WAIT)
        try:
            values: Any = json.loads(os.read(descriptor, _MOST_BYTES))
            running = fcntl is not None and _locked(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)
        if (
            not isinstance(values, dict)
            or values.pop("schema_version") != SCHEMA_VERSION
            or values.keys() != {f.name for f in fields(SuiteProgress)}
        ):
            return None
        progress = SuiteProgress(**values | {"running": running})
        return progress if _is_whole(progress) else None
    except (OSError, ValueError, KeyError, AttributeError, OverflowError, RecursionError):
        return None  # gone meanwhile, or not ours


def _is_whole(progress: SuiteProgress) -> bool:
    """Whether every value is of its kind: the file is anybody's to write."""
    numbers = (getattr(progress, name) for name in _NUMBERS)
    return all(isinstance(getattr(progress, name), str) for name in _TEXTS) and all(
        isinstance(number, int | float) and math.isfinite(number) for number in numbers
    )


def _taken(descriptor: int) -> bool:
    """Try to take the lock; whether another process holds it."""
    for _ in range(_TRIES):
        if not _locked(descriptor, fcntl.LOCK_EX):
            return False
        time.sleep(_PAUSE_S)
    return True


def _locked(descriptor: int, operation: int) -> bool:
    """Whether another process holds a lock that `operation` cannot be had beside."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
