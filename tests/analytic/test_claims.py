"""What closed forms claim of themselves holds: exact is what the simulation says, a bound is never above it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmodel import simulation
from psmodel.analytic import ClosedForm
from psmodel.calibration import IDEAL
from tests.strategies import calibrations, scenarios


@settings(max_examples=300)
@given(scenario=scenarios(random=False), calibration=st.just(IDEAL) | calibrations)
def test_a_finite_run_without_chance_is_as_claimed(scenario, calibration) -> None:
    closed = ClosedForm(scenario=scenario, calibration=calibration)
    metrics = simulation.predict(scenario, calibration).prediction.metrics
    time = metrics.iteration_time_s
    for name, claim in closed.prediction.claims.items():
        value, simulated = getattr(closed.prediction.metrics, name), getattr(metrics, name)
        if claim == "exact" and value is not None:
            assert value == pytest.approx(simulated, rel=1e-9, abs=1e-9 * time), name
    for name, best in closed.floor.best.items():
        simulated = getattr(metrics, name)
        if simulated is None:
            continue
        if name == "updates_per_s":
            assert simulated <= best * (1 + 1e-9), name
        else:
            assert simulated >= best * (1 - 1e-9) - 1e-12, name


@pytest.mark.slow
@settings(max_examples=60)
@given(scenario=scenarios(iterations=st.none(), disturbed=False), calibration=st.just(IDEAL) | calibrations)
def test_a_steady_state_is_as_claimed(scenario, calibration) -> None:
    """Where chance enters, up to what the simulation's own interval leaves open (at four times its half width)."""
    closed = ClosedForm(scenario=scenario, calibration=calibration)
    run = simulation.predict(scenario, calibration, precision=0.03).prediction
    time = run.metrics.iteration_time_s
    for name, claim in closed.prediction.claims.items():
        value, simulated = getattr(closed.prediction.metrics, name), getattr(run.metrics, name)
        if claim == "exact" and value is not None:
            assert value == pytest.approx(simulated, rel=1e-9, abs=1e-9 * time), name
    assert run.steady is not None
    if run.steady.reached and run.steady.half_width_s is not None:
        open_s = 4 * run.steady.half_width_s + 1e-9 * time
        assert time + open_s >= closed.floor.best["iteration_time_s"]
