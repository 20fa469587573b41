"""Many scenarios, one row each: on all cores, and resumable.

>>> from psmodel.scenario import load
>>> table = sweep(load("ingress-single"), grid("shards=1,10,100"))
>>> [(row["shards"], row["ingress_time_s"]) for row in table.rows()]
[(1, 8.0), (10, 0.8), (100, 0.08)]
"""

import hashlib
import json
import multiprocessing
import multiprocessing.connection
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache, partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from psmodel.calibration import Calibration
from psmodel.derived_metrics import derived
from psmodel.errors import BadInput, CannotRun
from psmodel.limits import budget, machine
from psmodel.predictors import Calibrated, Predictor, answer, predictor
from psmodel.results import Method, Metrics, Prediction
from psmodel.scenario import Scenario
from psmodel.storage import tables as table
from psmodel.storage.journal import Journal
from psmodel.whatif.parameter_space import Grid, Point, parse_axis, resolve, settings
from psmodel.whatif.prices import MACHINE_KEYS, Catalogue, check_cores, cost, equip, machines_for

Base = Scenario | Mapping[str, Any]
"""What the points change: a scenario, or some of its keys where the points give the others."""
_METRICS = tuple(f.name for f in fields(Metrics))
_MOST_IN_A_BATCH = 64
_BATCH_S = 0.2
"""Simulations that are so short are sent to a process together, so many that it is busy for so long."""
_FEW = 500
"""So many closed forms are done before a pool of processes has started."""


def grid(*axes: str) -> Grid:
    """Every combination of the axes, each written ``key=values`` (see `psmodel.whatif.parameter_space`)."""
    return Grid(axes=tuple(parse_axis(text) for text in axes))


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is asked of every point: the method, with which coefficients, at whose prices."""

    method: Method = "analytic"
    replications: int = 1
    calibrated: Calibrated = field(default_factory=Calibrated)
    catalogue: Catalogue | None = None

    def scenario(self, base: Base, point: Point) -> Scenario:
        """The scenario of a point.

        Raises
        ------
        BadInput
            If it is not possible, or contradicts the machine types that the point names.
        """
        keys = [key for key in MACHINE_KEYS if key in point]
        if not keys:
            return resolve(base, point)
        if self.catalogue is None:
            raise BadInput(f"{keys[0]} chooses a machine type; name a catalogue of them")
        if not isinstance(base, Scenario):
            base, point = {}, {**base, **point}
        placement = str(point.get("placement", base.placement if isinstance(base, Scenario) else "dedicated"))
        scenario = resolve(base, equip(point, self.catalogue, placement))
        check_cores(scenario, point, self.catalogue)
        return scenario

    def row(self, scenario: Scenario, point: Point, predict: Predictor) -> dict[str, Any]:
        """One row: the point's settings (SI), every metric with its intervals, the bottleneck and the cost.

        ``<metric>_half_width`` is that of the 95 % confidence interval of simulated randomness;
        ``<metric>_low`` and ``<metric>_high`` are what the fit's draws leave open.
        """
        reply = answer(scenario, predict, self.calibrated.by(self.method))
        metrics = reply.prediction.metrics.to_json()
        machine_keys = {key: value for key, value in point.items() if key in MACHINE_KEYS}
        row = (
            {"scenario": scenario.name, "method": self.method}
            | machine_keys
            | settings(scenario, {key: value for key, value in point.items() if key not in MACHINE_KEYS})
            | metrics
            | self.derived(scenario, reply.prediction, predict)
            | {
                "bottleneck": reply.prediction.bottleneck,
                "claim": reply.prediction.claims.get("iteration_time_s"),
            }
            | {f"{name}_half_width": reply.prediction.half_widths.get(name) for name in _METRICS}
        )
        if self.calibrated.draws:
            for name in _METRICS:
                row[f"{name}_low"], row[f"{name}_high"] = reply.intervals.get(name, (None, None))
        if self.calibrated.region is not None:
            row["extrapolation"] = "; ".join(reply.extrapolation) or None
        if self.catalogue is not None:
            machines = machines_for(scenario, point, self.catalogue)
            price = machines and cost(
                scenario, machines, reply.prediction.metrics.iteration_time_s, self.catalogue.currency
            )
            row |= {
                "worker_machine": machines and machines.worker.name,
                "shard_machine": machines and machines.shard.name,
                "cost_per_hour": price and price.per_hour,
                "cost_per_1000_iterations": price and price.per_1000_iterations,
                "currency": self.catalogue.currency,
            }
        return row

    def derived(
        self, scenario: Scenario, prediction: Prediction, predict: Predictor
    ) -> dict[str, float | None]:
        """`psmodel.derived_metrics` of a prediction; a second simulation, of one worker alone, is not made for it."""
        one = None if self.method == "simulate" else partial(_of_one_worker, predict, self.calibrated.best)
        return derived(scenario, prediction, one)

    def key(self, scenario: Scenario, point: Point) -> str:
        """A hash of everything the row depends on, and of psmodel's version."""
        question = {
            "psmodel": _version(),
            "method": self.method,
            "replications": self.replications,
            "known": self.calibrated.to_json(),
            "catalogue": None if self.catalogue is None else self.catalogue.model_dump(mode="json"),
        }
        resolved = {
            "scenario": scenario.model_dump(mode="json"),
            "point": {k: str(v) for k, v in point.items()},
        }
        return hashlib.sha256(json.dumps(question | resolved, sort_keys=True).encode()).hexdigest()[:32]


