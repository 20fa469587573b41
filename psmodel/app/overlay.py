"""Real runs to show over predictions, from a store of measurements.

The package that measures says so by an entry point ``store`` of the group ``psmodel.measurements``: a function
from the path of a store to its runs. `psmodel` thus never imports it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

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
        raise BadInput(f"--store {path}: there is no such file; `psmodel validate run` makes one")
    try:
        (entry,) = entry_points(group=_ENTRY_POINTS, name="store")
        reader: Callable[[Path], Iterable[Measured]] = entry.load()
    except (ValueError, ImportError):
        raise CannotRun(
            "measurements cannot be read; install with: pip install 'psmodel[validate]'"
        ) from None
    return tuple(reader(path))
