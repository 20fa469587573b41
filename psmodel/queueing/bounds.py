"""Bounds of a closed network from its service demands alone.

``demands`` are the seconds that one customer needs of each queueing station per cycle; what it spends
without queueing (think time, delay stations) is ``think_time``. For a training job a worker is a customer, a
shard or a link a station, and a cycle an iteration.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psmodel.queueing._checks import require_count, require_not_negative


@dataclass(frozen=True, kw_only=True)
class ClosedBounds:
    """Throughput (cycles/s) and response time (s, without think time) lie between these."""

    throughput_min: float
    throughput_max: float
    response_time_min: float
    response_time_max: float


def asymptotic_bounds(demands: Sequence[float], *, population: int, think_time: float = 0.0) -> ClosedBounds:
    """Bounds that need only the operational laws: no assumption on distributions or order of service.

    N/(N·D + Z) ≤ X ≤ min(1/Dₘₐₓ, N/(D + Z)) and max(D, N·Dₘₐₓ − Z) ≤ R ≤ N·D, where D = Σ Dₖ. The two upper
    bounds of X cross at N* = (D + Z)/Dₘₐₓ, see `saturation_population`.

    Raises
    ------
    ValueError
        Unless all demands and the think time are at least 0, some demand is positive, and the population ≥ 1.

    References
    ----------
    Denning & Buzen 1978, ACM Computing Surveys 10(3):225; Lazowska, Zahorjan, Graham & Sevcik 1984,
    *Quantitative System Performance*, section 5.2 and table 5.1.

    Examples
    --------
    >>> asymptotic_bounds([2, 3, 1], population=20, think_time=4).response_time_min
    56.0
    """
    total, largest = _total_and_largest(demands, population, think_time)
    return ClosedBounds(
        throughput_min=population / (population * total + think_time),
        throughput_max=min(1 / largest, population / (total + think_time)),
        response_time_min=max(total, population * largest - think_time),
        response_time_max=population * total,
    )


def balanced_job_bounds(
    demands: Sequence[float], *, population: int, think_time: float = 0.0
) -> ClosedBounds:
    """Tighter bounds: those of the balanced networks between which a product-form network lies.

    With D = Σ Dₖ, Dₘₐₓ and the mean demand Dₐ:
    D + (N−1)·Dₐ/(1 + Z/D) ≤ R ≤ D + (N−1)·Dₘₐₓ/(1 + Z/(N·D)), R ≥ N·Dₘₐₓ − Z, and X = N/(R + Z).

    They hold for networks with a product form (exponential service or processor sharing).

    Raises
    ------
    ValueError
        Unless all demands and the think time are at least 0, some demand is positive, and the population ≥ 1.

    References
    ----------
    Zahorjan, Sevcik, Eager & Galler 1982, Comm. ACM 25(2):134; Lazowska et al. 1984, section 5.4, table 5.2.

    Examples
    --------
    >>> balanced_job_bounds([2, 3, 1], population=2, think_time=4).response_time_min
    7.2
    """
    total, largest = _total_and_largest(demands, population, think_time)
    others = population - 1
    response_min = total + others * (total / len(demands)) / (1 + think_time / total)
    response_min = max(response_min, population * largest - think_time)
    response_max = total + others * largest / (1 + think_time / (population * total))
    return ClosedBounds(
        throughput_min=population / (response_max + think_time),
        throughput_max=population / (response_min + think_time),
        response_time_min=response_min,
        response_time_max=response_max,
    )


def saturation_population(demands: Sequence[float], *, think_time: float = 0.0) -> float:
    """N* = (D + Z)/Dₘₐₓ: with more customers some must queue (Lazowska et al. 1984, section 5.2).

    Raises
    ------
    ValueError
        As `asymptotic_bounds`.

    Examples
    --------
    >>> round(saturation_population([2, 3, 1], think_time=4), 3)
    3.333
    """
    total, largest = _total_and_largest(demands, 1, think_time)
    return (total + think_time) / largest


def _total_and_largest(demands: Sequence[float], population: int, think_time: float) -> tuple[float, float]:
    require_count(population=population)
    require_not_negative(
        think_time=think_time, **{f"demands[{k}]": demand for k, demand in enumerate(demands)}
    )
    if not any(demands):
        raise ValueError("demands has no positive entry; a network without demand has no bounds")
    return float(sum(demands)), float(max(demands))
