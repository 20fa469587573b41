"""Every feature of a scenario against everything that must know of it: whoever adds one sees here what is missing."""

import ast
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psmodel import simulation
from psmodel.analytic import ClosedForm, mva, predict, predict_grid
from psmodel.app.answers import answered
from psmodel.app.query import Query, Settings
from psmodel.calibration import IDEAL, Calibration
from psmodel.errors import BadInput, CannotRun
from psmodel.region import Region
from psmodel.results import Metrics
from psmodel.scenario import Scenario, ScenarioError
from psmodel.scenario.features import FEATURES, PLAIN_FIELDS, features_of
from psmodel.scenario.treatment import Feature
from psmodel.simulation import engine
from psmodel.whatif.explanations import explain
from psmodel.whatif.prices import load_catalogue, machines_for, price_per_hour
from tests.feature_examples import BASE, EXAMPLES

ROOT = Path(__file__).parents[1]
COSTS = Calibration(handle_overhead_s=1e-3, put_s_per_byte=1e-9, call_latency_s=1e-3)
EVERY = pytest.mark.parametrize("feature", FEATURES, ids=lambda f: f.name)


def with_feature(feature: Feature, **changes: Any) -> Scenario:
    return BASE.replace(**{**EXAMPLES[feature.name], **changes})


def test_every_key_is_plain_or_a_feature() -> None:
    assert {feature.field for feature in FEATURES} | PLAIN_FIELDS == set(Scenario.model_fields)


def test_every_feature_has_an_example() -> None:
    assert [feature.name for feature in FEATURES] == list(EXAMPLES)


@EVERY
def test_the_example_has_it_and_the_base_has_not(feature: Feature) -> None:
    assert feature in features_of(with_feature(feature))
    assert not features_of(BASE)


@EVERY
@pytest.mark.parametrize("calibration", [IDEAL, COSTS], ids=["ideal", "costs"])
def test_closed_forms_claim_no_more_than_the_simulation_says(feature: Feature, calibration) -> None:
    scenario = with_feature(feature)
    closed = ClosedForm(scenario=scenario, calibration=calibration)
    simulated = simulation.predict(scenario, calibration).prediction.metrics
    if closed.exact:
        for name in closed.prediction.claims:
            assert getattr(closed.prediction.metrics, name) == pytest.approx(
                getattr(simulated, name), rel=1e-9, abs=1e-12
            ), name
    if not scenario.is_random:
        best = closed.floor.best["iteration_time_s"]
        assert simulated.iteration_time_s >= best * (1 - 1e-9)
    if feature.closed_form.claim == "estimate" and not closed.exact:
        assert any("estimate" in note for note in closed.notes)
        if feature.closed_form.leaves_out and feature.field != "mode":
            assert any(feature.closed_form.leaves_out in note for note in closed.notes)


@EVERY
def test_the_simulation_computes_with_it(feature: Feature) -> None:
    """Where the example changes nothing the simulation has forgotten it. How an update is made costs nothing there."""
    # One thread for each core would wait for nobody.
    beside = {"shards_per_host": 3} if feature.field == "cores_per_host" else {}
    with_it, without = (
        simulation.predict(scenario, COSTS).prediction.metrics
        for scenario in (with_feature(feature, **beside), BASE.replace(**beside))
    )
    assert (with_it == without) == (feature.field == "update_rule")


@EVERY
def test_what_is_exact_is_the_steady_state_too(feature: Feature) -> None:
    scenario = with_feature(feature, iterations=None)
    closed = ClosedForm(scenario=scenario)
    if closed.exact:
        simulated = simulation.predict(scenario).prediction.metrics
        for name in closed.prediction.claims:
            assert getattr(closed.prediction.metrics, name) == pytest.approx(
                getattr(simulated, name), rel=1e-9, abs=1e-12
            ), name


@EVERY
def test_a_grid_says_what_one_prediction_says_or_names_the_key(feature: Feature) -> None:
    scenario = with_feature(feature)
    columns = {"workers": [2.0, 4.0], "shards": [2.0, 3.0], "compute": [0.01, 0.02], "bandwidth": [1e6, 2e6]}
    for name, values in columns.items():
        if name in feature.fixes:
            with pytest.raises(BadInput, match=feature.field):
                predict_grid(scenario, {name: values})
            continue
        table = predict_grid(scenario, {name: values})
        for row, value in enumerate(values):
            number = int(value) if name in ("workers", "shards") else value
            alone = predict(scenario.replace(**{name: number})).metrics
            for metric in ("iteration_time_s", "pull_time_s", "push_time_s"):
                assert table[metric][row] == pytest.approx(getattr(alone, metric), rel=1e-9), (name, metric)


