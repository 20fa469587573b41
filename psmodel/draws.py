"""The random numbers of a scenario: the simulation and the real run draw the same ones from the same seed."""

from collections.abc import Iterator
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from psmodel.scenario import Scenario

_CHUNK = 64
"""Update costs drawn at a time."""


def _generators(scenario: Scenario, replication: int, stream: int, count: int) -> list[np.random.Generator]:
    root = np.random.SeedSequence(scenario.seed, spawn_key=(replication, stream))
    return [np.random.default_rng(child) for child in root.spawn(count)]


def compute_times(scenario: Scenario, replication: int = 0) -> NDArray[np.float64]:
    """Compute time (s) of each worker in each iteration, warm-up included; shape (workers, iterations)."""
    shape = (scenario.workers, scenario.total_iterations)
    if scenario.compute.is_random:
        generators = _generators(scenario, replication, 0, scenario.workers)
        times = np.stack([scenario.compute.sample(rng, scenario.total_iterations) for rng in generators])
    else:
        times = np.full(shape, scenario.compute.expected())
    if scenario.compute_factors is not None:
        times *= np.array(scenario.compute_factors)[:, None]
    return times


def update_costs(scenario: Scenario, replication: int = 0) -> list[Iterator[float]]:
    """One endless sequence per shard: the random part of its next update's service time, s."""
    cost = scenario.update_cost
    if not cost.is_random:
        return [repeat(cost.expected())] * scenario.shards

    def draw(rng: np.random.Generator) -> Iterator[float]:
        while True:
            yield from cost.sample(rng, _CHUNK).tolist()

    return [draw(rng) for rng in _generators(scenario, replication, 1, scenario.shards)]
