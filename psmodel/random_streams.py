"""The random numbers of a scenario: the simulation and the real run draw the same ones from the same seed."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from psmodel.scenario import Scenario
from psmodel.scenario.parts import Stragglers

_CHUNK = 64
"""Numbers drawn at a time."""


def _generators(scenario: Scenario, replication: int, stream: int, count: int) -> list[np.random.Generator]:
    root = np.random.SeedSequence(scenario.seed, spawn_key=(replication, stream))
    return [np.random.default_rng(child) for child in root.spawn(count)]


def compute_times(scenario: Scenario, replication: int = 0) -> NDArray[np.float64]:
    """Compute time (s) of each worker in each iteration, warm-up included; shape (workers, iterations)."""
    if not scenario.compute.is_random and scenario.stragglers is None:
        factors = np.array(scenario.compute_factors or 1.0).reshape(-1, 1)
        times = np.full((scenario.workers, scenario.total_iterations), scenario.compute.expected())
        return np.asarray(times * factors)
    chunks = _compute_chunks(scenario, replication, scenario.total_iterations)
    return np.stack([next(chunk) for chunk in chunks])


def endless_compute_times(scenario: Scenario, replication: int = 0) -> list[Iterator[float]]:
    """One endless sequence per worker of the times (s) that `compute_times` gives the first ones of."""
    if not scenario.compute.is_random and scenario.stragglers is None:
        seconds = scenario.compute.expected()
        return [repeat(seconds * factor) for factor in scenario.compute_factors or [1.0] * scenario.workers]
    chunks = _compute_chunks(scenario, replication, _CHUNK)
    return [(time for chunk in worker for time in chunk.tolist()) for worker in chunks]


def _compute_chunks(
    scenario: Scenario, replication: int, size: int
) -> Iterator[Iterator[NDArray[np.float64]]]:
    """One endless sequence per worker of the compute times (s) of the next `size` iterations."""
    factors = scenario.compute_factors or repeat(1.0, scenario.workers)
    generators = _generators(scenario, replication, 0, scenario.workers)
    works = (
        _work_chunks(scenario, factor, rng, size) for factor, rng in zip(factors, generators, strict=True)
    )
    if scenario.stragglers is None:
        yield from works
        return
    for work, episodes in zip(works, _generators(scenario, replication, 2, scenario.workers), strict=True):
        yield _slowed(work, scenario.stragglers, episodes)


def _work_chunks(
    scenario: Scenario, factor: float, rng: np.random.Generator, size: int
) -> Iterator[NDArray[np.float64]]:
    while True:
        if scenario.compute.is_random:
            yield scenario.compute.sample(rng, size) * factor
        else:
            yield np.full(size, scenario.compute.expected() * factor)


def _slowed(
    chunks: Iterator[NDArray[np.float64]], stragglers: Stragglers, rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """What the iterations' compute times (s) become with episodes of slowness."""
    in_episode = stragglers.duration / stragglers.slowdown
    edges = [
        0.0
    ]  # of gaps and episodes in turn, in seconds of work; the clock that shows real time is `instants`
    instants = [0.0]
    begin = 0.0
    for work in chunks:
        progress = np.cumsum(np.concatenate([[begin], work]))
        while edges[-1] < progress[-1]:
            gap = float(rng.exponential(1 / stragglers.rate))
            edges += [edges[-1] + gap, edges[-1] + gap + in_episode]
            instants += [instants[-1] + gap, instants[-1] + gap + stragglers.duration]
        yield np.diff(np.interp(progress, edges, instants))
        begin = float(progress[-1])
        past = max(0, bisect_right(edges, begin) - 1)  # episodes that no later work meets
        del edges[:past], instants[:past]


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
