"""Computing takes a core: what processes of one host get of it, against processor sharing by hand and its bounds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel import simulation
from psmodel.calibration import IDEAL
from psmodel.scenario import Scenario
from psmodel.simulation.engine import Run

BASE = Scenario(
    workers=6, shards=1, model_size=8000, placement="single-host", cores_per_host=2, compute=0.3, iterations=3
)


def compute_time(**changes: object) -> float:
    return simulation.predict(BASE.replace(**changes)).prediction.metrics.compute_time_s


def test_six_workers_on_two_cores_take_three_times_as_long() -> None:
    prediction = simulation.predict(BASE).prediction
    assert prediction.metrics.compute_time_s == pytest.approx(0.9)
    assert prediction.metrics.iteration_time_s == pytest.approx(0.9)
    assert prediction.bottleneck == "host cores"
    assert prediction.utilisation["host cores"] == pytest.approx(1)
    assert prediction.utilisation["worker CPU"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "changes", [{"compute_on": "accelerator"}, {"cores_per_host": None}, {"cores_per_host": 6}]
)
def test_where_no_core_is_short_they_do_not(changes: dict[str, object]) -> None:
    assert compute_time(**changes) == pytest.approx(0.3)


def test_all_hosts_share_the_cores_of_one_machine() -> None:
    dedicated = {"placement": "dedicated", "bandwidth": "100Gbps", "model_size": 8}
    assert compute_time(**dedicated) == pytest.approx(0.3)
    assert compute_time(**dedicated, cores_per_host=None, total_cores=2) == pytest.approx(0.9)
    assert compute_time(**dedicated, workers_per_host=3, cores_per_host=1) == pytest.approx(0.9)


def test_who_computes_less_is_done_first() -> None:
    """1, 2 and 3 s on two cores, 2/3 each: the first is done at 1.5 s; then one each: at 2.5 and 3.5 s."""
    changes = {"workers": 3, "compute": 1.0, "compute_factors": [1, 2, 3], "mode": "asp", "iterations": 1}
    timeline = simulation.predict(BASE.replace(**changes)).timeline
    assert timeline.computed[:, 0] == pytest.approx([1.5, 2.5, 3.5])


@given(
    st.lists(st.floats(0.1, 5), min_size=1, max_size=6),
    st.integers(1, 4),
    st.sampled_from([None, "cpu", "accelerator"]),
)
def test_no_core_works_twice_and_none_idles_while_there_is_work(factors, cores, on) -> None:
    """Graham 1969: whatever the order, work-conserving cores need at most Σ/c + (1 − 1/c)·max."""
    scenario = BASE.replace(
        workers=len(factors), compute=1.0, compute_factors=factors, cores_per_host=cores, mode="asp",
        iterations=1, compute_on=on,
    )  # fmt: skip
    run = Run(scenario, IDEAL, replication=0, trace=False)
    last = float(run.result().timeline.computed.max())
    longest, total = max(factors), math.fsum(factors)
    used = run._premises.shared_cores.carried
    if on == "accelerator":
        assert last == pytest.approx(longest)
        assert used == 0
        return
    assert max(longest, total / cores) * (1 - 1e-9) <= last
    assert last <= (total / cores + (1 - 1 / cores) * longest) * (1 + 1e-9)
    assert used == pytest.approx(total)
