"""Scores of a comparison against arithmetic by hand, and the baselines on the same runs."""

import re
from dataclasses import replace

import pytest

from tests.validate.model_runs import CASES, FORWARD, FREE, TRUTH, Run, closed_form, runs, scenario
from validate.comparison import quality
from validate.comparison.comparisons import OURS, UNFITTED, Comparison, compare
from validate.fitting.estimate import fit
from validate.measurements.selection import content

HELD_OUT = [scenario(2, 1, 8e6), scenario(2, 3, 24e6, "1Gbps"), scenario(8, 2, 64e6)]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    calibration_runs = runs(0)
    fitted = fit(calibration_runs, free=FREE, forward=FORWARD)
    return compare(fitted, runs(1, cases=HELD_OUT), calibration_runs=calibration_runs, forward=FORWARD)


def test_errors_are_those_of_the_means(comparison: Comparison) -> None:
    experiments = runs(1, cases=HELD_OUT[:1])
    row = next(r for r in comparison.rows if (r.scenario, r.metric) == (HELD_OUT[0].name, "push_time_s"))
    times = [run.metrics.push_time_s for run in experiments]
    assert row.measured == pytest.approx(sum(times) / 3)
    assert (row.measured_low, row.measured_high) == (min(times), max(times))
    assert row.error == pytest.approx((row.predicted - row.measured) / row.measured)
    assert row.covered == sum(row.low <= t <= row.high for t in times)
    every = [abs(r.error) for r in comparison.rows]
    assert comparison.score().mape == pytest.approx(sum(every) / len(every))
    assert comparison.score().largest == max(every)
    assert comparison.coverage == sum(r.covered for r in comparison.rows) / sum(
        r.runs for r in comparison.rows
    )


def test_every_scored_metric_of_every_scenario_is_there(comparison: Comparison) -> None:
    metrics = {"pull_time_s", "push_time_s", "iteration_time_s", "ingress_time_s"}
    assert {(r.scenario, r.metric) for r in comparison.rows} == {
        (s.name, m) for s in HELD_OUT for m in metrics
    }


def test_ours_is_as_good_as_the_noise_and_better_than_every_baseline(comparison: Comparison) -> None:
    """The truth is of the model's own form, so that nothing but noise is left."""
    best = comparison.best_baseline
    assert best is not None
    assert comparison.score().mape < 0.03
    assert comparison.score().mape < best.mape / 2
    assert comparison.factor == pytest.approx(comparison.score().mape / best.mape)
    assert comparison.coverage is not None
    assert comparison.coverage >= 0.9
    assert all(0.005 < cv < 0.02 for cv in comparison.noise.values())


def test_the_unfitted_model_is_the_ideal_one(comparison: Comparison) -> None:
    from psmodel.calibration import IDEAL

    for row in comparison.rows:
        case = next(s for s in HELD_OUT if s.name == row.scenario)
        ideal = getattr(closed_form(case, IDEAL), row.metric)
        assert row.others[UNFITTED] == pytest.approx(ideal)


def test_extrapolation_is_said(comparison: Comparison) -> None:
    outside = {r.scenario: r.outside for r in comparison.rows}
    assert outside[HELD_OUT[0].name] == ()
    assert outside[HELD_OUT[2].name] == ("workers 8 is outside 1 to 4",)


def test_phases_that_a_scenario_does_not_have_are_not_scored() -> None:
    calibration_runs = runs(0)
    fitted = fit(calibration_runs, free=FREE, forward=FORWARD)
    pulls = scenario(2, 2, 8e6, push="none")
    thrown = scenario(2, 2, 8e6, push="fire-and-forget")
    experiments = [Run(case, closed_form(case, TRUTH)) for case in (pulls, thrown)]
    comparison = compare(fitted, experiments, calibration_runs=calibration_runs, forward=FORWARD)
    assert {r.metric for r in comparison.rows if r.content == content(pulls) and not r.outside[1:]} >= {
        "pull_time_s"
    }
    assert all(r.metric != "push_time_s" for r in comparison.rows)


def test_nothing_held_out_scores_nothing() -> None:
    calibration_runs = runs(0)
    comparison = compare(
        fit(calibration_runs, free=FREE, forward=FORWARD),
        [],
        calibration_runs=calibration_runs,
        forward=FORWARD,
    )
    assert comparison.rows == comparison.scores == ()
    assert comparison.coverage is None
    assert comparison.best_baseline is None
    assert comparison.factor is None
    assert comparison.to_json()["best_baseline"] is None


def test_json_has_what_the_tables_show(comparison: Comparison) -> None:
    document = comparison.to_json()
    assert document["factor"] == comparison.factor
    assert document["rows"][0]["error"] == comparison.rows[0].error
    assert {s["model"] for s in document["scores"]} >= {OURS, UNFITTED, "Ernest", "constant"}


def test_a_worse_fit_has_larger_errors(comparison: Comparison) -> None:
    calibration_runs = runs(0)
    good = fit(calibration_runs, free=FREE, forward=FORWARD)
    bad = replace(good, calibration=replace(good.calibration, goodput_factor=0.5))
    worse = compare(bad, runs(1, cases=HELD_OUT), calibration_runs=calibration_runs, forward=FORWARD)
    assert worse.score().mape > 2 * comparison.score().mape