@EVERY
def test_mean_value_analysis_says_what_it_leaves_out(feature: Feature) -> None:
    scenario = with_feature(
        feature, **({} if feature.field in ("mode", "backup_workers") else {"mode": "asp"})
    )
    prediction = mva.predict(scenario, COSTS)
    assert np.isfinite(prediction.metrics.iteration_time_s)
    if feature.mva.leaves_out and scenario.mode != "bsp":
        assert any(feature.mva.leaves_out in note for note in prediction.notes)


@EVERY
@pytest.mark.parametrize("calibration", [IDEAL, COSTS], ids=["ideal", "costs"])
def test_bundles_change_nothing(feature: Feature, calibration, monkeypatch) -> None:
    scenario = with_feature(feature)
    bundled = simulation.predict(scenario, calibration).prediction.metrics
    monkeypatch.setattr(engine, "workers_alike", lambda *_: False)
    monkeypatch.setattr(engine, "shards_alike", lambda *_: False)
    alone = simulation.predict(scenario, calibration).prediction.metrics
    for metric in fields(Metrics):
        one, other = getattr(bundled, metric.name), getattr(alone, metric.name)
        assert one == other or one == pytest.approx(other, rel=1e-9, abs=1e-12), metric.name


@EVERY
def test_explain_works_or_names_the_key(feature: Feature) -> None:
    answer = explain(with_feature(feature))
    assert all(np.isfinite(gain.ratio) and gain.ratio > 0 for gain in answer.gains)


@EVERY
def test_the_page_shows_it(feature: Feature) -> None:
    scenario = with_feature(feature)
    settings = Settings()
    settings.__dict__["scenarios"] = {"base": scenario}
    page = answered(Query.of({"scenario": "base"}, settings))
    assert page["prediction"]["iteration_time_s"] == predict(scenario).metrics.iteration_time_s


@EVERY
def test_a_fit_that_has_not_seen_it_says_so(feature: Feature) -> None:
    region = Region.of([BASE])
    assert region.outside(with_feature(feature)), feature.name
    assert not Region.of([with_feature(feature)]).outside(with_feature(feature))


@EVERY
def test_a_price_counts_the_hosts_there_are(feature: Feature) -> None:
    catalogue = load_catalogue()
    scenario = with_feature(feature)
    machines = machines_for(scenario, {}, catalogue)
    if machines is None:
        pytest.skip("no machine of the catalogue has that")
    price = price_per_hour(scenario, machines)
    hosts = {
        "dedicated": (scenario.worker_hosts, scenario.shard_hosts),
        "colocated": (max(scenario.workers, scenario.shards), 0),
        "single-host": (1, 0),
    }[scenario.placement]
    expected = hosts[0] * machines.worker.price_per_hour + hosts[1] * machines.shard.price_per_hour
    assert price == pytest.approx(expected)


def attributes(tree: ast.AST) -> set[str]:
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@pytest.fixture(scope="module")
def read_by_real_runs() -> set[str]:
    """Names that the sources of a real run read of anything, and what those properties of a scenario are made from."""
    folders = ("validate/actors", "validate/runs", "validate/testbeds", "validate/machine")
    sources = [path for folder in folders for path in (ROOT / folder).glob("*.py")]
    trees = [
        ast.parse(path.read_text(encoding="utf-8")) for path in (*sources, ROOT / "psmodel/random_streams.py")
    ]
    names = set().union(*map(attributes, trees))
    record = ast.parse((ROOT / "psmodel/scenario/scenario.py").read_text(encoding="utf-8"))
    properties = {
        node.name: attributes(node) for node in ast.walk(record) if isinstance(node, ast.FunctionDef)
    }
    while more := set().union(*(properties.get(name, set()) for name in names)) - names:
        names |= more
    return names


@EVERY
def test_a_real_run_has_it_or_the_table_says_that_it_has_not(
    feature: Feature, read_by_real_runs: set[str]
) -> None:
    """What real runs never read they cannot do, and what they refuse they need not read."""
    assert feature.real_run == (feature.field in read_by_real_runs)


@pytest.mark.parametrize("feature", [f for f in FEATURES if not f.real_run], ids=lambda f: f.name)
def test_a_real_run_refuses_what_only_the_model_has(feature: Feature) -> None:
    from validate.runs.real_run import run

    with pytest.raises(CannotRun, match=feature.field):
        run(with_feature(feature), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("feature", "key", "allowed"),
    [(f, key, allowed) for f in FEATURES for key, allowed in f.goes_with],
    ids=lambda value: getattr(value, "name", None),
)
def test_what_does_not_go_together_is_refused(feature: Feature, key: str, allowed: tuple[str, ...]) -> None:
    choices = {
        "placement": ["single-host", "colocated"],
        "mode": ["asp"],
        "push": ["none", "sequential", "blocking"],
        "pull": ["none", "sequential"],
    }[key]
    for choice in choices:
        if choice not in allowed:
            with pytest.raises(ScenarioError, match=f"{feature.field}.* with {key}"):
                with_feature(feature, **{key: choice})
