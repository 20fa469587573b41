"""The cases. Each gives rows: name → value, with times in seconds and memory in bytes."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.browser import page
from benchmarks.estimates import errors, table
from benchmarks.peer import simgrid
from benchmarks.star import Star
from benchmarks.work import measured

Row = dict[str, Any]
_SCENARIOS = 300
_SOON_S = 5.0
"""SimGrid is run again where it takes less."""
_SINGLE_UP_TO = 200
"""So many workers and shards are also simulated without bundles."""


def _beside_simgrid(star: Star, patience_s: float, *, single: bool, repeats: int = 3) -> Row:
    """Both sides one after the other, `repeats` times where that takes seconds; the shortest of each counts."""
    solving = float(measured("star", links=star.to_json(), bundled=True, repeats=repeats)["seconds"])
    # A whole process loads compiled functions only where that pays, as anybody's does.
    runs = [_process(star, bundled=True) for _ in range(repeats)]
    ours = min(runs, key=lambda run: float(run["process_s"]))
    row: Row = {
        "N": len(star.up),
        "K": len(star.down),
        "flows": len(star.up) * len(star.down),
        "psmodel_s": solving,
        "psmodel_process_s": ours["process_s"],
        "psmodel_peak_bytes": ours["peak_bytes"],
    }
    if single:
        alone = _process(star, bundled=False)
        row |= {
            "unbundled_s": alone["seconds"],
            "unbundled_process_s": alone["process_s"],
            "unbundled_difference": _difference(alone, ours["ends"]),
        }
    peer = simgrid()
    if peer is None:
        return row | {"simgrid": "not installed"}
    theirs = peer.run(star, patience_s) if patience_s > 0 else None
    if theirs is None:
        if patience_s == 0:
            return row | {"simgrid": "not run"}
        return row | {
            "simgrid": f"stopped after {patience_s:g} s",
            "ratio_above": patience_s / solving,
            "process_ratio_above": patience_s / ours["process_s"],
        }
    all_runs = [theirs]
    while len(all_runs) < repeats and theirs.seconds < _SOON_S and (again := peer.run(star, patience_s)):
        all_runs.append(again)
    seconds, process_s = (min(getattr(run, name) for run in all_runs) for name in ("seconds", "process_s"))
    return row | {
        "simgrid_s": seconds,
        "simgrid_process_s": process_s,
        "simgrid_peak_bytes": theirs.peak_bytes,
        "ratio": seconds / solving,
        "process_ratio": process_s / ours["process_s"],
        "difference": _difference(ours, theirs.ends),
    }


def _process(star: Star, *, bundled: bool) -> Row:
    return measured("star", links=star.to_json(), bundled=bundled, loaded=False, repeats=1)


def _difference(run: Row, ends: Sequence[float]) -> float:
    """Largest relative difference of the workers' ends."""
    return float(np.max(np.abs(np.array(run["ends"]) / np.array(ends) - 1)))


def symmetric(patience_s: float) -> Iterator[Row]:
    """1. N = K, equal links, seven starts: what is alike is bundled."""
    finished = True
    for n in (16, 32, 64, 100, 200, 500, 1000):
        row = _beside_simgrid(Star.symmetric(n), patience_s if finished else 0.0, single=n <= _SINGLE_UP_TO)
        finished = "simgrid_s" in row
        yield row


def asynchronous(_: float) -> Iterator[Row]:
    """2. 100 iterations of asynchronous training with lognormal compute times."""
    for n in (100, 1000):
        yield _training(n, n, 100)


def _training(n: int, k: int, iterations: int) -> Row:
    run = measured("training", workers=n, shards=k, iterations=iterations)
    return {
        "N": n,
        "K": k,
        "iterations": iterations,
        "flows": 2 * n * k * iterations,
        "psmodel_s": run["seconds"],
        "psmodel_peak_bytes": run["peak_bytes"],
        "iteration_time_s": run["iteration_time_s"],
        "staleness_mean": run["staleness_mean"],
    }


def unsymmetric(patience_s: float) -> Iterator[Row]:
    """3. Every link of another rate and eleven starts: nothing can be bundled."""
    for n, k in ((37, 23), (200, 20), (50, 50), (100, 60), (120, 80), (200, 200)):
        yield _beside_simgrid(Star.different(n, k), patience_s, single=False)