LOCAL = [
    scenario(n, k, size, placement="single-host") for n, k, size in ((1, 1, 80), (2, 2, 8e6), (2, 1, 3e7))
]
HERE = [scenario(2, 3, 1.6e7, placement="single-host", name="here")]


@pytest.fixture(scope="module", params=["links first", "links last"])
def mixed(request: pytest.FixtureRequest) -> Comparison:
    """Runs over links and on one machine in one store."""
    order = 1 if request.param == "links first" else -1
    calibration_runs = runs(0, cases=[*CASES, *LOCAL][::order])
    fitted = fit(calibration_runs, free=FREE, forward=FORWARD)
    return compare(
        fitted, runs(1, cases=[*HELD_OUT, *HERE][::order]), calibration_runs=calibration_runs, forward=FORWARD
    )


def test_runs_with_and_without_links_have_baselines_of_their_own(mixed: Comparison) -> None:
    """Work is in seconds over links and in bytes without them: coefficients of one are absurd for the other."""
    for row in mixed.rows:
        assert ("plain N·M/(K·B)" in row.others) == (row.scenario != "here")
        assert {"Ernest", "constant", "plain, scaled", "Universal Scalability Law"} <= row.others.keys()


def test_a_baseline_is_scored_on_what_it_predicts(mixed: Comparison) -> None:
    plain = mixed.score("plain N·M/(K·B)")
    errors = [abs(r.others["plain N·M/(K·B)"] / r.measured - 1) for r in mixed.rows if r.scenario != "here"]
    assert plain.values == len(errors) < len(mixed.rows) == mixed.score().values
    assert plain.mape == pytest.approx(sum(errors) / len(errors))
    best = mixed.best_baseline
    assert best is not None
    assert best.values == len(mixed.rows)


def test_each_kind_s_baselines_are_those_of_its_runs_alone(mixed: Comparison, comparison: Comparison) -> None:
    alone = {(r.scenario, r.metric): r.others for r in comparison.rows}
    for row in mixed.rows:
        if row.scenario != "here":
            for name in ("Ernest", "plain, scaled", "constant", "Universal Scalability Law"):
                # The runs are other draws of the same noise.
                assert row.others[name] == pytest.approx(alone[row.scenario, row.metric][name], rel=0.05)


def test_a_kind_that_nothing_was_fitted_to_has_no_baselines() -> None:
    calibration_runs = runs(0)
    fitted = fit(calibration_runs, free=FREE, forward=FORWARD)
    comparison = compare(fitted, runs(1, cases=HERE), calibration_runs=calibration_runs, forward=FORWARD)
    assert {name for r in comparison.rows for name in r.others} == {UNFITTED}
    assert comparison.best_baseline is None
    assert comparison.factor is None


def test_scenarios_of_one_name_are_counted_apart_and_named_apart() -> None:
    calibration_runs = runs(0)
    fitted = fit(calibration_runs, free=FREE, forward=FORWARD)
    cases = [case.replace(name="same") for case in HELD_OUT]
    comparison = compare(fitted, runs(1, cases=cases), calibration_runs=calibration_runs, forward=FORWARD)
    assert comparison.scenarios == 3
    assert len({r.scenario for r in comparison.rows}) == 3
    assert all(r.scenario.startswith("same #") for r in comparison.rows)


def test_a_renamed_scenario_is_a_repetition() -> None:
    experiments = runs(0)
    renamed = [replace(r, scenario=r.scenario.replace(name="x", description="y")) for r in experiments[1:3]]
    again = fit([experiments[0], *renamed, *experiments[3:]], free=FREE, forward=FORWARD)
    assert again.to_json()["residuals"] == fit(experiments, free=FREE, forward=FORWARD).to_json()["residuals"]


def test_errors_have_a_word_and_a_direction(comparison: Comparison) -> None:
    for score in comparison.scores:
        assert score.quality == quality.word(score.mape)
    document = comparison.to_json()
    assert {"quality", "bias", "values"} <= document["scores"][0].keys()
    short = comparison.score(UNFITTED, "push_time_s")
    assert re.fullmatch(r"\d+\.\d % too short", short.bias)


@pytest.mark.parametrize(
    ("mape", "word"),
    [
        (0.0, "highly accurate"),
        (0.099, "highly accurate"),
        (0.1, "good"),
        (0.2, "reasonable"),
        (0.5, "inaccurate"),
    ],
)
def test_the_words_are_lewis_s(mape: float, word: str) -> None:
    assert quality.word(mape) == word


@pytest.mark.parametrize(
    ("errors", "direction"),
    [
        ([0.02, 0.03, 0.04], "3.0 % too long"),
        ([-0.2, -0.3], "25.0 % too short"),
        ([0.5, -0.5, 0.4, -0.3], "no clear direction"),
        ([0.1], "10.0 % too long"),
        ([0.0, 0.0], "no clear direction"),
    ],
)
def test_the_direction_is_that_of_the_mean_where_it_is_clear(errors: list[float], direction: str) -> None:
    assert quality.direction(errors) == direction
