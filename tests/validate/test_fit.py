"""The fit against runs whose coefficients are known: the model's own, with noise added."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from psmodel.calibration import CalibrationError
from psmodel.calibration import load as load_calibration
from psmodel.errors import BadInput
from tests.validate.model_runs import (
    CASES,
    FORWARD,
    FREE,
    NOISE,
    TRUTH,
    Machine,
    Run,
    closed_form,
    noisy,
    runs,
    scenario,
    simulated,
)
from validate.fitting.estimate import fit
from validate.fitting.fit import Fit, load


def test_coefficients_of_simulated_runs_are_found() -> None:
    estimate = fit(runs(1, predictor=simulated), free=FREE)
    assert estimate.converged
    for name in (
        "goodput_factor",
        "call_latency_s",
        "copy_s_per_byte",
        "put_s_per_byte",
        "update_s_per_byte",
    ):
        low, high = estimate.intervals[name]
        assert low <= getattr(TRUTH, name) <= high, name
        assert name not in estimate.unidentified
        assert getattr(estimate.calibration, name) == pytest.approx(getattr(TRUTH, name), rel=0.15), name


def test_without_noise_the_coefficients_are_found_to_a_few_percent() -> None:
    """Not exactly: what is expected of a coefficient still draws, though weakly."""
    estimate = fit(runs(0, noise=0.0), free=FREE, forward=FORWARD).calibration
    for name in (
        "goodput_factor",
        "call_latency_s",
        "put_s_per_byte",
        "copy_s_per_byte",
        "update_s_per_byte",
    ):
        assert getattr(estimate, name) == pytest.approx(getattr(TRUTH, name), rel=0.05), name


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """95 % of the intervals of the coefficients, and of the predictions of one more run of a new scenario."""
    hits, trials = 0, 0
    new = scenario(2, 3, 24e6, "1Gbps")
    truth = closed_form(new, TRUTH)
    inside = predicted = 0
    for seed in range(8):
        estimate = fit(runs(seed), free=FREE, forward=FORWARD, seed=seed)
        for name, (low, high) in estimate.intervals.items():
            hits += low <= getattr(TRUTH, name) <= high
            trials += 1
        intervals = estimate.predict(new, FORWARD)
        for _ in range(5):
            once = noisy(new, truth, np.random.default_rng(predicted), NOISE).metrics
            for name in ("pull_time_s", "push_time_s", "iteration_time_s"):
                inside += intervals[name].low <= getattr(once, name) <= intervals[name].high
                predicted += 1
    # The model's own error is expected to be 3 %, and here it is none: intervals are rather too wide.
    assert hits / trials >= 0.90
    assert inside / predicted >= 0.93


def test_intervals_narrow_with_less_noise() -> None:
    widths = []
    for noise in (0.05, 0.005):
        low, high = fit(runs(3, noise=noise), forward=FORWARD).intervals["copy_s_per_byte"]
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_a_coefficient_without_effect_is_said_to_have_none() -> None:
    local = [
        scenario(n, k, size, placement="single-host") for n, k, size in ((1, 1, 80), (1, 1, 8e6), (2, 2, 3e7))
    ]
    estimate = fit(runs(0, cases=local), forward=FORWARD)
    assert estimate.unidentified["goodput_factor"] == "it has no effect on these runs"
    assert "goodput_factor" not in estimate.names


def test_coefficients_that_only_one_size_shows_together_are_not_told_apart() -> None:
    """Runs of one scenario alone hold the sum of many terms."""
    estimate = fit(runs(0, cases=[scenario(1, 1, 8e6)]), forward=FORWARD)
    assert {"submit_overhead_s", "handle_overhead_s", "object_overhead_s"} <= estimate.unidentified.keys()
    assert all(len(reason) > 10 for reason in estimate.unidentified.values())
    # What is not told apart still predicts what it was fitted to.
    again = estimate.predict(scenario(1, 1, 8e6), FORWARD)["iteration_time_s"].predicted
    assert again == pytest.approx(closed_form(scenario(1, 1, 8e6), TRUTH).iteration_time_s, rel=0.05)


def test_only_what_is_free_is_estimated() -> None:
    free = ("goodput_factor", "copy_s_per_byte")
    fixed = replace(TRUTH, goodput_factor=1.0, copy_s_per_byte=0.0)
    estimate = fit(runs(0), free=free, fixed=fixed, forward=FORWARD)
    assert estimate.names == free
    assert replace(estimate.calibration, goodput_factor=1.0, copy_s_per_byte=0.0) == fixed
    assert estimate.calibration.goodput_factor == pytest.approx(0.95, rel=0.02)


def test_one_wild_run_hardly_moves_the_fit() -> None:
    experiments = runs(0)
    wild = replace(experiments[-1].metrics, pull_time_s=2 * experiments[-1].metrics.pull_time_s)
    experiments[-1] = Run(experiments[-1].scenario, wild)
    assert fit(experiments, forward=FORWARD).calibration.goodput_factor == pytest.approx(0.95, rel=0.15)


def test_machines_are_mixed_only_if_asked() -> None:
    experiments = runs(0)
    experiments[0] = replace(experiments[0], environment=Machine("b"))
    with pytest.raises(BadInput, match=r"2 different machines \(a, b\)"):
        fit(experiments, forward=FORWARD)
    assert fit(experiments, mix_machines=True, forward=FORWARD).runs == len(experiments)


@pytest.mark.parametrize(
    ("experiments", "free", "message"),
    [([], None, "no runs to fit"), (None, ["speed"], "unknown coefficient 'speed'")],
)
def test_what_cannot_be_fitted_is_said(experiments: Any, free: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        fit(runs(0) if experiments is None else experiments, free=free, forward=FORWARD)


def test_a_fit_is_the_same_after_json(tmp_path: Any) -> None:
    estimate = fit(runs(0), forward=FORWARD)
    path = tmp_path / "fit.json"
    path.write_text(json.dumps(estimate.to_json(), allow_nan=False))
    again = load(path)
    assert again == estimate
    assert again.predict(CASES[4], FORWARD) == estimate.predict(CASES[4], FORWARD)
    assert load_calibration(path) == estimate.calibration


def test_the_same_seed_gives_the_same_intervals() -> None:
    one, two, other = (fit(runs(0), forward=FORWARD, seed=seed).intervals for seed in (0, 0, 1))
    assert one == two
    assert one != other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "holds no fit of schema_version 1"),
        ({"covariance": None}, "is not a whole fit"),
        ({"calibration": {"speed": 1.0}}, "unknown coefficient 'speed'"),
    ],
)
def test_what_is_no_fit_is_refused(change: dict[str, Any], message: str) -> None:
    values = fit(runs(0), forward=FORWARD).to_json() | change
    with pytest.raises(CalibrationError, match=message):
        Fit.from_json(values)


def test_a_missing_or_broken_file_is_said(tmp_path: Any) -> None:
    with pytest.raises(CalibrationError, match="cannot be read"):
        load(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text('{"schema_version": 1')
    with pytest.raises(CalibrationError, match="is not valid JSON"):
        load(broken)


def test_outside_the_calibration_runs_is_said() -> None:
    region = fit(runs(0), forward=FORWARD).region
    assert all(region.outside(case) == () for case in CASES)
    phrases = " ".join(region.outside(scenario(9, 1, 1e9, "10Gbps", mode="asp")))
    assert "workers 9 is outside 1 to 4" in phrases
    assert "model size 1 GB is outside" in phrases
    assert 'mode "asp" was not calibrated (seen: bsp)' in phrases
