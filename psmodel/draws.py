"""The random numbers of a scenario: the simulation and the real run draw the same ones from the same seed."""

import numpy as np
from numpy.typing import NDArray

from psmodel.scenario import Scenario


def _generators(scenario: Scenario, replication: int, stream: int, count: int) -> list[np.random.Generator]:
    root = np.random.SeedSequence(scenario.seed, spawn_key=(replication, stream))
    return [np.random.default_rng(child) for child in root.spawn(count)]


def compute_times(scenario: Scenario, replication: int = 0) -> NDArray[np.float64]:
    """Compute time (s) of each worker in each iteration, warm-up included; shape (workers, iterations)."""
    if not scenario.compute.is_random:
        return np.full((scenario.workers, scenario.total_iterations), scenario.compute.expected())
    return np.stack(
        [
            scenario.compute.sample(rng, scenario.total_iterations)
            for rng in _generators(scenario, replication, 0, scenario.workers)
        ]
    )


def update_generators(scenario: Scenario, replication: int = 0) -> list[np.random.Generator]:
    """One generator per shard for its update costs."""
    return _generators(scenario, replication, 1, scenario.shards)
