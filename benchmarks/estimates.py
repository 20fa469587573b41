"""How far the closed forms and mean value analysis are from the simulation where they are estimates."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from psmodel import simulation
from psmodel.analytic import mva, predict
from psmodel.calibration import COEFFICIENTS, IDEAL, Calibration
from psmodel.scenario import Scenario

KINDS = ("asp", "ssp", "prefetch", "layers")
PRECISION = 0.02
"""Of the simulated steady state."""
_MOST_FLOWS = 200
USUAL = Calibration(**{n: c.usual for n, c in COEFFICIENTS.items() if not c.reorders})


def random_scenario(seed: int) -> tuple[str, Scenario, Calibration]:
    """A scenario of one of the `KINDS` with what else may come with it, ideal or with usual costs of calls.

    Communication and computing are within a factor of ten of each other; 1 to 32 workers, 1 to 24 shards, 1 to 160 MB,
    links of 0.8 to 40 Gbit/s.
    """
    rng = np.random.default_rng(seed)
    while True:
        kind = str(rng.choice(KINDS))
        workers, shards = int(32 ** rng.random()), int(24 ** rng.random())
        if workers * shards > _MOST_FLOWS:
            continue
        size, rate = 8 * int(1e5 * 200 ** rng.random()), 1e8 * 50 ** rng.random()
        mean = size / rate * max(1, workers / shards) * 10 ** rng.uniform(-1, 1)
        cv = float(rng.choice([0, 0.1, 0.3, 1.0]))
        mode = kind if kind in ("asp", "ssp") else str(rng.choice(["bsp", "asp"]))
        values: dict[str, Any] = {
            "name": f"{kind} {seed}",
            "workers": workers,
            "shards": shards,
            "model_size": f"{size} B",
            "bandwidth": f"{rate} B/s",
            "compute": {"kind": "lognormal", "mean": f"{mean} s", "cv": cv} if cv else f"{mean} s",
            "mode": mode,
            "seed": seed,
        }
        if mode == "ssp":
            values["staleness_bound"] = int(rng.integers(0, 6))
        if kind == "prefetch" or rng.random() < 0.2:
            values["prefetch"] = True
        else:
            values["pull"] = str(rng.choice(["parallel", "parallel", "sequential"]))
        if kind == "layers" or rng.random() < 0.15:
            count = int(rng.integers(2, 6))
            sizes, times = rng.dirichlet(np.ones(count)), rng.dirichlet(np.ones(count)) * 0.66
            values["layers"] = [
                {"share": float(share), "compute_share": float(time)}
                for share, time in zip(sizes / sizes.sum(), times, strict=True)
            ]
        else:
            values["push"] = str(rng.choice(["blocking", "blocking", "sequential", "fire-and-forget"]))
        if rng.random() < 0.2:
            values["compute_factors"] = rng.choice([1.0, 1.0, 1.0, 2.0], workers).tolist()
        if rng.random() < 0.2:
            values["placement"] = "colocated"
        calibration = USUAL if rng.random() < 0.5 else IDEAL
        return kind, Scenario.from_json(values), calibration


def errors(seeds: range) -> Iterator[tuple[str, float, float]]:
    """Kind, and relative errors of the iteration time by the closed form and by mean value analysis."""
    for seed in seeds:
        kind, scenario, calibration = random_scenario(seed)
        run = simulation.predict(scenario, calibration, precision=PRECISION)
        time = run.prediction.metrics.iteration_time_s
        closed, network = (
            method(scenario, calibration).metrics.iteration_time_s / time - 1
            for method in (predict, mva.predict)
        )
        yield kind, closed, network


def table(results: Iterable[tuple[str, float, float]]) -> Iterator[dict[str, Any]]:
    """One row per kind, and one of all: relative errors of the iteration time."""
    items = list(results)
    for kind in (*KINDS, "all"):
        rows = np.array([errors for name, *errors in items if kind in (name, "all")])
        if not rows.size:
            continue
        row: dict[str, Any] = {"kind": kind, "scenarios": len(rows)}
        for column, method in enumerate(("closed form", "mean value analysis")):
            size = np.abs(rows[:, column])
            row |= {
                f"{method}, mean": float(size.mean()),
                f"{method}, bias": float(rows[:, column].mean()),
                f"{method}, 90 %": float(np.quantile(size, 0.9)),
                f"{method}, largest": float(size.max()),
            }
        yield row
