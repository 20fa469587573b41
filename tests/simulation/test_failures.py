"""Workers and shards that die: what stops, what goes on and what begins anew, each worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmodel import simulation
from psmodel.calibration import IDEAL, Calibration
from psmodel.errors import BadInput, UserError
from psmodel.scenario import Scenario
from psmodel.simulation.engine import Run

B = 1e6  # bytes/s
M = 8_000_000  # 8 s on a link
BASE = Scenario(workers=1, shards=1, model_size=M, bandwidth=B, compute=0.0, pull="none", iterations=1)


def dies(role: str, at: float, repair: float, index: int = 0) -> dict[str, object]:
    return {"role": role, "index": index, "at": at, "repair_time": repair}


def ends(**changes: object) -> list[float]:
    """When the first worker's iterations end."""
    return simulation.predict(BASE.replace(**changes)).timeline.released[0].tolist()


def test_a_push_is_sent_anew_when_its_shard_is_back() -> None:
    """From 9 to 17 s if nobody dies; from 17 to 25 s, all anew, if the shard is away from 12 to 17 s."""
    assert ends(compute=9) == pytest.approx([17])
    assert ends(compute=9, failures=[dies("shard", 12, 5)]) == pytest.approx([25])


@pytest.mark.parametrize(("repair", "end"), [(3, 17), (10, 22)])
def test_a_push_goes_on_when_its_worker_has_died(repair: float, end: float) -> None:
    """Its host sends it; the worker goes on when it is back."""
    assert ends(compute=9, failures=[dies("worker", 12, repair)]) == pytest.approx([end])


@pytest.mark.parametrize("placement", ["dedicated", "single-host"])
def test_who_is_away_from_the_start_delays_all(placement: str) -> None:
    transfers = 16 if placement == "dedicated" else 0
    for role in ("worker", "shard"):
        failures = [dies(role, 0, 5)]
        assert ends(pull="parallel", placement=placement, failures=failures) == pytest.approx([5 + transfers])


def test_two_outages_at_once_are_over_with_the_later() -> None:
    failures = [dies("shard", 2, 5), dies("shard", 4, 8), dies("worker", 5, 1)]
    assert ends(failures=failures) == pytest.approx([12 + 8])


def test_a_pull_begins_anew_when_its_worker_has_died() -> None:
    """3 of its 8 s have passed; what they brought is carried twice."""
    failures = [dies("worker", 3, 2)]
    scenario = BASE.replace(pull="parallel", push="none", failures=failures, iterations=2)
    run = Run(scenario, IDEAL, replication=0, trace=False)
    assert run.result().timeline.released[0] == pytest.approx([13, 21])
    assert run._workers[0].host.down.carried == pytest.approx(3 / 8 * M + 2 * M)


def test_a_pull_goes_on_when_its_shard_has_died() -> None:
    """What it has answered lies on its host, which sends it."""
    failures = [dies("shard", 3, 2)]
    scenario = BASE.replace(pull="parallel", push="none", failures=failures)
    run = Run(scenario, IDEAL, replication=0, trace=False)
    assert run.result().timeline.released[0] == pytest.approx([8])
    assert run._workers[0].host.down.carried == pytest.approx(M)


def test_a_prefetched_pull_is_gone_with_its_worker() -> None:
    """Pull to 8, compute to 28 with the next pull from 8 to 16; death at 20 s: all anew from 22 s."""
    changes = {"pull": "parallel", "prefetch": True, "compute": 20, "iterations": 2}
    assert ends(**changes) == pytest.approx([36, 64])
    assert ends(**changes, failures=[dies("worker", 20, 2)]) == pytest.approx([22 + 36, 22 + 64])
    # In the push, from 28 s, which goes on; the next iteration pulls anew.
    assert ends(**changes, failures=[dies("worker", 30, 2)]) == pytest.approx([36, 36 + 8 + 28])


def test_layers_computed_after_the_first_push_go_on_where_they_were() -> None:
    """Two layers of 4 MB and 5 s each: the other 5 s of computing pass beside the first push; death at 7 s for 3 s."""
    layers = [{"share": 0.5, "compute_share": 0.5}] * 2
    changes = {"layers": layers, "compute": 10}
    assert ends(**changes) == pytest.approx([10 + 4])
    assert ends(**changes, failures=[dies("worker", 7, 3)]) == pytest.approx([13 + 4])


