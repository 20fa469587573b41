"""The rows of many points, in batches of a size that keeps everybody who computes them busy."""

import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from psmodel.engines import Engine, Processes
from psmodel.limits import machine
from psmodel.predictors import predictor
from psmodel.scenario import Scenario
from psmodel.whatif.parameter_space import Point
from psmodel.whatif.setup import Setup

_MOST_IN_A_BATCH = 64
_BATCH_S = 0.2
"""Simulations that are so short are handed out together, so many that they take so long."""
_FEW = 500
"""So many closed forms are done before a pool of processes has started."""


Task = tuple[str, Scenario, Point]
Rows = list[tuple[str, dict[str, Any]]]


def computed(tasks: Iterator[Task], setup: Setup, total: int, engine: Engine | None) -> Iterator[Rows]:
    """Key and row of each task, a batch at a time, as they are ready; by the engine, or as this machine is quickest."""
    simulated = setup.method == "simulate"
    if engine is None:
        engine = Processes(count=1 if total <= _FEW and not simulated else machine.cores())
    size = 1 if simulated else _MOST_IN_A_BATCH

    def batches() -> Iterator[list[Task]]:
        while batch := list(islice(tasks, size)):
            yield batch

    with engine.running(partial(_rows, setup)) as crew:
        count, began = 0, time.monotonic()
        for rows in crew.results(batches()):
            count += len(rows)
            yield rows
            if simulated and crew.slots > 1:
                per_slot = count / (time.monotonic() - began) / crew.slots
                size = min(_MOST_IN_A_BATCH, max(1, int(per_slot * _BATCH_S)))


def _rows(setup: Setup, batch: list[Task]) -> Rows:
    predict = predictor(setup.method, replications=setup.replications)
    return [(key, setup.row(scenario, point, predict)) for key, scenario, point in batch]
