"""Real runs to show over predictions, from a store of measurements, and what else is known of that store.

The package that measures gives it by entry points of the group ``psmodel.measurements``, functions of a store's path:
``store`` its runs, ``progress`` the suites that are being run into it, ``drift`` where times have stepped. `psmodel`
thus never imports it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from psmodel.errors import BadInput, CannotRun
from psmodel.results import Metrics
from psmodel.scenario import Scenario

_ENTRY_POINTS = "psmodel.measurements"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A real run: what was run, what was measured, and why not to believe it (empty if nothing speaks against it).

    Attributes
    ----------
    suite
        The suite it was made for; empty of a run by itself.
    testbed, started_at
        Where and when (ISO 8601) it ran.
    """

    scenario: Scenario
    metrics: Metrics
    suspect: str = ""
    suite: str = ""
    testbed: str = ""
    started_at: str = ""


@dataclass(frozen=True, kw_only=True)
class Underway:
    """A suite that is being run, or was stopped before it had all of its runs.

    Attributes
    ----------
    planned, stored, suspect, failed
        Numbers of runs: of the whole suite, in the store, and since it was last started.
    scenario, for_s
        What is being run, and for how many seconds so far.
    left_s
        Seconds until the end; None where nothing tells.
    resume
        The command that goes on with a stopped one.
    """

    suite: str
    testbed: str
    running: bool
    planned: int
    stored: int
    suspect: int
    failed: int
    scenario: str
    for_s: float
    left_s: float | None
    resume: str


@dataclass(frozen=True, kw_only=True)
class TimeSeries:
    """Times (s) of one scenario's runs in their order, and where they have stepped.

    Attributes
    ----------
    labels
        When each run was, and with which software.
    steps
        Index of the first run after each step, and a sentence that says what has changed, when, and by how much.
    """

    name: str
    labels: tuple[str, ...]
    times_s: tuple[float, ...]
    steps: tuple[tuple[int, str], ...]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The courses that have stepped, of so many that were looked at; `short` more have fewer than `least` runs."""

    series: int
    short: int
    least: int
    courses: tuple[TimeSeries, ...]


def read(path: Path) -> tuple[Measured, ...]:
    """The runs of a store.

    Raises
    ------
    BadInput
        If there is no such file, or it is no store.
    CannotRun
        If nothing that is installed reads stores.
    """
    if not path.is_file():
        if path.exists():
            raise BadInput(f"--store {path}: it is no regular file; give a store of measurements")
        raise BadInput(f"--store {path}: there is no such file; `psmodel validate run` makes one")
    reader: Callable[[Path], Iterable[Measured]] | None = _provider("store")
    if reader is None:
        raise CannotRun("measurements cannot be read; install with: pip install 'psmodel[validate]'")
    return tuple(reader(path))


def underway(path: Path) -> tuple[Underway, ...]:
    """The suites that are being run into a store; none where nothing that is installed knows."""
    provider: Callable[[Path], Iterable[Underway]] | None = _provider("progress")
    return () if provider is None else tuple(provider(path))


def drift(path: Path) -> Drift | None:
    """Where the times in a store have stepped; None where nothing that is installed knows.

    Raises
    ------
    BadInput
        If it is no store.
    """
    provider: Callable[[Path], Drift] | None = _provider("drift")
    return None if provider is None else provider(path)


def state_of(path: Path) -> str:
    """Another text whenever a store may have changed: sizes and times of its file and of its journal."""
    parts = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            about = file.stat()
        except OSError:
            continue
        parts.append(f"{about.st_size}.{about.st_mtime_ns}")
    return "-".join(parts)


def _provider(name: str) -> Callable[[Path], Any] | None:
    try:
        (entry,) = entry_points(group=_ENTRY_POINTS, name=name)
        provider: Callable[[Path], Any] = entry.load()
    except (ValueError, ImportError):
        return None
    return provider
