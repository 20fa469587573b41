"""Designs against brute force, and what more runs must do to what is known."""

import itertools

import numpy as np
import pytest

from psmodel import analytic
from psmodel.calibration import Calibration
from psmodel.errors import BadInput
from psmodel.results import Metrics
from psmodel.scenario import Scenario
from validate.fitting.experiment_design import _cost, _information, _value, design
from validate.fitting.model_response import Forward
from validate.suites import suite


def closed_form(scenario: Scenario, calibration: Calibration) -> Metrics:
    return analytic.predict(scenario, calibration).metrics


FORWARD = Forward(closed_form)
CANDIDATES = suite.load("ingress").scenarios[:10]


@pytest.mark.parametrize("criterion", ["predictions", "coefficients"])
def test_the_first_run_is_the_best_of_all_per_second(criterion) -> None:
    choice = design(CANDIDATES, 30.0, criterion=criterion, forward=FORWARD)
    from psmodel.calibration import COEFFICIENTS
    from validate.fitting.experiment_design import USUAL
    from validate.fitting.model_response import scales

    names = tuple(COEFFICIENTS)
    spread = np.array([COEFFICIENTS[n].spread for n in names]) / scales(names)
    prior = np.diag(1 / spread**2)
    target = np.array([FORWARD.jacobian(s, USUAL, names)["iteration_time_s"] for s in CANDIDATES])

    def gain(s: Scenario) -> float:
        more = prior + _information(s, USUAL, names, FORWARD)
        return (_value(criterion, target, more) - _value(criterion, target, prior)) / _cost(s, USUAL, FORWARD)

    assert choice.choices[0].scenario == max(CANDIDATES, key=gain).name


def test_every_run_narrows_what_is_known() -> None:
    choice = design(CANDIDATES, 120.0, forward=FORWARD)
    widths = [choice.widest_before, *(c.widest for c in choice.choices)]
    assert len(widths) > 10
    assert all(b <= a * (1 + 1e-9) for a, b in itertools.pairwise(widths))


def test_the_budget_holds_and_is_used() -> None:
    choice = design(CANDIDATES, 60.0, forward=FORWARD)
    spent = sum(c.cost_s for c in choice.choices)
    assert spent <= 60.0
    assert 60.0 - spent < min(c.cost_s for c in choice.choices) + 1


def test_runs_that_were_made_are_worth_less_when_made_again() -> None:
    first = design(CANDIDATES, 30.0, forward=FORWARD)
    runs_made = [next(s for s in CANDIDATES if s.name == c.scenario) for c in first.choices]
    then = design(CANDIDATES, 30.0, runs=runs_made, forward=FORWARD)
    assert then.widest_before == pytest.approx(first.choices[-1].widest)
    assert then.choices[-1].widest <= first.choices[-1].widest


def test_a_budget_too_small_is_said() -> None:
    with pytest.raises(BadInput, match="--budget 1s is too short"):
        design(CANDIDATES, 1.0, forward=FORWARD)