def large(patience_s: float) -> Iterator[Row]:
    """7. Up to a million different flows, exact and with a tolerance of 0.1 %; p of time ∝ flowsᵖ from 10,000 on."""
    exact: dict[int, Row] = {}
    for tolerance, sizes in ((0.0, (100, 200, 500, 1000)), (1e-3, (100, 200, 500, 1000))):
        flows, times = [], []
        for n in sizes:
            repeats = 3 if n < 500 else 1
            run = measured(
                "star",
                links=Star.different(n, n).to_json(),
                bundled=True,
                tolerance=tolerance,
                repeats=repeats,
            )
            if tolerance == 0:
                exact[n] = run
            flows.append(n * n)
            times.append(run["seconds"])
            row: Row = {
                "N": n,
                "K": n,
                "flows": n * n,
                "tolerance": tolerance,
                "psmodel_s": run["seconds"],
                "psmodel_process_s": run["process_s"],
                "psmodel_peak_bytes": run["peak_bytes"],
                "makespan_s": max(run["ends"]),
                "exponent": None if len(flows) < 2 else float(np.polyfit(np.log(flows), np.log(times), 1)[0]),
            }
            if n in exact:
                row["makespan_difference"] = abs(max(run["ends"]) / max(exact[n]["ends"]) - 1)
                row["end_difference"] = _difference(run, exact[n]["ends"])
            yield row


def calibrated(_: float) -> Iterator[Row]:
    """8. Training of 100 workers and 100 shards with the usual coefficients, and without."""
    for what, options in (
        ("in step, calibrated", {"in_step": True, "calibrated": True, "iterations": 1, "repeats": 3}),
        ("asynchronous, ideal", {"iterations": 100}),
        ("asynchronous, calibrated", {"calibrated": True, "iterations": 100}),
    ):
        run = measured("training", workers=100, shards=100, **options)
        yield {
            "what": what,
            "iterations": options["iterations"],
            "flows": 2 * 100 * 100 * int(options["iterations"]),
            "psmodel_s": run["seconds"],
            "psmodel_process_s": run["process_s"],
            "psmodel_peak_bytes": run["peak_bytes"],
            "iteration_time_s": run["iteration_time_s"],
        }


def growth(_: float) -> Iterator[Row]:
    """4. Exponent p of time ∝ Nᵖ, at fixed K and at K = N (and SimGrid's over the same stars)."""
    peer = simgrid()

    def star(n: int, k: int) -> float:
        return float(measured("star", links=Star.different(n, k).to_json(), bundled=True)["seconds"])

    def theirs(n: int, k: int) -> float:
        run = None if peer is None else peer.run(Star.different(n, k), 60.0)
        return np.nan if run is None else run.seconds

    def bundled(n: int, _: int) -> float:
        return float(measured("star", links=Star.symmetric(n).to_json(), bundled=True)["seconds"])

    def training(n: int, k: int) -> float:
        return float(_training(n, k, 5)["psmodel_s"])

    plans: tuple[tuple[str, Callable[[int, int], float], tuple[int, ...], int | None], ...] = (
        ("star of equal links", bundled, (100, 200, 500, 1000), None),
        ("star of different links", star, (50, 100, 200), 20),
        ("star of different links", star, (25, 50, 100), None),
        ("star of different links, SimGrid", theirs, (50, 100, 200), 20),
        ("star of different links, SimGrid", theirs, (25, 50, 100), None),
        ("asynchronous training", training, (100, 200, 400), 100),
        ("asynchronous training", training, (100, 200, 400, 800), None),
    )
    for what, seconds, sizes, k in plans:
        times = [seconds(n, k or n) for n in sizes]
        exponent = float(np.polyfit(np.log(sizes), np.log(times), 1)[0])
        if not np.isnan(exponent):
            yield {"what": what, "K": k or "N", "N": sizes, "seconds": times, "exponent": exponent}


