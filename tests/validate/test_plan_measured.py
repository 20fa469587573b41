"""`psmodel plan --measure`: real runs decide between the finalists."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import run
from validate.measurements.store import Store

SPACE = [
    "plan", "--workers", "2", "--model-size", "8MB", "--compute", "40ms", "--iterations", "5", "--shards", "1,2",
    "--set", "placement=single-host", "--minimise", "shards", "--measure", "local",
]  # fmt: skip


@pytest.mark.ray
def test_predicted_and_measured_stand_side_by_side(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    process = subprocess.run(
        [sys.executable, "-m", "psmodel", *SPACE, "--target", "iteration_time<=2s", "--json"],
        env=os.environ | {"PSMODEL_STORE": str(store)}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    answer = json.loads(process.stdout)
    assert answer["best"]["shards"] == 1
    measured = answer["measured"]
    assert (measured["testbed"], measured["best"], measured["is_certain"]) == ("local", 0, True)
    one, other = measured["trials"]
    assert one["decision"] == "meets"
    assert 3 <= len(one["runs"]) <= 10
    assert other["runs"] == [], "dearer than one that meets the target"
    assert one["predicted"]["iteration_time_s"] == pytest.approx(0.04, rel=0.01)
    assert one["measured"]["iteration_time_s"]["mean"] > 0.04
    with Store(store, write=False) as opened:
        runs = list(opened.measurements())
    assert len(runs) == len(one["runs"])
    assert sorted(m.repetition for m in runs) == list(range(len(runs)))
    assert {m.scenario.shards for m in runs} == {1}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--measure", "moon"], "there is no such testbed; write local, netns or cluster:ADDRESS"),
        (["--measure", "cluster"], "there is no such testbed"),
        (["--measure", "local:1"], "there is no such testbed"),
        (["--measure", "local", "--set", "placement=dedicated", "--bandwidth", "1Gbps"], 'placement = "dedicated"'),
        (["--measure", "local", "--target", "speedup>=1"], "one worker alone"),
        (["--measure", "local", "--set", 'failures=[{role="shard",at="9 s"}]'], "a real shard goes on from its"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused_at_once(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["plan", "--workers", "2", "--model-size", "8MB", "--iterations", "5", "--shards", "1,2"]
    if "placement=dedicated" not in arguments:
        base += ["--set", "placement=single-host"]
    code, out, err = run(capsys, *base, "--target", "iteration_time<=2s", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err


def test_a_real_run_ends(capsys: pytest.CaptureFixture[str]) -> None:
    steady = [
        "plan",
        "--workers",
        "2",
        "--model-size",
        "8MB",
        "--shards",
        "1,2",
        "--set",
        "placement=single-host",
    ]
    code, _, err = run(capsys, *steady, "--target", "iteration_time<=2s", "--measure", "local")
    assert code == 2
    assert "gives no iterations; a real run ends" in err
