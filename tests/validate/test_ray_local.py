"""Real runs on one machine: every mode and style, sums, back-pressure, what is read, written and left behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.faults import victims
from benchmarks.faults.traces import Traces
from psmodel import simulation
from psmodel.errors import CannotRun
from psmodel.scenario import Scenario, load
from validate.machine.guardian import processes_of
from validate.measurements.measurement import Measurement, unfinished_bytes
from validate.measurements.store import Store
from validate.runs.real_run import Observation, RunFailed, run
from validate.testbeds.base import OWN_NODES
from validate.testbeds.local import LocalTestbed

pytestmark = pytest.mark.ray

SMALL = Scenario(workers=2, shards=3, elements=1000, placement="single-host", iterations=6, warmup=1)
SHARDED = load("tutorial-sharded").replace(elements=1_250_001, iterations=3)
SINGLE = load("tutorial-single").replace(iterations=5, compute="20 ms")
SLOW_SHARD = SMALL.replace(
    shards=2, workers=1, pull="none", push="fire-and-forget", update_cost="30 ms", iterations=30, warmup=0
)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A short path (Ray's sockets lie below it) with an empty home and a place for temporary files."""
    folder = Path(tempfile.mkdtemp(prefix="p", dir="/tmp"))
    (folder / "h").mkdir()
    (folder / "t").mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def bed(place: Path) -> Iterator[LocalTestbed]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(place / "h"))
        with LocalTestbed.for_scenarios([SHARDED, SINGLE, SMALL]) as testbed:
            yield testbed


RANDOM = {"compute": {"kind": "exponential", "mean": "15 ms"}, "seed": 4}
STYLES = {
    "bsp": RANDOM,
    "asp": RANDOM | {"mode": "asp", "update_rule": "affine", "dtype": "float32"},
    "ssp": RANDOM | {"mode": "ssp", "staleness_bound": 1, "update_cost": "1 ms"},
    "one after the other": {
        "pull": "sequential",
        "push": "sequential",
        "dtype": "float16",
        "elements": 200_000,
    },
    "brain floats": {
        "dtype": "bfloat16",
        "update_rule": "affine",
        "elements": 100_001,
        "compression": {"ratio": 2},
        "layers": [{"share": 0.25, "compute_share": 0.3}, {"share": 0.75, "compute_share": 0.4}],
    },
    "whole brain floats": RANDOM | {"dtype": "bfloat16", "elements": 200_000, "mode": "asp"},
    "pull only": {"workers": 1, "push": "none"},
    "layers": RANDOM
    | {
        "layers": [{"share": 0.25, "compute_share": 0.3}, {"share": 0.75, "compute_share": 0.4}],
        "elements": 100_001,
        "update_rule": "affine",
    },
    "prefetch": RANDOM | {"prefetch": True, "mode": "asp"},
    "compressed": {
        "compression": {"ratio": 3, "compress_time": "2 ms", "decompress_time": "1 ms"},
        "shard_weights": [3, 2, 1],
        "elements": 100_001,
    },
    "backup workers": RANDOM | {"workers": 3, "backup_workers": 1, "compute_factors": [1, 1, 5]},
    "stragglers": {"compute": "5 ms", "stragglers": {"rate": 20, "slowdown": 4, "duration": "20 ms"}},
}


