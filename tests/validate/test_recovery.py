"""Workers and shards that are killed in real runs and go on: what shards hold then, and what is lost."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from psmodel import simulation
from psmodel.calibration import Calibration
from psmodel.errors import CannotRun
from psmodel.scenario import Scenario
from tests.feature_examples import BASE
from tests.validate.model_runs import Run
from validate.actors.mortality import PlannedDeaths
from validate.actors.restarts import RestartableShard
from validate.comparison.comparisons import compare
from validate.fitting.estimate import fit
from validate.machine.guardian import processes_of
from validate.measurements.measurement import Measurement
from validate.runs.planned_deaths import refusal
from validate.runs.real_run import RunFailed, run
from validate.testbeds import sandbox
from validate.testbeds.local import LocalTestbed
from validate.testbeds.process_states import process_title

DEATH = {
    "role": "shard", "index": 0, "at": "1.1 s", "checkpoint_interval": "400 ms", "since_checkpoint": "lost",
}  # fmt: skip
SMALL = Scenario(
    workers=2, shards=2, elements=100_000, placement="single-host", compute=0.02, iterations=80, warmup=1
)


def _live(folder: Path, updates: int, pause_s: float, gaps_s: tuple[float, ...]) -> None:
    """One life of a shard that is updated again and again, one worker's iterations on from what it has."""
    plan = PlannedDeaths(folder=str(folder), gaps_s=gaps_s, repair_s=0.0, checkpoint_s=0.25)
    shard = RestartableShard(1000, "float64", None, 0.0, plan)
    shard.begin()
    for iteration in range(updates):
        shard.update_parameters(np.ones(1000), shard.version, 0, iteration)
        time.sleep(pause_s)


def test_a_killed_shard_is_what_its_last_checkpoint_says(tmp_path: Path) -> None:
    """Killed twice; each life applies what the checkpoint lacks, and nothing twice."""
    context = multiprocessing.get_context("spawn")
    for _ in range(2):
        life = context.Process(target=_live, args=(tmp_path, 10_000, 0.01, (0.6, 0.6)))
        life.start()
        life.join(120)
        assert life.exitcode == -signal.SIGKILL
    plan = PlannedDeaths(folder=str(tmp_path), gaps_s=(), repair_s=0.0, checkpoint_s=1e6)
    shard = RestartableShard(1000, "float64", None, 0.0, plan)
    log, least, largest = shard.finish()
    restarts = shard.restarts()
    missing = np.zeros(len(log), bool)
    for restart in restarts:
        assert restart.back_ns >= restart.died_ns
        missing[restart.first_lost : restart.end_lost] = True
    present = [tuple(row) for row in log[~missing, :2].tolist()]
    assert len(restarts) == 2
    assert least == largest == len(present) == len(set(present))
    assert 0 < len(present) < len(log)
    before = shard.version
    shard.update_parameters(np.ones(1000), shard.version, *present[0])
    assert shard.version == before  # it is there already
    shard.update_parameters(np.ones(1000), shard.version, 7, 0)
    assert shard.version == before + 1
    assert shard.parameters[0] == least + 1


