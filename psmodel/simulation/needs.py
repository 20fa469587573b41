"""Estimate the memory and time of a simulation from its size, before anything is allocated."""

import math

from psmodel.limits.budget import Need
from psmodel.scenario import Scenario
from psmodel.simulation.messages import can_carry, pays

# Measured on two cores of 2024 with CPython 3.11, rounded up: `benchmarks/results/asynchronous.json` has 115 to
# 136 µs a flow, `benchmarks/results/calibrated.json` those in rows of numbers; memory by tracemalloc.
_S_PER_MESSAGE = 1e-4
_S_PER_MESSAGE_IN_ROWS = 1e-5
_S_PER_EPISODE = 4e-6
_S_PER_FAILURE = 5e-5
_BYTES_PER_TIME = 150
"""Of one worker's iteration: its compute time as array and list, and its instants."""
_BYTES_PER_HOST = 8_000
_BYTES_PER_PAIR = 300
_BYTES_PER_PAIR_IN_ROWS = 700
_BYTES_PER_SPAN = 500
_BYTES_PER_EPISODE = 150


def need(scenario: Scenario, workers: int, shards: int, *, trace: bool = False) -> Need:
    """For so many groups of workers, and of shards, that are simulated one by one."""
    iterations = 1 if scenario.iterations is None else scenario.total_iterations
    messages = 2.0 * workers * shards * max(1, len(scenario.layers)) * iterations
    episodes = _episodes(scenario) * iterations
    racks = scenario.racks.count if scenario.racks else 0
    in_rows = not trace and can_carry(scenario, finite=True) and pays(int(min(messages, 1e15)))
    memory = (
        _BYTES_PER_TIME * float(scenario.workers) * iterations
        + _BYTES_PER_HOST * (workers + shards + racks)
        + (_BYTES_PER_PAIR_IN_ROWS if in_rows else _BYTES_PER_PAIR) * float(workers) * shards
        + _BYTES_PER_EPISODE * episodes
        + (_BYTES_PER_SPAN * messages if trace else 0)
    )
    time = (
        (_S_PER_MESSAGE_IN_ROWS if in_rows else _S_PER_MESSAGE) * messages
        + _S_PER_EPISODE * scenario.workers * episodes
        + _S_PER_FAILURE * _failures(scenario) * iterations
    )
    what = f"simulating {scenario.workers} workers and {scenario.shards} shards for {iterations} iterations"
    fewer = "workers, shards or iterations"
    if episodes > iterations:
        fewer += ", or shorter or fewer episodes of stragglers"
    if _failures(scenario) > 1000:
        fewer += ", or rarer failures"
    return Need(what=what, fewer=fewer, memory_bytes=memory, time_s=time)


def _episodes(scenario: Scenario) -> float:
    """Of slowness, of one worker in one iteration."""
    if scenario.stragglers is None:
        return 0.0
    slowest = max(scenario.compute_factors or (1.0,))
    return scenario.compute.expected() * slowest * scenario.stragglers.rate


def _failures(scenario: Scenario) -> float:
    """Of all hosts in one iteration, at least: an iteration takes as long as its computing and one transfer."""
    network = 0.0
    if scenario.bandwidth is not None and scenario.placement != "single-host":
        nbytes = max(scenario.total_bytes, scenario.workers * max(scenario.shard_sizes))
        network = nbytes / min(rate for _, rate in scenario.bandwidth)
    length = scenario.compute.expected() + network
    return math.fsum(
        length
        / (failure.mean_time_between + failure.repair_time)
        * (
            (scenario.workers if failure.role == "worker" else scenario.shards)
            if failure.index is None
            else 1
        )
        for failure in scenario.failures
        if failure.mean_time_between is not None
    )
