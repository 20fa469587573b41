"""The choice by real runs of a plan's finalists: right in worlds that differ from the prediction, with few runs."""

from collections import Counter
from typing import Any

import pytest

from psmodel import simulation
from psmodel.calibration import IDEAL, Calibration
from psmodel.errors import BadInput, CannotRun
from psmodel.predictors import Calibrated
from psmodel.scenario import Scenario, load
from psmodel.whatif import finalists
from psmodel.whatif.finalists import RealChoice, RealRun, check, choose
from psmodel.whatif.judge import Certainty
from psmodel.whatif.plans import Plan, plan
from psmodel.whatif.setup import Setup
from psmodel.whatif.sweeps import grid
from psmodel.whatif.targets import parse_target

BASE = load(
    "ingress-single",
    workers=6,
    iterations=10,
    warmup=2,
    compute={"kind": "gamma", "mean": "50 ms", "cv": 0.2},
)
TARGET = "iteration_time<=300ms"
SETUP = Setup(method="simulate")


def planned(**changes: Any) -> Plan:
    return plan(BASE.replace(**changes), grid("shards=1:9:1"), [TARGET], minimise="shards", setup=SETUP)


def chosen(answer: Plan, world: Calibration, counts: Counter[int], budget: int = 30) -> RealChoice:
    """The choice in a world with other coefficients than the plan's: each run is a simulation of it."""

    def run(scenario: Scenario) -> RealRun:
        counts[scenario.shards] += 1
        result = simulation.predict(scenario, world, replication=1000 + counts[scenario.shards])
        return RealRun(metrics=result.prediction.metrics)

    return choose(
        answer.finalists, answer.targets, testbed="a world", run=run, prepared=lambda s: s, setup=SETUP,
        certainty=Certainty(budget=budget), progress=lambda text: None,
    )  # fmt: skip


def test_finalists_are_the_answer_the_nearest_below_and_the_next_above() -> None:
    answer = planned()
    assert answer.best is not None
    best = answer.best["shards"]
    assert [f.scenario.shards for f in answer.finalists] == [best - 1, best, best + 1]
    assert [f.row["decision"] for f in answer.finalists[:2]] == ["misses", "meets"]


def test_a_world_as_predicted_confirms_the_answer() -> None:
    answer, counts = planned(), Counter[int]()
    choice = chosen(answer, IDEAL, counts)
    assert answer.best is not None
    assert choice.is_certain
    assert choice.best is not None
    assert choice.best.finalist.scenario.shards == answer.best["shards"]
    assert [trial.decision for trial in choice.trials[:2]] == ["misses", "meets"]
    assert not choice.trials[2].runs, "of what is dearer than one that meets the targets no run is needed"
    for trial in choice.trials[:2]:
        measured = trial.measured["iteration_time_s"]
        assert trial.predicted["iteration_time_s"] == pytest.approx(measured.mean, rel=0.1)


def test_a_slower_world_chooses_the_next_one() -> None:
    answer, counts = planned(), Counter[int]()
    choice = chosen(answer, Calibration(handle_overhead_s=4e-3), counts)
    assert answer.best is not None
    assert choice.best is not None
    assert choice.best.finalist.scenario.shards == answer.best["shards"] + 1
    slowest = chosen(answer, Calibration(copy_s_per_byte=1e-8), Counter())
    assert slowest.best is None
    assert slowest.is_certain
    assert [trial.decision for trial in slowest.trials] == ["misses"] * 3


def test_a_faster_world_chooses_the_one_below() -> None:
    fast = Calibration(copy_s_per_byte=5e-10)
    setup = Setup(method="simulate", calibrated=Calibrated(best=fast))
    answer = plan(BASE, grid("shards=1:9:1"), ["iteration_time<=320ms"], minimise="shards", setup=setup)
    choice = chosen(answer, IDEAL, Counter())
    assert answer.best is not None
    assert choice.best is not None
    assert choice.best.finalist.scenario.shards == answer.best["shards"] - 1


def test_what_stays_open_is_undecided() -> None:
    answer, counts = planned(), Counter[int]()
    choice = chosen(answer, IDEAL, counts, budget=2)
    assert choice.best is None
    assert not choice.is_certain
    assert {trial.decision for trial in choice.trials} == {"undecided"}
    assert max(counts.values()) == 2


def test_where_none_meets_the_targets_the_two_nearest_are_run() -> None:
    answer = plan(BASE, grid("shards=3,4,5"), ["iteration_time<=240ms"], minimise="shards", setup=SETUP)
    assert answer.best is None
    assert [f.scenario.shards for f in answer.finalists] == [4, 5]


def test_what_no_real_run_tells_is_refused_before_the_search() -> None:
    class Anywhere:
        testbed = "anywhere"

        def prepared(self, scenario: Scenario) -> Scenario:
            raise BadInput("no")

    for name in ("speedup>=2", "scaling_efficiency>=90%"):
        with pytest.raises(BadInput, match="one worker alone"):
            check([parse_target(name)], [], Anywhere())  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="no"):
        check([parse_target(TARGET)], [BASE], Anywhere())  # type: ignore[arg-type]


def test_without_a_package_that_makes_real_runs_this_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finalists, "entry_points", lambda **_: ())
    with pytest.raises(CannotRun, match="install psmodel with its package validate"):
        finalists.real_runs("local")
