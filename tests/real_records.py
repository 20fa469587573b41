"""Records of runs that nobody made, with what a store and a measurement need to be told apart by."""

import numpy as np

from psmodel.scenario import Scenario
from validate.machine.environment import Load, this_machine
from validate.measurements.measurement import Instants, Measurement, Updates

SCENARIO = Scenario(workers=2, shards=2, elements=5, placement="single-host", iterations=2, warmup=1)


def record(
    run_id: str = "0", *, scenario: Scenario = SCENARIO, instants: Instants | None = None, **changes
) -> Measurement:
    """A run in which phase p of worker w in iteration i ends at 0.4 i + (w + p) / 10 s, and updates take no time."""
    workers, iterations, shards = scenario.workers, scenario.total_iterations, scenario.shards
    w, i = np.indices((workers, iterations))
    edges = [0.4 * i + (w + p) / 10 for p in (0, 1, 2, 2.5, 3, 4)]
    names = ("start", "pulled", "computed", "submitted", "pushed", "released")
    instants = instants or Instants(**dict(zip(names, edges, strict=True)))
    shard, iteration, worker = (a.ravel() for a in np.indices((shards, iterations, workers)))
    arrived = instants.pushed[worker, iteration]
    fields = {
        "run_id": run_id,
        "scenario": scenario,
        "testbed": "local",
        "suite": "made@1",
        "part": "calibration",
        "repetition": 0,
        "compute_by": "sleep",
        "environment": this_machine(),
        "link_goodput": {},
        "load": Load(available=2.0, busy=1.0, stolen=0.0, foreign=0.0),
        "clock_uncertainty_s": 0.0,
        "sums_ok": True,
        "suspect": (),
        "started_at": "2026-01-01T00:00:00+00:00",
        "duration_s": float(instants.released.max()),
    }
    updates = changes.pop("updates", None) or Updates(
        shard=shard,
        worker=worker,
        iteration=iteration,
        staleness=worker,
        begin=arrived,
        end=arrived,
    )
    return Measurement(**(fields | changes), instants=instants, updates=updates)
