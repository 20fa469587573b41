"""One real run that belongs to no suite, kept in a store; one that fails is written down beside it."""

from collections.abc import Callable

from psmodel.scenario import Scenario
from validate.machine.computing import compute_by
from validate.machine.open_links import is_open
from validate.measurements.measurement import Measurement, key
from validate.measurements.store import Store
from validate.runs import failures
from validate.runs.real_run import Observation, RunFailed, run
from validate.testbeds.base import Testbed


def next_repetition(store: Store, scenario: Scenario, testbed: str) -> int:
    """The number of the first repetition that the store does not have yet."""
    # Those whose links were left open are stored with the links that they had.
    left_open = is_open(scenario)
    stored = store.measurements(scenario=None if left_open else scenario, testbed=testbed)
    return sum(m.suite is None and (not left_open or m.asked_for == scenario) for m in stored)


def run_and_keep(
    scenario: Scenario,
    testbed: Testbed,
    store: Store,
    *,
    repetition: int,
    on_observation: Callable[[Observation], None] | None = None,
    at_most_s: float | None = None,
) -> Measurement:
    """Run a scenario on a testbed that has been entered.

    Raises
    ------
    BadInput, CannotRun, RunFailed, TestbedLost
        As `validate.runs.real_run.run`.
    """
    try:
        measurement = run(
            scenario,
            testbed,
            repetition=repetition,
            on_observation=on_observation,
            logs=store.path.parent / "logs",
            at_most_s=at_most_s,
        )
    except RunFailed as error:
        spent = compute_by(scenario)
        failures.add(
            store.path,
            key=key(scenario, testbed=testbed.name, suite=None, repetition=repetition, compute_by=spent),
            scenario=scenario.name,
            repetition=repetition,
            suite=None,
            reason=str(error),
        )
        raise
    store.add(measurement)
    return measurement