def test_of_two_shards_on_a_host_the_other_has_the_link_alone() -> None:
    """Half a link each until 2 s; then 3 MB alone until 5 s; the dead one's 4 MB, all anew, from 12 to 16 s."""
    changes = {"shards": 2, "shards_per_host": 2, "failures": [dies("shard", 2, 10)]}
    prediction = simulation.predict(BASE.replace(**changes)).prediction
    assert prediction.metrics.push_time_s == pytest.approx(16)
    assert prediction.ingress_time_per_shard_s == pytest.approx((16, 5))


def test_a_dead_process_takes_no_core_and_begins_to_compute_anew() -> None:
    """Two on one core, 4 s each: 1 s of work each at 2 s; the other has 2 s at 3 s, and is done at 7 s."""
    changes = {
        "workers": 2, "placement": "single-host", "cores_per_host": 1, "compute": 4, "mode": "asp",
        "failures": [dies("worker", 2, 1)],
    }  # fmt: skip
    timeline = simulation.predict(BASE.replace(**changes)).timeline
    assert timeline.released[:, 0] == pytest.approx([9, 7])


def test_a_dead_shard_takes_no_core() -> None:
    """Two shards apply for 4 s each on one core; the first dies at 2 s for 2 s and begins its call anew."""
    changes = {
        "shards": 2, "placement": "single-host", "cores_per_host": 1, "update_cost": 4,
        "failures": [dies("shard", 2, 2)],
    }  # fmt: skip
    # 1 s each at 2 s, the second's third at 4 s; it has 1 s left, which takes 2; then 3 s of the first's 4 are left.
    assert ends(**changes) == pytest.approx([6 + 3])


def test_a_push_takes_as_long_as_work_that_is_repeated() -> None:
    """E[T] = (e^(λC) − 1)·(1/λ + R): nothing of a push is left when its shard has died (Daly 2006)."""
    failures = [{"role": "shard", "mean_time_between": "20 s", "repair_time": "5 s"}]
    metrics = simulation.predict(BASE.replace(iterations=4000, failures=failures)).prediction.metrics
    assert metrics.iteration_time_s == pytest.approx(math.expm1(8 / 20) * (20 + 5), rel=0.04)


instants = st.floats(0, 40)
outages = st.lists(
    st.builds(dies, st.sampled_from(["worker", "shard"]), instants, st.floats(0, 10), st.integers(0, 1)),
    max_size=4,
)


@settings(max_examples=60)
@given(failures=outages, mode=st.sampled_from(["bsp", "asp"]), compute=st.sampled_from([0.0, 3.0]))
def test_deaths_delay_and_whoever_is_away_gets_nothing(failures, mode, compute) -> None:
    scenario = BASE.replace(
        workers=2, shards=2, mode=mode, compute=compute, pull="parallel", iterations=2, failures=failures
    )
    plain = simulation.predict(scenario.replace(failures=[])).timeline
    run = Run(scenario, IDEAL, replication=0, trace=True)
    carried: dict[str, list[tuple[float, float]]] = {}

    def watch():  # type: ignore[no-untyped-def]
        while True:
            yield run._env.timeout(0.25)
            for name, host in run._network.hosts.items():
                carried.setdefault(name, []).append((run._env.now, host.down.carried))

    run._env.process(watch())
    result = run.result()
    assert (result.timeline.released[:, -1].max() >= plain.released[:, -1].max() * (1 - 1e-9)).all()
    for span in result.spans:
        if span.name == "away":
            inside = [v for t, v in carried.get(span.row, []) if span.start_s < t < span.end_s]
            assert np.ptp(inside or [0.0]) <= 1e-6


