"""Expected compute times of workers: of the first, of the last that a barrier waits for, and in between."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from psmodel.distributions import TimeDistribution
from psmodel.scenario import Scenario

Array = NDArray[np.float64]
_POINTS = 32
"""Points that stand for a random compute time where workers begin to push at different instants."""


def compute_arrays(scenario: Scenario, compute_column: Array | None, crowd: Array) -> dict[str, Array]:
    """Expected compute times, see `Inputs`."""
    stretch = scenario.stragglers.stretch if scenario.stragglers else 1.0
    if compute_column is not None:
        same = compute_column * stretch
        return _alike(same)
    time = scenario.compute
    factors = scenario.compute_factors
    mean = stretch * time.expected() * (math.fsum(factors) / len(factors) if factors else 1.0)
    if not time.is_random and factors is None:
        return _alike(np.full_like(crowd, mean))
    distinct, where = np.unique(crowd, return_inverse=True)
    ends = [_first_and_last(scenario, int(count)) for count in distinct]
    profiles = [_profile(scenario, int(count), *end) for count, end in zip(distinct, ends, strict=True)]
    first, slowest = stretch * np.array(ends).T[:, where]
    compute = np.full_like(crowd, mean)
    if scenario.backup_workers:
        compute = np.minimum(compute, slowest)  # the iterations that a late worker misses take it no time
    return {
        "compute": compute,
        "slowest": slowest,
        "fastest": first,
        "profile": stretch * np.stack([times for times, _ in profiles], axis=1)[:, where],
        "profile_weights": np.stack([weights for _, weights in profiles], axis=1)[:, where],
    }


def _alike(time: Array) -> dict[str, Array]:
    return {
        "compute": time,
        "slowest": time,
        "fastest": time,
        "profile": time[None, :],
        "profile_weights": np.ones((1, time.size)),
    }


def _first_and_last(scenario: Scenario, crowd: int) -> tuple[float, float]:
    """Expected compute time (s) of the first worker, and of the last for whom an iteration waits."""
    time, quorum = scenario.compute, crowd - scenario.backup_workers
    if scenario.compute_factors is None:
        return _order_statistic(time, 1, crowd), _order_statistic(time, quorum, crowd)
    fastest = min(scenario.compute_factors)
    first = fastest * _order_statistic(time, 1, scenario.compute_factors.count(fastest))
    if scenario.backup_workers:
        if not time.is_random:
            return first, sorted(scenario.compute_factors)[quorum - 1] * time.expected()
        # Of workers of unequal speed it is an estimate that all are as fast as the fastest.
        return first, fastest * _order_statistic(time, quorum, crowd)
    return first, time.expected_scaled_max(scenario.compute_factors)


@lru_cache(maxsize=4096)
def _order_statistic(time: TimeDistribution, rank: int, n: int) -> float:
    """Curves, maps and searches ask for the same ones again and again while something else changes."""
    return time.expected_order_statistic(rank, n)


def _profile(scenario: Scenario, crowd: int, first: float, last: float) -> tuple[Array, Array]:
    """When workers have computed, s, in rising order, and the share of them that each instant stands for.

    Up to `_POINTS` workers are points of their own, at their expected order statistics (by Blom's plotting
    positions, *Statistical Estimates and Transformed Beta-Variables*, 1958); of more each point stands for several.
    """
    points = min(crowd, _POINTS)
    places = (np.arange(1, points + 1) - 0.375) / (points + 0.25)
    factors, counts = np.unique(np.array(scenario.compute_factors or [1.0]), return_counts=True)
    if scenario.compute.is_random and factors.size == 1:
        times = factors[0] * scenario.compute.quantile(places)
    else:
        each = scenario.compute.quantile(places) if scenario.compute.is_random else np.ones(1)
        scale = 1.0 if scenario.compute.is_random else scenario.compute.expected()
        mixed = np.outer(factors, each * scale).ravel()
        order = np.argsort(mixed, kind="stable")
        cumulative = np.cumsum(np.repeat(counts / counts.sum() / each.size, each.size)[order])
        times = mixed[order][np.searchsorted(cumulative, (np.arange(points) + 0.5) / points)]
    times[0], times[-1] = (last, last) if points == 1 else (first, max(last, times[-2]))
    times = np.maximum.accumulate(times)
    spare = _POINTS - points
    return np.concatenate([times, np.full(spare, times[-1])]), np.concatenate(
        [np.full(points, 1 / points), np.zeros(spare)]
    )