@pytest.mark.parametrize("style", STYLES)
def test_shards_hold_what_was_pushed(bed: LocalTestbed, style: str) -> None:
    scenario = SMALL.replace(**STYLES[style])
    result = run(scenario, bed)
    assert result.sums_ok
    pushes = scenario.push != "none"
    applied = scenario.workers - scenario.backup_workers
    assert len(result.updates.shard) == applied * scenario.total_iterations * scenario.shards * pushes
    if pushes:
        assert result.timeline.applied_share == applied / scenario.workers
    phases = [getattr(result.instants, n) for n in ("start", "pulled", "computed", "pushed", "released")]
    assert all((b >= a).all() for a, b in pairwise(phases))
    if scenario.backup_workers:
        # Who is late takes no part in some of the others' iterations.
        assert (result.instants.start == result.instants.released).any()
    elif scenario.mode != "asp":
        assert most_ahead(result) <= (scenario.staleness_bound or 0)
    if style == "bsp":
        # Nobody pulls before all have applied, so that only the others' updates of one iteration lie between.
        assert result.updates.staleness.max() < scenario.workers
        assert result.metrics.wait_time_s > 3e-3  # for the slower of two exponential times: 7.5 ms on average
    if style == "asp":
        assert result.metrics.wait_time_s < 1e-3


def most_ahead(result: Measurement) -> int:
    """Largest lead, in finished iterations, over the slowest worker of one that starts an iteration."""
    start, pushed = result.instants.start, result.instants.pushed
    return max(
        iteration - int((pushed < start[worker, iteration]).sum(axis=1).min())
        for worker, iteration in np.ndindex(start.shape)
    )


def test_what_is_open_of_ended_processes_logs_does_not_grow_with_the_runs(bed: LocalTestbed) -> None:
    for _ in range(4):  # of 6 processes, with two logs each that Ray's log monitor opens
        run(SMALL, bed)
    folders = [str(folder) for folder in bed.signs().logs("")]
    assert folders
    open_logs = [
        link
        for descriptors in Path("/proc").glob("[0-9]*/fd")
        for link in links(descriptors)
        if link.startswith(tuple(folders)) and "/worker-" in link
    ]
    deleted_ones = [link for link in open_logs if link.endswith(" (deleted)")]
    assert len(deleted_ones) <= int(OWN_NODES["RAY_LOG_MONITOR_MAX_OPEN_FILES"]), deleted_ones
    aside = {file.name for folder in folders for file in (Path(folder) / "old").glob("*")}
    assert not aside


def links(descriptors: Path) -> Iterator[str]:
    """What a process has open; nothing if it ends meanwhile, or is another user's."""
    with contextlib.suppress(OSError):
        for descriptor in descriptors.iterdir():
            with contextlib.suppress(OSError):
                yield str(descriptor.readlink())


def test_nobody_holds_back_a_worker_that_does_not_wait(bed: LocalTestbed) -> None:
    free = run(SLOW_SHARD, bed)
    bounded = run(SLOW_SHARD.replace(max_in_flight_pushes=2), bed)
    assert free.sums_ok
    assert bounded.sums_ok
    for result, predicted in (
        (free, simulation.predict(free.scenario)),
        (bounded, simulation.predict(bounded.scenario)),
    ):
        most = unfinished_bytes(result)[1].max() / result.scenario.total_bytes
        if result is free:
            assert most > 10  # of 30, each of which takes 30 ms: the queue grows as long as the run goes on
            assert predicted.most_waiting_bytes * result.scenario.shards > 10 * result.scenario.total_bytes
        else:
            assert most <= 3  # two under way, and one whose turn it is not yet
            assert predicted.most_waiting_bytes * result.scenario.shards <= 3 * result.scenario.total_bytes
    # The shard is the bottleneck, so a worker that waits for it is as slow as it.
    assert bounded.metrics.iteration_time_s > 0.8 * 30e-3


@pytest.mark.parametrize("scenario", [SINGLE, SHARDED], ids=["tutorial-single", "tutorial-sharded"])
def test_the_tutorials_really_run(bed: LocalTestbed, scenario: Scenario) -> None:
    result = run(scenario, bed)
    assert result.sums_ok
    assert result.metrics.iteration_time_s >= scenario.compute.expected()
    assert result.metrics.push_time_s < result.metrics.pull_time_s + result.metrics.compute_time_s


