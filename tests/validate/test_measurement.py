"""Measurements: what follows from the instants, by hand; keys; the load that makes a run suspect; clocks."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from tests.real_records import SCENARIO, record
from validate.actors import clocks
from validate.machine.computing import compute_by
from validate.machine.environment import Load, Watch, this_machine
from validate.measurements.measurement import Instants, Measurement, Updates, key, spans, unfinished_bytes


def test_metrics_are_those_of_the_instants() -> None:
    # Both workers pull 0.1, compute 0.1, push 0.1, wait 0.1 s, over and over, worker 1 always 0.1 s later.
    metrics = record().metrics
    for phase in ("pull", "compute", "push", "wait"):
        assert getattr(metrics, f"{phase}_time_s") == pytest.approx(0.1)
    assert metrics.iteration_time_s == pytest.approx(0.4)
    # The last push arrives when worker 1's ends, 0.2 s after worker 0 began its own.
    assert metrics.ingress_time_s == pytest.approx(0.2)
    assert metrics.updates_per_s == pytest.approx(2 / 0.4)


def test_warm_up_does_not_count() -> None:
    repetitions = record()
    slow = {name: getattr(repetitions.instants, name).copy() for name in Instants.__dataclass_fields__}
    for edge in slow.values():
        edge[:, 1:] += 7.0  # the first iteration, which is warm-up, takes longer
    slow["released"][:, 0] += 7.0
    assert record(instants=Instants(**slow)).metrics.push_time_s == pytest.approx(
        repetitions.metrics.push_time_s
    )
    assert record(instants=Instants(**slow)).metrics.iteration_time_s == pytest.approx(0.4)


def test_staleness_is_counted_without_warm_up() -> None:
    # Worker w's updates come after w others: two shards, two measured iterations. In step those are of its own round.
    assert record().timeline.staleness == {0: 8}
    assert record(scenario=SCENARIO.replace(mode="asp")).timeline.staleness == {0: 4, 1: 4}
    no_pull = SCENARIO.replace(pull="none")
    assert record(scenario=no_pull).timeline.staleness == {}


def test_in_step_only_updates_of_other_rounds_make_stale() -> None:
    """One shard, two workers: w0 prefetches, so that its second update rests on what was before the first round."""
    scenario = SCENARIO.replace(shards=1, warmup=0, prefetch=True)
    edges = np.arange(2.0)[None, :].repeat(2, axis=0)
    instants = Instants(**dict.fromkeys(Instants.__dataclass_fields__, edges))
    updates = Updates(
        shard=np.zeros(4, np.int64),
        worker=np.array([0, 1, 1, 0]),
        iteration=np.array([0, 0, 1, 1]),
        staleness=np.array(
            [0, 1, 0, 3]
        ),  # since the pull: none; w0's; none; both of round 0 and w1's of round 1
        begin=np.arange(4.0),
        end=np.arange(4.0),
    )
    in_step = record(scenario=scenario, instants=instants, updates=updates)
    assert in_step.timeline.staleness == {0: 3, 2: 1}
    apart = record(scenario=scenario.replace(mode="asp"), instants=instants, updates=updates)
    assert apart.timeline.staleness == {0: 2, 1: 1, 3: 1}


@pytest.mark.parametrize(("by", "on"), [("sleep", "accelerator"), ("burn", "cpu")])
def test_a_record_says_what_computed(by: str, on: str) -> None:
    """Also one from when scenarios did not; and a run is known by the same key."""
    old = record(scenario=SCENARIO.replace(compute=0.1), compute_by=by)
    again = Measurement.from_json(old.to_json())
    assert again.scenario == old.scenario.replace(compute_on=on)
    assert again.key == old.key
    assert compute_by(again.scenario) == by


def test_a_record_survives_json() -> None:
    repetitions = record("a", suspect=("one", "two"))
    again = Measurement.from_json(json.loads(json.dumps(repetitions.to_json(), allow_nan=False)))
    assert again.to_json() == repetitions.to_json()
    assert again.key == repetitions.key
    for name, array in repetitions.arrays().items():
        assert again.arrays()[name].dtype == array.dtype


@pytest.mark.parametrize("missing", ["load", "samples", "run_id", "scenario"])
def test_an_incomplete_record_is_refused(missing: str) -> None:
    values = record().to_json()
    del values[missing]
    with pytest.raises(BadInput):
        Measurement.from_json(values)


def test_a_key_is_of_what_is_asked_not_of_its_name() -> None:
    def of(scenario: Scenario = SCENARIO, **changes) -> str:
        return key(scenario, **({"testbed": "local", "suite": "s@1", "repetition": 0} | changes))

    assert of() == of(SCENARIO.replace(name="another", description="words"))
    different = [
        of(),
        of(SCENARIO.replace(shards=1)),
        of(testbed="netns"),
        of(suite="s@2"),
        of(suite=None),
        of(repetition=1),
        of(compute_by="burn"),
    ]
    assert len(set(different)) == len(different)
    assert record().key == of(suite="made@1")


def test_spans_are_the_phases_and_the_updates() -> None:
    result = spans(record())
    rows = {span.row for span in result}
    assert rows == {"worker-0", "worker-1", "shard-0", "shard-1"}
    workers = [span for span in result if span.row.startswith("worker")]
    assert len(workers) == 2 * 3 * 4
    assert all(span.end_s - span.start_s == pytest.approx(0.1) for span in workers)
    assert len(result) - len(workers) == 2 * 3 * 2


def test_unfinished_bytes_rise_and_fall() -> None:
    times, unfinished = unfinished_bytes(record())
    assert (np.diff(times) >= 0).all()
    assert unfinished.max() == pytest.approx(2 * SCENARIO.total_bytes)  # both workers' pushes at once
    assert unfinished[-1] == 0
    assert unfinished.min() >= 0


QUIET = {"available": 10.0, "busy": 5.0, "stolen": 0.0, "foreign": 0.0}


@pytest.mark.parametrize(
    ("changes", "networked", "word"),
    [
        ({}, True, None),
        ({"stolen": 0.5}, False, "hypervisor kept 5 %"),
        ({"foreign": 1.0}, False, "other processes used 10 %"),
        ({"busy": 9.5}, True, "95 % busy"),
        ({"busy": 9.5}, False, None),  # memory is the limit there, and its copies are work of the CPU
        ({"available": 0.4, "busy": 0.3, "foreign": 0.08}, False, None),  # within what /proc resolves
    ],
)
def test_load_makes_suspect(changes: dict[str, float], networked: bool, word: str | None) -> None:
    reasons = Load(**(QUIET | changes)).suspicions(networked=networked)
    assert len(reasons) == (word is not None)
    assert word is None or word in reasons[0]


BUSY = "import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass\nprint(flush=True); input()"


def test_the_watch_tells_our_work_from_others() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as worker:
        ours, others = Watch(lambda: [worker.pid]), Watch(lambda: [os.getpid()])
        assert worker.stdout is not None
        worker.stdout.readline()
        own, foreign = ours.load(), others.load()
        worker.communicate(b"\n")
    assert own.busy >= 0.3
    # Whatever else the machine did, the process is foreign to the one watch only.
    assert foreign.foreign - own.foreign > 0.2


def test_the_fingerprint_is_of_the_machine() -> None:
    here = this_machine()
    assert here.fingerprint == type(here)(**(here.to_json() | {"ray": "9", "git_commit": None})).fingerprint
    assert here.fingerprint != type(here)(**(here.to_json() | {"cores": here.cores + 1})).fingerprint


def test_one_clock_has_no_offset() -> None:
    assert clocks.offset(clocks.read) == clocks.Offset(ns=0, uncertainty_ns=0)


@pytest.mark.parametrize("ahead_ns", [0, 5_000_000_000, -3_000_000_000])
def test_another_hosts_clock_is_found_within_its_uncertainty(ahead_ns: int) -> None:
    def ask() -> clocks.ClockReading:
        time.sleep(0.001)  # the way there, and none back: the least even of round trips
        return clocks.ClockReading(clock="another boot", ns=time.monotonic_ns() + ahead_ns)

    result = clocks.offset(ask)
    assert abs(result.ns - ahead_ns) <= result.uncertainty_ns
    assert result.uncertainty_ns >= 500_000