@cache
def _version() -> str:
    return version("psmodel")


@lru_cache(maxsize=256)
def _of_one_worker(predict: Predictor, coefficients: Calibration, scenario: Scenario) -> Prediction:
    """Many rows have the same worker alone: those that differ in nothing but their number of workers."""
    return predict(scenario, coefficients)


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


_Task = tuple[str, Scenario, Point]


def sweep(
    base: Base,
    points: Sequence[Point],
    setup: Setup | None = None,
    *,
    processes: int | None = None,
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
    journal
        A file to which every finished row is appended, and from which a sweep that was stopped goes on.
    progress
        Called after every finished batch of rows.

    Raises
    ------
    ScenarioError
        If a point is not a possible scenario.
    CannotRun
        If a process dies, or the disk is full.
    """
    setup = setup or Setup()
    _check_size(len(points), setup, journal)
    if isinstance(points, Grid):
        _check_ends(base, points, setup)
    rows_by_key = Journal(journal)
    keys: list[str] = []
    started = time.monotonic()
    reused = count = 0

    def tasks() -> Iterator[_Task]:
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

    for rows in _computed(tasks(), setup, len(points), processes):
        for key, row in rows:
            rows_by_key.append(key, row)
        count += len(rows)
        if progress is not None:
            progress(
                Progress(done=count, reused=reused, total=len(points), elapsed_s=time.monotonic() - started)
            )
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


def _computed(
    tasks: Iterator[_Task], setup: Setup, total: int, processes: int | None
) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    size = 1 if setup.method == "simulate" else _MOST_IN_A_BATCH
    count = processes or machine.cores()
    if count == 1 or (processes is None and setup.method != "simulate" and total <= _FEW):
        predict = predictor(setup.method, replications=setup.replications)
        while batch := list(islice(tasks, size)):
            yield _rows(batch, setup, predict)
        return
    # Spawned, not forked: a fork copies the threads' locks of whatever the caller runs (JAX, Arrow, a GUI).
    with ProcessPoolExecutor(
        count, multiprocessing.get_context("spawn"), initializer=_start, initargs=(setup,)
    ) as pool:
        pending: set[Future[list[tuple[str, dict[str, Any]]]]] = set()
        rows_so_far, began = 0, time.monotonic()
        try:
            while True:
                while len(pending) < 4 * count and (batch := list(islice(tasks, size))):
                    pending.add(pool.submit(_work, batch))
                if not pending:
                    return
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    rows = future.result()
                    rows_so_far += len(rows)
                    yield rows
                if setup.method == "simulate":
                    per_process = rows_so_far / (time.monotonic() - began) / count
                    size = min(_MOST_IN_A_BATCH, max(1, int(per_process * _BATCH_S)))
        except BrokenProcessPool:
            raise CannotRun(
                "a process of the sweep died (memory used up, or a script without "
                '`if __name__ == "__main__":`); the journal keeps what was done'
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _rows(batch: list[_Task], setup: Setup, predict: Predictor) -> list[tuple[str, dict[str, Any]]]:
    return [(key, setup.row(scenario, point, predict)) for key, scenario, point in batch]


class _Worker:
    """What a process of the pool was started with."""

    setup: Setup
    predict: Predictor


def _start(setup: Setup) -> None:
    _Worker.setup = setup
    _Worker.predict = staticmethod(predictor(setup.method, replications=setup.replications))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # The processes of a pool whose owner is killed wait for work for ever, for each holds the pipe open.
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _work(batch: list[_Task]) -> list[tuple[str, dict[str, Any]]]:
    return _rows(batch, _Worker.setup, _Worker.predict)
