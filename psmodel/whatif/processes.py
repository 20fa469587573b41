"""The rows of many points, on all cores: batches of a size that keeps each process busy."""

import multiprocessing
import multiprocessing.connection
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any

from psmodel.errors import CannotRun
from psmodel.limits import machine
from psmodel.predictors import Predictor, predictor
from psmodel.scenario import Scenario
from psmodel.whatif.parameter_space import Point
from psmodel.whatif.setup import Setup

_MOST_IN_A_BATCH = 64
_BATCH_S = 0.2
"""Simulations that are so short are sent to a process together, so many that it is busy for so long."""
_FEW = 500
"""So many closed forms are done before a pool of processes has started."""


Task = tuple[str, Scenario, Point]


def computed(
    tasks: Iterator[Task], setup: Setup, total: int, processes: int | None
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


def _rows(batch: list[Task], setup: Setup, predict: Predictor) -> list[tuple[str, dict[str, Any]]]:
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


def _work(batch: list[Task]) -> list[tuple[str, dict[str, Any]]]:
    return _rows(batch, _Worker.setup, _Worker.predict)
