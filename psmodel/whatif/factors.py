"""The factors that an explanation scales, one row each: how a scenario gets twice the bandwidth, workers, shards.

A count that a scenario lists one number for each of is scaled with its list: workers by repeating their factors, shards
by spreading their weights over another number of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
from numpy.typing import NDArray

from psmodel.scenario import Scenario, ScenarioError

Array = NDArray[np.float64]
Columns = Mapping[str, Array]


def _none(_: Scenario) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Factor:
    """One factor of a scenario's iteration time.

    Attributes
    ----------
    name
        Key of the scenario.
    words, multiple
        The change that an explanation tries: "bandwidth × 2" and 2.
    value
        How much of it a scenario has; its ratio before and after is the change that was really made, since counts
        are whole numbers.
    obstacle
        Why this scenario has none of it, in a few words; empty if it has.
    indivisible
        Why only whole multiples of it are a scenario like this one; empty if any is.
    multiplied
        The scenario with so many times as much.
    columns
        Columns of a grid of closed forms for these multiples, shape (rows,); None where a grid has no such column.
    """

    name: str
    words: str
    multiple: float
    value: Callable[[Scenario], float]
    obstacle: Callable[[Scenario], str]
    multiplied: Callable[[Scenario, float], Scenario]
    columns: Callable[[Scenario, Array], Columns | None]
    indivisible: Callable[[Scenario], str] = _none

    def scaled(self, scenario: Scenario, by: float) -> Scenario:
        """The scenario with `by` times as much of the factor.

        Raises
        ------
        ScenarioError
            If there is no such scenario; the sentence says why.
        """
        obstacle = self.obstacle(scenario)
        if obstacle:
            raise ScenarioError(obstacle)
        return self.multiplied(scenario, by)


def _no_network(scenario: Scenario) -> str:
    return "on a single host there is no network" if scenario.placement == "single-host" else ""


def _more_bandwidth(scenario: Scenario, by: float) -> Scenario:
    assert scenario.bandwidth is not None
    slow = [{"link": link.link, "rate": link.rate * by} for link in scenario.slow_links]
    return scenario.replace(
        bandwidth={role: rate * by for role, rate in scenario.bandwidth},
        **({"slow_links": slow} if slow else {}),
    )


def _bandwidth_columns(scenario: Scenario, by: Array) -> Columns | None:
    rates = scenario.bandwidth
    assert rates is not None
    if scenario.placement != "colocated":
        return {f"bandwidth.{role}": rate * by for role, rate in rates}
    # One interface for both roles, of which a grid knows one rate.
    return {"bandwidth": rates.worker_up * by} if rates.worker_up == rates.worker_down else None


def _times(count: int, by: Array) -> Array:
    return np.maximum(np.round(count * by), 1)


def _count(count: int, by: float) -> int:
    return int(_times(count, np.float64(by)))  # type: ignore[arg-type]


def _unequal_workers(scenario: Scenario) -> str:
    if scenario.compute_factors is None:
        return ""
    return "compute_factors is one number per worker, and does not say which of them half as many would have"


def _more_workers(scenario: Scenario, by: float) -> Scenario:
    workers = _count(scenario.workers, by)
    factors = scenario.compute_factors
    if factors is None:
        return scenario.replace(workers=workers)
    return scenario.replace(workers=workers, compute_factors=list(islice(cycle(factors), workers)))


def _more_shards(scenario: Scenario, by: float) -> Scenario:
    shards = _count(scenario.shards, by)
    weights = scenario.shard_weights
    if weights is None:
        return scenario.replace(shards=shards)
    # Twice as many: each weight is halved; half as many: neighbours are put together; else in proportion.
    edges = np.interp(
        np.linspace(0, len(weights), shards + 1), range(len(weights) + 1), [0, *np.cumsum(weights)]
    )
    return scenario.replace(shards=shards, shard_weights=np.diff(edges).tolist())


def _larger_model(scenario: Scenario, by: float) -> Scenario:
    return scenario.replace(model_size=_count(scenario.total_elements, by) * scenario.item_size)


def _no_compute(scenario: Scenario) -> str:
    return "" if scenario.compute.expected() > 0 else "computing takes no time"


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="bandwidth",
        words="bandwidth × 2",
        multiple=2.0,
        value=lambda s: s.bandwidth.worker_up if s.bandwidth is not None else 0.0,
        obstacle=_no_network,
        multiplied=_more_bandwidth,
        columns=_bandwidth_columns,
    ),
    Factor(
        name="shards",
        words="shards × 2",
        multiple=2.0,
        value=lambda s: s.shards,
        obstacle=_none,
        multiplied=_more_shards,
        columns=lambda s, by: {"shards": _times(s.shards, by)},
    ),
    Factor(
        name="workers",
        words="workers × 2",
        multiple=2.0,
        value=lambda s: s.workers,
        obstacle=_none,
        multiplied=_more_workers,
        columns=lambda s, by: {"workers": _times(s.workers, by)},
        indivisible=_unequal_workers,
    ),
    Factor(
        name="model_size",
        words="model ÷ 2",
        multiple=0.5,
        value=lambda s: s.total_elements,
        obstacle=_none,
        multiplied=_larger_model,
        columns=lambda s, by: {"model_size": _times(s.total_elements, by) * s.item_size},
    ),
    Factor(
        name="compute",
        words="compute time ÷ 2",
        multiple=0.5,
        value=lambda s: s.compute.expected(),
        obstacle=_no_compute,
        multiplied=lambda s, by: s.replace(compute=s.compute.scaled(by)),
        columns=lambda s, by: None if s.compute.is_random else {"compute": s.compute.expected() * by},
    ),
)
"""One row per factor."""
