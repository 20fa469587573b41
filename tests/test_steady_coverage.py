"""Of many random scenarios, 95 % of the steady state's 95 % intervals hold the mean of a very long run."""

import numpy as np

from psmodel import simulation
from psmodel.scenario import Scenario, from_mapping
from psmodel.simulation import Budget

LONG = Budget(events=1_000_000)


def scenario(number: int) -> Scenario:
    """A seeded random scenario, small enough to be simulated for long."""
    rng = np.random.default_rng(number)
    workers, mode = int(rng.integers(2, 7)), str(rng.choice(["bsp", "asp", "asp", "ssp"]))
    values: dict[str, object] = {
        "name": f"random {number}", "seed": number, "workers": workers, "shards": int(rng.integers(1, 4)),
        "model_size": float(8 * rng.integers(1e6, 1e8)), "bandwidth": "10Gbps", "mode": mode,
        "pull": str(rng.choice(["parallel", "parallel", "sequential", "none"])),
        "push": str(rng.choice(["blocking", "blocking", "sequential"])),
    }  # fmt: skip
    kind = rng.choice(["lognormal", "gamma", "exponential", "normal"])
    mean = float(10 ** rng.uniform(-1.5, 0.5))
    spread = {"cv": float(rng.uniform(0.1, 1.0))} if kind in ("lognormal", "gamma") else {}
    if kind == "normal":
        spread = {"sd": mean * float(rng.uniform(0.05, 0.3))}
    values["compute"] = {"kind": str(kind), "mean": mean} | spread
    if mode == "ssp":
        values["staleness_bound"] = int(rng.integers(0, 5))
    if rng.random() < 0.3:
        values["update_cost"] = {"kind": "exponential", "mean": mean * float(rng.uniform(0.05, 0.5))}
    if rng.random() < 0.25:
        values["compute_factors"] = rng.uniform(1, 2, workers).round(2).tolist()
    if rng.random() < 0.15:
        values["stragglers"] = {"rate": 0.05 / mean, "slowdown": 3.0, "duration": 4 * mean}
    if rng.random() < 0.2 and values["pull"] == "parallel":
        values["prefetch"] = True
    if mode == "bsp" and rng.random() < 0.3:
        values["backup_workers"] = 1
    return from_mapping(values)


def holds(number: int, precision: float = 0.02) -> tuple[bool, float]:
    """Whether the interval of scenario `number` holds the long run's mean, and its error in half widths."""
    asked = scenario(number)
    prediction = simulation.predict(asked, precision=precision).prediction
    long = simulation.predict(asked, replication=1, precision=1e-9, budget=LONG).prediction
    assert prediction.steady is not None
    half_width = prediction.steady.half_width_s
    assert half_width is not None
    error = abs(prediction.metrics.iteration_time_s - long.metrics.iteration_time_s)
    return error <= half_width, error / half_width
