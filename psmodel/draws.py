"""The random numbers of a scenario: the simulation and the real run draw the same ones from the same seed."""

from collections.abc import Iterator
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from psmodel.scenario import Scenario
from psmodel.scenario.parts import Stragglers

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
    if scenario.stragglers is not None:
        generators = _generators(scenario, replication, 2, scenario.workers)
        times = np.stack(
            [_slowed(row, scenario.stragglers, rng) for row, rng in zip(times, generators, strict=True)]
        )
    return times


def _slowed(
    work: NDArray[np.float64], stragglers: Stragglers, rng: np.random.Generator
) -> NDArray[np.float64]:
    """What the iterations' compute times (s) become with episodes of slowness."""
    done = np.concatenate([[0.0], np.cumsum(work)])
    in_episode = stragglers.duration / stragglers.slowdown
    edges = [
        0.0
    ]  # of gaps and episodes in turn, in seconds of work; the clock that shows real time is `instants`
    instants = [0.0]
    while edges[-1] < done[-1]:
        gap = float(rng.exponential(1 / stragglers.rate))
        edges += [edges[-1] + gap, edges[-1] + gap + in_episode]
        instants += [instants[-1] + gap, instants[-1] + gap + stragglers.duration]
    return np.diff(np.interp(done, edges, instants))


def failure_gaps(scenario: Scenario, position: int, index: int, replication: int = 0) -> Iterator[float]:
    """Times (s) from one return to the next death of host `index` by entry `position` of the scenario's failures."""
    failure = scenario.failures[position]
    if failure.at is not None:
        yield failure.at
        return
    assert failure.mean_time_between is not None
    root = np.random.SeedSequence(scenario.seed, spawn_key=(replication, 3, position, index))
    rng = np.random.default_rng(root)
    while True:
        yield float(rng.exponential(failure.mean_time_between))


def update_costs(scenario: Scenario, replication: int = 0) -> list[Iterator[float]]:
    """One endless sequence per shard: the random part of its next update's service time, s."""
    cost = scenario.update_cost
    if not cost.is_random:
        return [repeat(cost.expected())] * scenario.shards

    def draw(rng: np.random.Generator) -> Iterator[float]:
        while True:
            yield from cost.sample(rng, _CHUNK).tolist()

    return [draw(rng) for rng in _generators(scenario, replication, 1, scenario.shards)]
