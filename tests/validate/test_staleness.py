"""Staleness, measured against simulated: the distance is SciPy's, and a run against itself has none."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from psmodel.calibration import IDEAL
from psmodel.simulation import predict as simulate
from tests.real_records import SCENARIO, record
from validate.comparison.comparisons import Comparison
from validate.comparison.staleness import compare, distance, mean
from validate.fitting.fit import load
from validate.measurements.store import read_json
from validate.report.report import Report
from validate.report.terminal import show

MEASURED = Path(__file__).parents[2] / "figures" / "measured"
samples = st.lists(st.integers(0, 12), min_size=1, max_size=20)


def counts(values: list[int]) -> dict[int, int]:
    return {value: values.count(value) for value in values}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of SciPy's p-value for samples of one
@given(one=samples, other=samples)
def test_the_distance_is_that_of_the_two_samples(one: list[int], other: list[int]) -> None:
    expected = ks_2samp(one, other, method="asymp").statistic
    assert distance(counts(one), counts(other)) == pytest.approx(expected, abs=1e-12)
    assert mean(counts(one)) == pytest.approx(np.mean(one))


def test_in_step_the_updates_of_a_round_are_not_stale() -> None:
    scenario = SCENARIO.replace(iterations=10)
    (comparison,) = compare(
        IDEAL, [record("0", scenario=scenario), record("1", scenario=scenario, repetition=1)]
    )
    assert comparison.measured == comparison.predicted == {0: 2 * 2 * 10 * scenario.shards}
    assert comparison.distance == 0


def test_predictions_have_the_random_numbers_of_the_runs() -> None:
    compute = {"kind": "lognormal", "mean": "50 ms", "cv": 0.8}
    scenario = SCENARIO.replace(workers=3, mode="asp", compute=compute, iterations=20)
    (comparison,) = compare(IDEAL, [record(scenario=scenario, repetition=2)])
    assert comparison.predicted == simulate(scenario, replication=2).timeline.staleness
    assert comparison.predicted != simulate(scenario, replication=0).timeline.staleness


def test_a_push_that_rests_on_no_pull_is_not_stale() -> None:
    assert compare(IDEAL, [record(scenario=SCENARIO.replace(pull="none"))]) == ()


def test_the_report_s_table_on_the_shipped_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [m for m in read_json(MEASURED / "training-local.json") if m.part == "held_out"]
    fit = load(MEASURED / "training-local.fit.json")
    comparison = compare(fit.calibration, (m for m in runs if m.scenario.mode != "bsp"))
    assert len(comparison) == 8
    # Equal workers that compute equally long stay together in the model, not in a real run: nothing to compare.
    unlike = [s for s in comparison if "compute=lognormal" in s.scenario or "slowest=" in s.scenario]
    assert len(unlike) == 4
    assert max(s.distance for s in unlike) <= 0.25
    empty = Comparison(rows=(), calibration=(), scores=(), coverage=None, coverage_80=None, noise={})
    report = Report(
        title="", fit=fit, comparison=empty, staleness=comparison, calibration=(), held_out=tuple(runs)
    )
    show(report)
    printed = capsys.readouterr().out
    for s in comparison:
        assert f"{s.distance:.2f}" in printed
    assert report.to_json()["staleness"][0]["distance"] == comparison[0].distance