def test_a_watched_run_shows_whole_updates(bed: LocalTestbed) -> None:
    observations: list[Observation] = []
    scenario = SMALL.replace(compute="15 ms", iterations=15)
    result = run(scenario, bed, on_observation=observations.append, observe_every_s=0.05)
    assert result.sums_ok
    assert len(observations) >= 2
    assert all(o.planned == 2 * 16 for o in observations)
    for earlier, later in pairwise(observations):
        assert all(a <= b for a, b in zip(earlier.applied, later.applied, strict=True))
    for observation in observations:  # every update adds one to every parameter
        assert observation.parameters == tuple((float(n), float(n)) for n in observation.applied)


def test_what_does_not_fit_is_refused(bed: LocalTestbed) -> None:
    with pytest.raises(CannotRun, match="shared memory"):
        run(SMALL.replace(elements=2_000_000_000), bed)
    with pytest.raises(CannotRun, match="goes on from its checkpoint"):
        run(SMALL.replace(failures=[{"role": "shard", "at": "1 s"}]), bed)
    with pytest.raises(CannotRun, match="single-host"):
        run(SMALL.replace(placement="dedicated", bandwidth="1Gbps"), bed)


def test_a_run_that_takes_far_longer_than_predicted_is_stopped_and_the_next_one_is_made(
    bed: LocalTestbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("validate.runs.real_run.upper_limit", lambda scenario: 1.0)
    with pytest.raises(RunFailed, match="was stopped: it had not ended after 1 s, 10 times its prediction"):
        run(SMALL.replace(compute="30 s"), bed)
    monkeypatch.undo()
    assert run(SMALL, bed).sums_ok


def test_the_home_is_left_alone(bed: LocalTestbed, place: Path) -> None:
    run(SMALL, bed)
    assert list((place / "h").iterdir()) == []


def _command(place: Path) -> subprocess.Popen[bytes]:
    # A file, since a pipe stays open as long as Ray's orphans live, which have it from the command.
    # Without `unshare` there is no sandbox, which would leave nothing to look at.
    environment = os.environ | {
        "HOME": str(place / "h"),
        "TMPDIR": str(place / "t"),
        "PATH": str(place / "h"),
    }
    arguments = ("validate", "run", "laptop", "--iterations", "5000", "--repetitions", "1", "--store", "s")
    with (place / "told").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "psmodel", *arguments],
            cwd=place,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


def _left(directory: Path) -> list[int]:
    return processes_of(directory)


def _running(place: Path, command: subprocess.Popen[bytes], *, before: set[Path]) -> Path:
    """The directory of a command's testbed, which was not there before, once its workers are at work."""
    end = time.monotonic() + 240  # a loaded machine starts Ray slowly
    while time.monotonic() < end and command.poll() is None:
        for directory in set((place / "t").glob("psm-*")) - before:
            names = [_name(pid) for pid in _left(directory)]
            if sum("WorkerActor.run" in name for name in names) == 2:
                return directory
        time.sleep(0.1)
    command.kill()
    command.wait()
    pytest.fail(f"the command did not get so far: {(place / 'told').read_text()}")


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _soon(condition) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_what_a_killed_guardian_leaves_is_cleared_by_the_next_start_and_an_interrupt_leaves_nothing(
    place: Path,
) -> None:
    traces = Traces(place)
    killed = _command(place)
    first = _running(place, killed, before=set())
    guardian = victims.find(killed.pid, "guardian.py")
    os.kill(guardian, signal.SIGKILL)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert first.exists()

    interrupted = _command(place)
    second = _running(place, interrupted, before={first})
    assert not first.exists()  # cleared when the second one started
    assert _left(first) == []
    interrupted.send_signal(signal.SIGINT)
    assert interrupted.wait(timeout=120) == 130
    assert "Traceback" not in (place / "told").read_text()
    assert not second.exists()
    assert _left(second) == []
    assert list((place / "t").iterdir()) == []
    assert list((place / "h").iterdir()) == []
    assert _soon(lambda: traces.left() == [])
    with Store(place / "s") as store:
        assert store.rows() == []  # neither run was finished
