"""Mean value analysis of scenarios: where it is exact, and where it must meet the bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel import simulation
from psmodel.analytic import ClosedForm, mva
from psmodel.calibration import Calibration
from psmodel.output_analysis import replications
from psmodel.queueing import machine_repairman
from psmodel.scenario import Scenario, load

COSTS = Calibration(handle_overhead_s=2e-3, update_s_per_byte=1e-9, put_s_per_byte=5e-10, call_latency_s=1e-3)


@given(workers=st.integers(1, 40), think=st.floats(0.01, 50), service=st.floats(0.01, 5))
def test_one_shard_is_the_machine_repairman(workers: int, think: float, service: float) -> None:
    scenario = load("tutorial-single", workers=workers, pull="none", push="blocking")
    scenario = scenario.replace(compute=think, update_cost=service)
    expected = machine_repairman(population=workers, think_time=think, service_time=service).throughput
    assert mva.predict(scenario).metrics.updates_per_s == pytest.approx(expected, rel=1e-9)


@given(
    workers=st.integers(1, 12),
    shards=st.integers(1, 12),
    pull=st.sampled_from(["parallel", "sequential", "none"]),
    push=st.sampled_from(["blocking", "sequential"]),
)
def test_alone_a_worker_waits_for_nobody_and_many_saturate(workers, shards, pull, push) -> None:
    scenario = load("ingress-single", workers=workers, shards=shards, pull=pull, push=push, mode="asp")
    predicted = mva.predict(scenario, COSTS).metrics
    alone = mva.predict(scenario.replace(workers=1), COSTS).metrics
    work = ClosedForm(scenario=scenario, calibration=COSTS).work
    busiest = max(float(seconds) for name, seconds in work.items() if name.startswith("shard"))
    assert predicted.iteration_time_s >= max(alone.iteration_time_s, busiest) * (1 - 1e-9)
    parts = predicted.pull_time_s + predicted.compute_time_s + predicted.push_time_s + predicted.wait_time_s
    assert parts == pytest.approx(predicted.iteration_time_s)


@pytest.mark.parametrize(("pull", "push"), [("parallel", "blocking"), ("sequential", "sequential")])
def test_alone_it_is_what_the_simulation_gives(pull: str, push: str) -> None:
    scenario = load("ingress-single", workers=1, shards=4, pull=pull, push=push, mode="asp", compute="50 ms")
    simulated = simulation.predict(scenario).prediction.metrics
    assert mva.predict(scenario).metrics.iteration_time_s == pytest.approx(
        simulated.iteration_time_s, rel=1e-9
    )


def test_asynchronous_training_within_a_tenth_of_the_simulation() -> None:
    """Exponential compute and updates, four shards in turn: product form, but for the links' own times."""
    scenario = Scenario.from_json(
        {
            "workers": 6, "shards": 4, "model_size": "8MB", "bandwidth": "1Gbps", "mode": "asp",
            "compute": {"kind": "exponential", "mean": 0.2}, "update_cost": {"kind": "exponential", "mean": 0.02},
            "pull": "sequential", "push": "sequential", "iterations": 300, "warmup": 20,
        }
    )  # fmt: skip
    runs = [simulation.predict(scenario, replication=r).prediction.metrics for r in range(5)]
    simulated = replications([m.updates_per_s for m in runs])
    assert mva.predict(scenario).metrics.updates_per_s == pytest.approx(simulated.mean, rel=0.1)


def test_what_is_left_out_is_said() -> None:
    notes = mva.predict(
        load("tutorial-sharded", mode="ssp", staleness_bound=1, cores_per_host=2), COSTS
    ).notes
    assert [
        word for word in ("wait for each other", "nobody waits", "core") if any(word in n for n in notes)
    ] == [
        "wait for each other",
        "nobody waits",
        "core",
    ]
