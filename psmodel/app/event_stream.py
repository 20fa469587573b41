"""Run a simulation in a subprocess, stream its progress, and stop it when the client disconnects."""

import json
import multiprocessing
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from starlette.concurrency import run_in_threadpool

from psmodel.app.query import Query
from psmodel.calibration import Calibration
from psmodel.errors import UserError
from psmodel.predictors import with_bounds
from psmodel.results import Timeline
from psmodel.scenario import Scenario
from psmodel.trace import Span

_TICK_S = 0.25
_MOST_BYTES = 4 << 30
"""Memory that one simulation may take: the machine is not the page's alone."""
_TOO_LARGE = (
    f"the simulation needs more than the {_MOST_BYTES >> 30} GiB of memory that the page gives it; ask for fewer "
    "workers, shards or iterations"
)
_NICE = 10
"""Whoever asks the next question while this one is simulated goes first."""
_ROWS = 8
"""Most rows of workers, and of shards, in the timeline."""
_MOST_CALLS = 20_000
"""A timeline of more messages per iteration is neither drawn nor simulated."""
_CYCLES = 3
"""Iterations that are simulated for the timeline, the last one is drawn: workers out of step have drifted by then."""


async def events(query: Query, disconnected: Callable[[], Awaitable[bool]]) -> AsyncIterator[str]:
    """Server-sent events: ``progress`` (done, of), then ``result`` or ``problem``; `gone` says if the reader is."""
    if await disconnected():
        return
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_simulate,
        args=(theirs, query.scenario, query.settings.calibrated.best, query.replications),
        daemon=True,
    )
    try:
        await run_in_threadpool(_start, process)
        theirs.close()
        yield _event("progress", [0, query.replications])
        while not await disconnected():
            if not await run_in_threadpool(ours.poll, _TICK_S):
                continue
            kind, value = ours.recv()
            yield _event(kind, value)
            if kind != "progress":
                return
    except EOFError:
        yield _event("problem", _TOO_LARGE)
    finally:
        if process.pid is not None:
            process.kill()
            process.join()
        ours.close()


def _start(process: BaseProcess) -> None:
    """Start it behind everything else: a new interpreter takes a core for half a second."""
    process.start()
    if hasattr(os, "setpriority") and process.pid is not None:  # not on Windows
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)


def _event(kind: str, value: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps(value, allow_nan=False)}\n\n"


def _simulate(answer: Connection, scenario: Scenario, calibration: Calibration, replications: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_memory()
    from psmodel import simulation
    from psmodel.simulation.replications import replicate

    try:
        result = replicate(
            scenario, calibration, replications=replications, processes=1,
            on_progress=lambda count, of: answer.send(("progress", [count, of])),
        )  # fmt: skip
        picture = None
        if scenario.workers * scenario.shards <= _MOST_CALLS:
            few = scenario.replace(warmup=0, iterations=min(scenario.iterations or _CYCLES, _CYCLES))
            run = simulation.predict(few, calibration, trace=True)
            picture = timeline(run.spans, run.timeline)
        prediction = with_bounds(result, scenario, calibration)
        answer.send(("result", {"prediction": prediction.to_json(), "timeline": picture}))
    except UserError as error:
        answer.send(("problem", str(error)))
    except MemoryError:
        answer.send(("problem", _TOO_LARGE))


def _end_with_parent() -> None:
    """A server that is killed cannot end its simulations; each one ends itself."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = _MOST_BYTES if hard == resource.RLIM_INFINITY else min(_MOST_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def timeline(spans: tuple[Span, ...], record: Timeline) -> dict[str, Any]:
    """The last iteration as rows of bars, in s from its start: the phases of workers, and shards with their links.

    ``hidden`` is the number of rows that are left out. Hosts to which the very same happens are one row.
    """
    last = record.start.shape[1] - 1
    start, end = float(record.start[:, last].min()), float(record.released[:, last].max())
    rows: dict[str, list[dict[str, Any]]] = {}
    for span in spans:
        of_worker = span.row.startswith("worker")
        if of_worker and (span.overlapping or span.args["iteration"] != last):
            continue
        begin, stop = max(span.start_s, start), min(span.end_s, end)
        if stop > begin:
            bar = {"name": span.name, "start_s": begin - start, "end_s": stop - start}
            rows.setdefault(span.row, []).append(bar)
    workers = sorted((row for row in rows if row.startswith("worker")), key=_natural)
    shards = sorted((row for row in rows if not row.startswith("worker")), key=_natural)
    names = [*workers[:_ROWS], *shards[:_ROWS]]
    return {
        "rows": [{"row": row, "bars": rows[row]} for row in names],
        "length_s": end - start,
        "hidden": len(rows) - len(names),
    }


def _natural(row: str) -> tuple[int, str]:
    name, _, way = row.partition(".")
    return int(name.rpartition("-")[2]) if name[-1].isdigit() else -1, way
