"""Messages in rows of numbers: the same run as message by message, to the last digit."""

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmodel import simulation
from psmodel.calibration import COEFFICIENTS, Calibration
from psmodel.scenario import Scenario
from psmodel.simulation import messages
from psmodel.simulation.collection import SimulationResult
from psmodel.simulation.messages import can_carry
from tests.strategies import calibrations, scenarios

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="the extra `fast` is not here"
)
USUAL = Calibration(**{name: coefficient.usual for name, coefficient in COEFFICIENTS.items()})


def plainer(scenario: Scenario) -> Scenario:
    """The scenario without what is simulated message by message only."""
    without: dict[str, Any] = dict.fromkeys(("cores_per_host", "total_cores", "max_in_flight_pushes"))
    lists = dict.fromkeys(("layers", "failures", "background"), ())
    return scenario.replace(
        **without,
        **lists,
        backup_workers=0,
        pull="none" if scenario.pull == "none" else "parallel",
        push="none" if scenario.push == "none" else "blocking",
    )


carried = scenarios(iterations=st.integers(1, 4)).map(plainer)
unequal_shares = st.builds(
    lambda c, head_start, crossing: replace(c, head_start=head_start, crossing=crossing),
    calibrations,
    st.sampled_from([0.0, 0.3, 2.0]),
    st.sampled_from([0.0, 0.15, 1.0]),
)


def simulated(
    scenario: Scenario, calibration: Calibration, *, rows: bool, **options: Any
) -> SimulationResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(messages, "pays", lambda _: rows)
        return simulation.predict(scenario, calibration, **options)


def assert_same(one: SimulationResult, other: SimulationResult) -> None:
    assert one.elapsed_s == pytest.approx(other.elapsed_s, rel=1e-12)
    assert one.most_waiting_bytes == pytest.approx(other.most_waiting_bytes, rel=1e-12)
    for name in ("metrics", "queue_length", "utilisation", "ingress_time_per_shard_s"):
        ours, theirs = getattr(one.prediction, name), getattr(other.prediction, name)
        if name == "metrics":
            ours, theirs = ({k: v for k, v in m.to_json().items() if v is not None} for m in (ours, theirs))
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-14), name
    assert one.prediction.steady == other.prediction.steady
    assert one.timeline.staleness == other.timeline.staleness
    for name in ("start", "pulled", "computed", "pushed", "released", "applied", "ingress"):
        np.testing.assert_allclose(getattr(one.timeline, name), getattr(other.timeline, name), rtol=1e-12)


@pytest.mark.long
@settings(max_examples=150)
@given(scenario=carried, calibration=unequal_shares, tolerance=st.sampled_from([0.0, 0.0, 0.01]))
def test_messages_in_rows_are_those_one_by_one(scenario, calibration, tolerance) -> None:
    assert can_carry(scenario, finite=True)
    rows = simulated(scenario, calibration, rows=True, tolerance=tolerance)
    assert_same(rows, simulated(scenario, calibration, rows=False, tolerance=tolerance))


@pytest.mark.parametrize("mode", ["bsp", "asp"])
@pytest.mark.parametrize("cv", [0.0, 0.3])
def test_a_steady_state_is_the_same_either_way(mode, cv) -> None:
    scenario = Scenario.from_json(
        {
            "workers": 3, "shards": 2, "model_size": "1MB", "bandwidth": "1Gbps", "mode": mode, "prefetch": True,
            "compute": {"kind": "lognormal", "mean": 0.02, "cv": cv} if cv else 0.02,
        }
    )  # fmt: skip
    rows = simulated(scenario, USUAL, rows=True, precision=0.1)
    assert rows.prediction.steady is not None
    assert rows.prediction.steady.reached
    assert_same(rows, simulated(scenario, USUAL, rows=False, precision=0.1))


@pytest.mark.parametrize("mode", ["bsp", "asp"])
def test_many_messages_in_rows_are_those_one_by_one(mode) -> None:
    """Enough of them for every store of theirs to grow, and for rates to be summed anew."""
    scenario = Scenario.from_json(
        {
            "workers": 12, "shards": 40, "model_size": "100MB", "bandwidth": "10Gbps", "iterations": 4, "mode": mode,
            "compute": {"kind": "lognormal", "mean": 0.05, "cv": 0.5}, "propagation_delay": 1e-4,
            "update_cost": {"kind": "exponential", "mean": 1e-4},
        }
    )  # fmt: skip
    assert_same(simulated(scenario, USUAL, rows=True), simulated(scenario, USUAL, rows=False))


@given(scenario=scenarios())
def test_what_rows_do_not_know_is_simulated_one_by_one(scenario) -> None:
    simulated(scenario, USUAL, rows=True)