@pytest.mark.parametrize("role", ["worker", "shard"])
def test_who_dies_all_the_time_is_refused_in_a_sentence(role: str) -> None:
    """The other shards are idle while worker 0 computes, and would die without end."""
    failures = [{"role": role, "mean_time_between": "1 us"}]
    words = r"failures\.0\.mean_time_between = 1 µs is too short|rarer failures"
    with pytest.raises(UserError, match=words) as error:
        simulation.predict(BASE.replace(shards=4, compute=1000.0, failures=failures))
    assert "\n" not in str(error.value)


def test_episodes_without_number_are_refused() -> None:
    with pytest.raises(BadInput, match=r"stragglers\.rate = 1e\+08 makes"):
        BASE.replace(compute=1.0, stragglers={"rate": 1e8, "slowdown": 2, "duration": "1 ns"})
    BASE.replace(compute=1.0, stragglers={"rate": 900, "slowdown": 2, "duration": "1 ns"})


COSTLY = Calibration(head_start=0.5, crossing=0.2)
"""Coefficients by which a transfer heeds those that it meets; alone it meets none and takes as long as without."""


def test_a_transfer_that_heeds_others_stops_too_when_its_shard_dies() -> None:
    """It went on as if nobody had died wherever a fit says how transfers share a link."""
    scenario = BASE.replace(compute=9, failures=[dies("shard", 12, 50)])
    assert simulation.predict(scenario, COSTLY).timeline.released[0] == pytest.approx([12 + 50 + 8])


def test_starting_anew_takes_its_time() -> None:
    failures = [dies("shard", 12, 5)]
    plain = simulation.predict(BASE.replace(compute=9, failures=failures)).prediction.metrics
    slow = simulation.predict(
        BASE.replace(compute=9, failures=failures), Calibration(restart_s=3)
    ).prediction.metrics
    assert plain.recovery_time_s == pytest.approx(5)
    assert slow.recovery_time_s == pytest.approx(5 + 3)
    assert slow.iteration_time_s == pytest.approx(plain.iteration_time_s + 3)


ROUNDS = {
    "compute": 3,
    "update_cost": 1,
    "model_size": None,
    "elements": 1,
    "bandwidth": 1e12,
    "iterations": 12,
}
LOSING = {"checkpoint_interval": 9, "since_checkpoint": "lost"}


def test_what_a_shard_has_applied_since_its_checkpoint_is_lost_and_takes_no_time() -> None:
    """Updates end at 4, 8, 12 … s; those at 20 s and 24 s come after the checkpoint at 18 s."""
    for at, loss in ((26, 2), (21, 1), (27.5, 0), (3, 0), (33, 2)):
        scenario = BASE.replace(**ROUNDS, failures=[dies("shard", at, 0.5) | LOSING])
        result = simulation.predict(scenario)
        assert result.prediction.metrics.updates_lost == loss, at
        assert result.prediction.metrics.recovery_time_s == pytest.approx(0.5)
        assert result.timeline.applied_share == pytest.approx(1 - loss / 12)
    redone = simulation.predict(
        BASE.replace(**ROUNDS, failures=[dies("shard", 26, 0.5) | {"checkpoint_interval": 9}])
    )
    assert redone.prediction.metrics.updates_lost == 0
    assert redone.prediction.metrics.recovery_time_s == pytest.approx(0.5 + 8)


def test_what_is_lost_once_is_not_lost_again() -> None:
    """Dead at 21 s with one update since 18 s, and at 22 s with none since it is back."""
    failures = [dies("shard", 21, 0.5) | LOSING, dies("shard", 22, 0.5) | LOSING]
    result = simulation.predict(BASE.replace(**ROUNDS, failures=failures))
    assert [outage.updates_lost for outage in result.timeline.outages] == [1, 0]


def test_outages_that_overlap_are_one() -> None:
    failures = [dies("shard", 2, 5), dies("shard", 4, 8), dies("worker", 5, 1)]
    outages = simulation.predict(BASE.replace(failures=failures)).timeline.outages
    assert [(o.process, o.died_s, o.back_s) for o in outages] == [("shard-0", 2, 12), ("worker-0", 5, 6)]


def test_whoever_does_not_die_has_no_recovery() -> None:
    metrics = simulation.predict(BASE).prediction.metrics
    assert (metrics.recovery_time_s, metrics.updates_lost) == (None, None)
