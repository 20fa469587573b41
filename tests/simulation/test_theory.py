"""The simulation gives what queueing theory says, within its own 95 % confidence interval."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scipy import integrate, stats

from psmodel import simulation
from psmodel.output_analysis import replications
from psmodel.queueing import Station, machine_repairman, mm1, mva
from psmodel.scenario import Scenario
from tests.effort import runs

REPLICATIONS = 10
BASE: dict[str, Any] = {"workers": 1, "shards": 1, "elements": 8, "placement": "single-host"}


def exponential(mean: float) -> dict[str, Any]:
    return {"kind": "exponential", "mean": mean}


def queue(load: float) -> tuple[Scenario, str, float]:
    """Poisson arrivals at one shard, exponential service: mean number in an M/M/1 queue."""
    scenario = Scenario.from_json(
        BASE
        | {"compute": exponential(1.0), "update_cost": exponential(load), "pull": "none",
           "push": "fire-and-forget", "mode": "asp", "iterations": runs(2000, 4000)}
    )  # fmt: skip
    return scenario, "queue", mm1(arrival_rate=1.0, service_time=load).mean_present


def repairman(workers: int, think: float) -> tuple[Scenario, str, float]:
    """Workers that compute, then wait for one shard to apply their update: M/M/1//N."""
    scenario = Scenario.from_json(
        BASE
        | {"workers": workers, "compute": exponential(think), "update_cost": exponential(1.0), "pull": "none",
           "push": "blocking", "mode": "asp", "iterations": runs(200, 400), "warmup": 30}
    )  # fmt: skip
    theory = machine_repairman(population=workers, think_time=think, service_time=1.0)
    return scenario, "updates_per_s", theory.throughput


def network(workers: int, shards: int) -> tuple[Scenario, str, float]:
    """Workers that visit one exponential shard after the other: a closed product-form network, exact MVA."""
    scenario = Scenario.from_json(
        BASE
        | {"workers": workers, "shards": shards, "compute": exponential(3.0), "update_cost": exponential(1.0),
           "pull": "none", "push": "sequential", "mode": "asp", "iterations": runs(200, 400), "warmup": 30}
    )  # fmt: skip
    stations = [Station(demand=1.0)] * shards
    return scenario, "updates_per_s", mva(stations, population=workers, think_time=3.0).throughput


def barrier(workers: int, kind: str) -> tuple[Scenario, str, float]:
    """The barrier waits for the slowest of N: the mean of the largest of N draws."""
    compute, law = {
        "exponential": (exponential(2.0), stats.expon(scale=2.0)),
        "normal": ({"kind": "normal", "mean": 10.0, "sd": 1.0}, stats.norm(10.0, 1.0)),
    }[kind]
    scenario = Scenario.from_json(
        BASE | {"workers": workers, "compute": compute, "iterations": runs(400, 800)}
    )
    largest, _ = integrate.quad(lambda t: 1 - law.cdf(t) ** workers, 0, law.ppf(1 - 1e-14))
    return scenario, "iteration_time_s", largest


def cases() -> Iterator[tuple[Callable[..., tuple[Scenario, str, float]], tuple[Any, ...]]]:
    yield from ((queue, (load,)) for load in (0.3, 0.5, 0.7))
    yield from ((repairman, (workers, think)) for workers in (2, 5) for think in (1.0, 4.0))
    yield from ((network, size) for size in ((2, 2), (4, 3), (6, 2)))
    yield from ((barrier, (workers, kind)) for workers in (2, 8, 32) for kind in ("exponential", "normal"))


def simulated(scenario: Scenario, metric: str) -> Any:
    values = []
    for replication in range(REPLICATIONS):
        prediction = simulation.predict(scenario, replication=replication).prediction
        values.append(
            prediction.queue_length["shard mean"]
            if metric == "queue"
            else getattr(prediction.metrics, metric)
        )
    return replications(values)


@pytest.fixture(scope="module")
def deviations() -> dict[str, float]:
    """Distance of each case from theory, in half widths of its 95 % interval."""
    values = {}
    for make, arguments in cases():
        scenario, metric, expected = make(*arguments)
        estimate = simulated(scenario, metric)
        values[f"{make.__name__}{arguments}"] = abs(estimate.mean - expected) / estimate.half_width
        assert estimate.relative_half_width < 0.12, "an interval that wide would cover anything"
    return values


def test_within_the_interval(deviations: dict[str, float]) -> None:
    """Of 16 intervals of 95 %, 14 or more cover the truth with probability 0.96 if they are what they say."""
    assert sum(d <= 1 for d in deviations.values()) >= len(deviations) - 2, deviations


def test_none_is_far_off(deviations: dict[str, float]) -> None:
    assert max(deviations.values()) < 2, deviations