def test_a_shard_that_dies_without_being_planned_to_does_not_come_back(tmp_path: Path) -> None:
    plan = PlannedDeaths(folder=str(tmp_path), gaps_s=(1e6,), repair_s=0.0, checkpoint_s=1e6)
    RestartableShard(10, "float64", None, 0.0, plan).begin()
    with pytest.raises(RuntimeError, match="without being planned to"):
        RestartableShard(10, "float64", None, 0.0, plan)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"failures": [{"role": "worker", "at": "1 s"}], "update_rule": "affine"}, r"failures\.0\.role = .*affine"),
        ({"failures": [{"role": "shard", "at": "1 s"}]}, r'failures\.0\.since_checkpoint = "redone"'),
        ({"failures": [DEATH, DEATH | {"index": None}]}, "two failures of shard 0"),
        ({"failures": [DEATH], "prefetch": True}, "prefetch and failures"),
        ({"failures": [DEATH], "backup_workers": 1}, "backup_workers and failures"),
        ({"failures": [DEATH], "push": "fire-and-forget"}, "fire-and-forget"),
        ({"failures": [DEATH], "layers": [{"share": 1, "compute_share": 0}]}, "layers and failures"),
    ],
)  # fmt: skip
def test_deaths_that_no_real_run_has_are_refused_in_a_sentence(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(CannotRun, match=words) as error:
        run(BASE.replace(**changes), None)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_deaths_that_real_runs_have_are_not_refused() -> None:
    for mode in ({}, {"mode": "asp"}, {"mode": "ssp", "staleness_bound": 1}, {"push": "sequential"}):
        assert refusal(SMALL.replace(failures=[DEATH], **mode)) is None


def test_a_fit_learns_from_one_death_how_long_a_start_takes_and_is_scored_on_others() -> None:
    """Also where by other coefficients the run would be over before the death."""
    truth = Calibration(restart_s=1.3, copy_s_per_byte=1e-7)
    cases = [
        SMALL.replace(iterations=20, failures=[DEATH]),
        SMALL.replace(iterations=20, shards=1, failures=[DEATH | {"repair_time": "2 s", "at": "900 ms"}]),
    ]
    one, other = (Run(case, simulation.predict(case, truth).prediction.metrics) for case in cases)
    assert simulation.predict(cases[0]).prediction.metrics.recovery_time_s is None
    fitted = fit([one, one], free=["restart_s"])
    assert fitted.calibration.restart_s == pytest.approx(1.3, rel=0.01)
    comparison = compare(fitted, [other], calibration_runs=[one])
    (row,) = (row for row in comparison.rows if row.metric == "recovery_time_s")
    assert (row.measured, row.predicted) == pytest.approx((3.3, 3.3), rel=0.01)


@pytest.mark.ray
@pytest.mark.netns
def test_over_shaped_links_too(tmp_path: Path) -> None:
    """Before the local testbed is there, whose settings would go to the command."""
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no network namespaces here: {reason}")
    failures = '[{role="shard", index=1, at="1.2 s", checkpoint_interval="500 ms", since_checkpoint="lost"}]'
    settings = {"workers": 2, "shards": 2, "model-size": "4MB", "bandwidth": "200Mbps", "iterations": 8}
    arguments = [f"--{key}={value}" for key, value in settings.items()]
    answer = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "psmodel",
                "validate",
                "run",
                "--testbed=netns",
                "--repetitions=1",
                "--json",
            ),
            *(*arguments, f"--set=failures={failures}"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr
    (measurement,) = json.loads(answer.stdout)["measurements"]
    (outage,) = measurement["outages"]
    assert outage["process"] == "shard-1"
    assert measurement["sums_ok"]
    assert measurement["metrics"]["recovery_time_s"] == pytest.approx(outage["back_s"] - outage["died_s"])


@pytest.fixture(scope="module")
def bed() -> Iterator[LocalTestbed]:
    with LocalTestbed.for_scenarios([SMALL]) as testbed:
        yield testbed


def interrupted(result: Measurement) -> bool:
    """Whether nobody got through an iteration between death and return, and one lasted until the return.

    It may have begun after the death: a shard may die when it has applied all updates and nobody is released yet.
    """
    (outage,) = result.outages
    start, released = result.instants.start, result.instants.released
    within = (start >= outage.died_s) & (released <= outage.back_s)
    return bool(((start < outage.back_s) & (released >= outage.back_s)).any() and not within.any())


@pytest.mark.ray
def test_a_real_shard_dies_as_planned_and_training_goes_on(bed: LocalTestbed) -> None:
    result = run(SMALL.replace(failures=[DEATH], update_rule="affine"), bed)
    (outage,) = result.outages
    assert result.sums_ok
    assert outage.process == "shard-0"
    assert (
        outage.died_s >= 1.0
    )  # 1.1 s after the shard hears of the run, some ms before the first worker starts
    assert interrupted(result)
    assert result.metrics.recovery_time_s == pytest.approx(outage.back_s - outage.died_s)
    assert result.metrics.updates_lost == outage.updates_lost
    applied = result.updates.shard == 0
    died, back = outage.died_s, outage.back_s
    assert not ((result.updates.end[applied] > died) & (result.updates.end[applied] < back)).any()
    since = (result.updates.end[applied] > died - 0.4) & (result.updates.end[applied] <= died)
    assert outage.updates_lost <= since.sum()
    assert not any("nothing happened" in sentence for sentence in result.suspect)
    assert Measurement.from_json(result.to_json()).outages == result.outages
    folder = Path(os.environ["RAY_AUTH_TOKEN_PATH"]).parent
    assert not list(folder.glob("mortal-*"))


@pytest.mark.ray
def test_a_real_worker_dies_as_planned_and_goes_on_where_it_was(bed: LocalTestbed) -> None:
    result = run(SMALL.replace(failures=[{"role": "worker", "index": 1, "at": "1.1 s"}]), bed)
    (outage,) = result.outages
    assert result.sums_ok
    assert outage.process == "worker-1"
    assert outage.died_s >= 1.0
    assert interrupted(result)
    assert len(result.updates.shard) == 2 * 2 * result.scenario.total_iterations  # each once
    assert result.metrics.updates_lost is None
    for one, following in pairwise(
        getattr(result.instants, n)
        for n in ("start", "pulled", "computed", "submitted", "pushed", "released")
    ):
        assert (one <= following).all()


@pytest.mark.ray
def test_workers_and_shards_die_in_one_run_out_of_step(bed: LocalTestbed) -> None:
    worker = {"role": "worker", "index": 0, "at": "1 s", "repair_time": "300 ms"}
    result = run(SMALL.replace(failures=[worker, DEATH | {"at": "1.2 s"}], mode="asp"), bed)
    assert result.sums_ok
    assert {outage.process for outage in result.outages} == {"worker-0", "shard-0"}


@pytest.mark.ray
def test_the_model_says_what_is_lost_and_how_long_the_repair_takes(bed: LocalTestbed) -> None:
    """Every update takes 100 ms, so that the second before a checkpoint's end holds about as many on either side."""
    scenario = SMALL.replace(
        workers=1, shards=1, compute=0.1, iterations=30,
        failures=[DEATH | {"at": "1.9 s", "checkpoint_interval": "1 s", "repair_time": "1 s"}],
    )  # fmt: skip
    result = run(scenario, bed)
    assert result.sums_ok
    assert result.metrics.recovery_time_s is not None
    assert result.metrics.recovery_time_s > 1
    predicted = simulation.predict(scenario, Calibration(restart_s=1.0)).prediction.metrics
    assert predicted.recovery_time_s == pytest.approx(2.0)
    assert predicted.updates_lost == pytest.approx(result.metrics.updates_lost, abs=2)


@pytest.mark.ray
def test_shards_that_die_at_random_do_so_again_and_again(bed: LocalTestbed) -> None:
    often = DEATH | {"index": None, "at": None, "mean_time_between": "1 s", "checkpoint_interval": "300 ms"}
    result = run(SMALL.replace(failures=[often], seed=3), bed)
    assert result.sums_ok
    assert len(result.outages) > 1
    for one, following in pairwise(o for o in result.outages if o.process == "shard-1"):
        assert following.died_s > one.back_s


@pytest.mark.ray
def test_a_shard_that_dies_before_its_time_ends_the_run(bed: LocalTestbed) -> None:
    """And leaves nothing of it behind."""
    folder = Path(os.environ["RAY_AUTH_TOKEN_PATH"]).parent

    def kill() -> None:
        """Once the run has begun."""
        while not list(folder.glob("mortal-*/shard-0/began")):
            time.sleep(0.05)
        pids = [pid for pid in processes_of(folder) if process_title(pid).startswith("ray::RestartableShard")]
        os.kill(pids[0], signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    with pytest.raises(RunFailed, match="shard 0 has died without being planned to"):
        run(SMALL.replace(shards=1, iterations=3000, failures=[DEATH | {"at": "90 s"}]), bed)
    assert not list(folder.glob("mortal-*"))
    assert run(SMALL.replace(iterations=3), bed).sums_ok


@pytest.mark.ray
def test_a_death_after_the_end_of_a_run_is_none(bed: LocalTestbed) -> None:
    result = run(SMALL.replace(iterations=3, failures=[DEATH | {"at": "60 s"}]), bed)
    assert result.outages == ()
    assert result.metrics.recovery_time_s is None
    assert result.sums_ok