def sweeps(_: float) -> Iterator[Row]:
    """5. 10,000 scenarios by closed forms at once and one by one, 1,000 by simulation on all cores."""
    from psmodel import analytic, load
    from psmodel.analytic import predict_grid
    from psmodel.scenario import Scenario
    from psmodel.whatif.sweeps import Setup, grid, sweep

    base, count, some = load("ingress-single"), 10_000, 200
    rng = np.random.default_rng(0)
    columns = {
        "workers": rng.integers(1, 1000, count),
        "shards": rng.integers(1, 100, count),
        "model_size": 8 * rng.integers(1_000, 100_000_000, count),
        "bandwidth": rng.uniform(1e8, 1e10, count),
        "compute": rng.uniform(0, 1, count),
    }
    began = time.perf_counter()
    answers = predict_grid(base, columns)
    seconds = time.perf_counter() - began
    yield {
        "what": "closed forms, vectorised",
        "scenarios": count,
        "psmodel_s": seconds,
        "per_s": count / seconds,
    }

    began = time.perf_counter()
    for row in range(some):
        changes = {name: values[row].item() for name, values in columns.items()}
        alone = analytic.predict(base.replace(**changes)).metrics.iteration_time_s
        assert np.isclose(alone, answers["iteration_time_s"][row], rtol=1e-12)
    seconds = time.perf_counter() - began
    yield {
        "what": "closed forms, one by one",
        "scenarios": some,
        "psmodel_s": seconds,
        "per_s": some / seconds,
    }

    base = Scenario.from_json(
        {
            "workers": 1, "shards": 1, "model_size": "100MB", "bandwidth": "10Gbps", "iterations": 10,
            "compute": {"kind": "lognormal", "mean": 0.1, "cv": 0.3},
        }
    )  # fmt: skip
    points = grid("workers=1:10:1", "shards=1:10:1", "mode=bsp,asp", "bandwidth=1Gbps:5Gbps:1Gbps")
    began = time.perf_counter()
    rows = sweep(base, points, Setup(method="simulate"))
    seconds = time.perf_counter() - began
    yield {"what": "simulated, all cores", "scenarios": len(rows), "psmodel_s": seconds,
           "per_s": len(rows) / seconds}  # fmt: skip
    began = time.process_time()
    rows = sweep(base, points, Setup(method="simulate"), processes=1)
    seconds = time.process_time() - began
    yield {"what": "simulated, processor time of one core", "scenarios": len(rows), "psmodel_s": seconds,
           "per_s": len(rows) / seconds}  # fmt: skip


def start(_: float) -> Iterator[Row]:
    """6. Start-up: processor time of a whole process, 15 runs."""
    commands = {
        "psmodel simulate": ["-m", "psmodel", "simulate", "ingress-single", "--json"],
        "psmodel predict": ["-m", "psmodel", "predict", "ingress-single", "--json"],
        "import numpy, pydantic, click": ["-c", "import numpy, pydantic.main, click"],
        "Python alone": ["-c", "pass"],
    }
    for what, command in commands.items():
        times = []
        for _ in range(15):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        yield {"what": what, "psmodel_s": float(np.median(times)), "shortest_s": min(times)}


def limit(_: float) -> Iterator[Row]:
    """1b. SimGrid alone on the next size of case 1, for ten minutes (only if asked for)."""
    peer, star, patience_s = simgrid(), Star.symmetric(500), 600.0
    if peer is not None:
        run = peer.run(star, patience_s)
        outcome = (
            {"simgrid": f"stopped after {patience_s:g} s"} if run is None else {"simgrid_s": run.seconds}
        )
        yield {"N": len(star.up), "K": len(star.down), "flows": len(star.up) * len(star.down), **outcome}


def estimates(_: float) -> Iterator[Row]:
    """How far closed forms and mean value analysis are from simulated steady states where they are estimates."""
    yield from table(errors(range(_SCENARIOS)))


CASES: dict[str, Callable[[float], Iterator[Row]]] = {
    "symmetric": symmetric,
    "asynchronous": asynchronous,
    "unsymmetric": unsymmetric,
    "growth": growth,
    "sweeps": sweeps,
    "start": start,
    "large": large,
    "calibrated": calibrated,
    "page": page,
    "limit": limit,
    "estimates": estimates,
}
USUAL = tuple(name for name in CASES if name not in ("limit", "estimates"))
"""Those that are run if none is named; the others take many minutes."""
