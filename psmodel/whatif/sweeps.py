"""Many scenarios, one row each: on all cores, and resumable.

>>> from psmodel.scenario import load
>>> table = sweep(load("ingress-single"), grid("shards=1,10,100"))
>>> [(row["shards"], row["ingress_time_s"]) for row in table.rows()]
[(1, 8.0), (10, 0.8), (100, 0.08)]
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psmodel.engines import Engine, EngineLost, Processes
from psmodel.limits import budget, machine
from psmodel.storage import tables as table
from psmodel.storage.journal import Journal
from psmodel.whatif.batches import Task, computed
from psmodel.whatif.parameter_space import Grid, Point, parse_axis
from psmodel.whatif.setup import Base, Setup

__all__ = ["Base", "Progress", "Setup", "Sweep", "column", "grid", "sweep"]


def grid(*axes: str) -> Grid:
    """Every combination of the axes, each written ``key=values`` (see `psmodel.whatif.parameter_space`)."""
    return Grid(axes=tuple(parse_axis(text) for text in axes))


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a sweep is: points `done` of `total`, of which `reused` were in the journal already."""

    done: int
    reused: int
    total: int
    elapsed_s: float

    @property
    def rate_per_s(self) -> float:
        """Points computed per second so far."""
        return (self.done - self.reused) / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Estimated time left, s; None before the first point."""
        return (self.total - self.done) / self.rate_per_s if self.rate_per_s > 0 else None


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The table of a sweep, in the order of its points, whatever the order in which they were computed."""

    keys: Sequence[str]
    journal: Journal

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.rows()

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows one by one, read from the journal."""
        return (self.journal.get(key) for key in self.keys)

    def to_rows(self) -> list[dict[str, Any]]:
        """All rows as plain mappings."""
        return list(self.rows())

    def to_frame(self) -> Any:
        """A pandas data frame, if pandas is installed."""
        return table.to_frame(self.rows())

    check = staticmethod(table.check)

    def write(self, path: Path) -> None:
        """Write the table as .csv, .json or .parquet; the columns of settings say their unit (see `column`)."""
        table.write(lambda: ({column(key, v): v for key, v in row.items()} for row in self.rows()), path)


_COLUMN_UNITS = {
    "bandwidth": "bytes_per_s", "rate": "bytes_per_s", "model_size": "bytes",
    **dict.fromkeys(("compute", "update_cost", "propagation_delay", "message_overhead"), "s"),
    **dict.fromkeys(("mean", "sd", "minimum", "value", "duration", "compress_time", "decompress_time"), "s"),
}  # fmt: skip


def column(key: str, value: Any) -> str:
    """The column of a setting in a file: its key with the unit of the numbers in it.

    >>> column("bandwidth", 1.25e9), column("bandwidth.shard_up", 1e9), column("compute.mean", 0.1), column("shards", 4)
    ('bandwidth_bytes_per_s', 'bandwidth.shard_up_bytes_per_s', 'compute.mean_s', 'shards')
    """
    first, last = key.split(".")[0], key.split(".")[-1]
    unit = _COLUMN_UNITS.get("bandwidth" if first == "bandwidth" else last)
    if key == "stragglers.rate":
        unit = "per_s"
    return f"{key}_{unit}" if unit and isinstance(value, int | float) else key


def sweep(
    base: Base,
    points: Sequence[Point],
    setup: Setup | None = None,
    *,
    processes: int | None = None,
    engine: Engine | None = None,
    journal: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Sweep:
    """Predict every point.

    Parameters
    ----------
    base
        The scenario that the points change.
    points
        A `grid` or a Latin hypercube (`psmodel.whatif.parameter_space`).
    setup
        Method, coefficients and prices; closed forms of the ideal system if none.
    processes
        How many to use, by default one per core (a script that calls this then needs the usual
        ``if __name__ == "__main__":``). The rows do not depend on it.
    engine
        Who computes the rows instead of processes of this machine, see `psmodel.engines`.
    journal
        A file to which every finished row is appended, and from which a sweep that was stopped goes on.
    progress
        Called after every finished batch of rows.

    Raises
    ------
    ScenarioError
        If a point is not a possible scenario.
    CannotRun
        If what computes breaks down, or the disk is full.
    """
    setup = setup or Setup()
    _check_size(len(points), setup, journal)
    if isinstance(points, Grid):
        _check_ends(base, points, setup)
    rows_by_key = Journal(journal)
    keys: list[str] = []
    started = time.monotonic()
    reused = count = 0

    def tasks() -> Iterator[Task]:
        nonlocal reused, count
        keys_in_work: set[str] = set()
        for point in points:
            scenario = setup.scenario(base, point)
            key = setup.key(scenario, point)
            keys.append(key)
            if key in rows_by_key or key in keys_in_work:
                reused, count = reused + 1, count + 1
                continue
            keys_in_work.add(key)
            yield key, scenario, point

    if engine is None and processes is not None:
        engine = Processes(count=processes)
    try:
        for rows in computed(tasks(), setup, len(points), engine):
            for key, row in rows:
                rows_by_key.append(key, row)
            count += len(rows)
            if progress is not None:
                elapsed_s = time.monotonic() - started
                progress(Progress(done=count, reused=reused, total=len(points), elapsed_s=elapsed_s))
    except EngineLost as error:
        after = "" if journal is None else "; what is done is kept, and the same sweep goes on from there"
        raise EngineLost(f"{error}{after}") from None
    rows_by_key.sync()
    return Sweep(keys=keys, journal=rows_by_key)


_BYTES_PER_POINT = 400
_DISK_PER_POINT = 1500
_S_PER_POINT = 2e-4


def _check_size(points: int, setup: Setup, journal: Path | None) -> None:
    """Refuse what would fill the memory or the disk. A closed form takes least time, so this is the least of all."""
    need = budget.Need(
        what=f"a sweep of {points} points",
        fewer="points" if setup.replications == 1 else "points or replications",
        memory_bytes=_BYTES_PER_POINT * float(points),
        disk_bytes=_DISK_PER_POINT * float(points),
        time_s=_S_PER_POINT * points * setup.replications / machine.cores(),
    )
    budget.check(need, folder=Path(tempfile.gettempdir()) if journal is None else journal.parent)


def _check_ends(base: Base, points: Grid, setup: Setup) -> None:
    """See each value of each axis once, so that a bad one is named before hours are spent on the good ones."""
    first = points[0]
    for axis in points.axes:
        for value in axis.values:
            setup.scenario(base, first | {axis.key: value})
