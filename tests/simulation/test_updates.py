"""Updates per second are those applied, also where nobody waits for them: by hand, simulated and measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel import simulation
from psmodel.scenario import Scenario
from tests.real_records import record
from validate.measurements.measurement import Instants, Updates

# One second on the link for each update, made in a tenth of it.
CASE = Scenario(
    workers=1, shards=1, model_size=125_000_000, dtype="float32", bandwidth="1Gbps", compute=0.1, mode="asp",
    pull="none", push="fire-and-forget", iterations=50,
)  # fmt: skip


def test_a_link_that_takes_one_a_second_applies_one_a_second() -> None:
    prediction = simulation.predict(CASE).prediction
    assert prediction.metrics.iteration_time_s == pytest.approx(0.1)
    assert prediction.metrics.updates_per_s == pytest.approx(50 / 50.1)
    # Ten more are applied in the same time, and none of them in the first second.
    warm = simulation.predict(CASE.replace(warmup=10)).prediction.metrics.updates_per_s
    assert warm == pytest.approx(60 / (60.1 - 1))
    assert prediction.bottleneck == "shard ingress"
    assert max(prediction.utilisation.values()) <= 1 + 1e-9
    (note,) = prediction.notes
    assert "10 per second) than shard ingress can cope with (1 per second)" in note


@pytest.mark.parametrize(
    "changes", [{"compute": 1.1}, {"max_in_flight_pushes": 2}, {"pull": "parallel"}, {"push": "blocking"}]
)
def test_there_is_no_note_where_what_waits_is_bounded(changes: dict[str, object]) -> None:
    prediction = simulation.predict(CASE.replace(iterations=200, **changes)).prediction
    assert prediction.notes == ()
    assert prediction.metrics.updates_per_s == pytest.approx(
        1 / prediction.metrics.iteration_time_s, rel=0.02
    )


@pytest.mark.parametrize(("resource", "changes"), [
    ("shard CPU", {"update_cost": 2.0}),
    ("worker egress", {"bandwidth": {"worker_up": "100Mbps"}}),
    ("host cores", {"placement": "single-host", "cores_per_host": 1, "workers": 3, "update_cost": 0.09}),
])  # fmt: skip
def test_the_note_names_what_is_too_slow(resource: str, changes: dict[str, object]) -> None:
    (note,) = simulation.predict(CASE.replace(**changes)).prediction.notes
    assert f"than {resource} can cope with" in note


def test_nothing_pushed_is_nothing_applied() -> None:
    result = simulation.predict(CASE.replace(pull="parallel", push="none"))
    assert result.prediction.metrics.updates_per_s is None


@given(st.integers(1, 4), st.floats(0.01, 1), st.floats(0.01, 1), st.integers(1, 8), st.integers(0, 3))
def test_no_shard_applies_faster_than_it_can(workers, compute, cost, iterations, warmup) -> None:
    """All n·N updates take n·N·S, but for what the others have done before a worker's first."""
    scenario = CASE.replace(
        workers=workers, placement="single-host", compute=compute, update_cost=cost, iterations=iterations,
        warmup=warmup,
    )  # fmt: skip
    rate = simulation.predict(scenario).prediction.metrics.updates_per_s
    assert rate is not None
    assert rate <= workers / compute * (1 + 1e-9)
    if workers * cost <= compute and warmup:  # each waits the same time: nothing is lost or won at the ends
        assert rate == pytest.approx(workers / compute)
    total = iterations + warmup
    fewest = (total * workers - (workers - 1)) * cost - warmup * compute
    assert fewest <= 0 or rate <= workers * total / fewest * (1 + 1e-9)


def test_a_real_run_s_rate_is_that_of_its_shard_s_log() -> None:
    """20 pushes submitted within 0.35 s; the shard's log has them one after the other until 4.11 s."""
    scenario = Scenario(
        workers=1, shards=1, elements=8, placement="single-host", compute=0.01, update_cost=0.2, mode="asp",
        pull="none", push="fire-and-forget", iterations=20,
    )  # fmt: skip
    edges = np.linspace(0, 0.35, 21)[None, :]
    start, end = edges[:, :-1], edges[:, 1:]
    instants = Instants(start=start, pulled=start, computed=end, submitted=end, pushed=end, released=end)
    applied = np.linspace(0.31, 4.11, 20)
    none = np.zeros(20, np.int64)
    updates = Updates(
        shard=none, worker=none, iteration=np.arange(20), staleness=none, begin=applied - 0.2, end=applied
    )
    run = record(scenario=scenario, instants=instants, updates=updates)
    assert run.metrics.updates_per_s == pytest.approx(20 / 4.11)
    assert run.metrics.iteration_time_s == pytest.approx(0.35 / 20)
    predicted = simulation.predict(scenario).prediction.metrics.updates_per_s
    assert predicted == pytest.approx(20 / 4.01)
