"""Sweeps and replications on a real Ray cluster: the same table as here, whoever dies meanwhile."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from validate.testbeds import sandbox

pytestmark = [pytest.mark.netns, pytest.mark.ray, pytest.mark.slow]

# Runs in the sandbox: a head without CPUs and two hosts of one, all on loopback. One host's raylet dies in the middle
# of the first sweep, the head in the middle of the last one.
LAB = """
import json, os, signal, subprocess, sys, time
from pathlib import Path
from validate.testbeds.ray_node import Cluster, Node

head = Node(name="head", address="127.0.0.1", object_store=100_000_000)
hosts = [Node(name=f"h{i}", address=f"127.0.0.{i + 1}", cpus=1, object_store=100_000_000) for i in (1, 2)]
cluster = Cluster(directory=Path("/run/lab"), head=head)
cluster.create()
for node in (head, *hosts):
    cluster.start(node).wait()
Path("/run/psmodel-sandbox").unlink()  # so that commands are run as outside of one
environment = os.environ | cluster.environment()
ray = ["--engine", "ray", "--address", cluster.address]
times = '--set=compute={ kind = "exponential", mean = "10 ms" }'
points = ["sweep", "ingress-sharded", "--shards", "5", times, "--method", "simulate", "--set"]
short = [*points, "workers=8:63:1", "--iterations", "12", "--out"]
# Nobody notices within some seconds that the head is gone, and the hosts go on meanwhile.
lengthy = [*points, "workers=8:31:1", "--iterations", "2000", "--out"]
repeated = ["simulate", "ingress-sharded", "--workers", "8", "--shards", "5", "--iterations", "12", times, "--json",
    "--replications", "6"]
done = {}
def started(*words):
    return subprocess.Popen([sys.executable, "-m", "psmodel", *words], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
def ended(name, process):
    out, err = process.communicate(timeout=240)
    done[name] = {"code": process.returncode, "out": out, "err": err}
def rows(table):
    journal = Path(table + ".journal")
    return journal.read_bytes().count(b"\\n") - 1 if journal.exists() else 0
def killed_after(count, table, process, program, host):
    while rows(table) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    for pid in cluster.host_processes()[host]:
        if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\\0")[0].endswith(program):
            os.kill(pid, signal.SIGKILL)
            done[program.decode()] = rows(table)
first = started(*short, "ray.csv", *ray)
killed_after(5, "ray.csv", first, b"raylet", "h1")
ended("sweep", first)
ended("replications", started(*repeated, *ray))
last = started(*lengthy, "lost.csv", *ray)
killed_after(2, "lost.csv", last, b"gcs_server", "head")
ended("lost", last)
done["left"] = rows("lost.csv")
cluster.stop()
ended("here", started(*short, "here.csv"))
ended("replications here", started(*repeated))
Path("done.json").write_text(json.dumps(done))
"""
POINTS = 56


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no network namespaces here: {reason}")
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "lab.py").write_text(LAB)
    process = subprocess.run(
        sandbox.command([sys.executable, "lab.py"]), cwd=folder, capture_output=True, text=True, timeout=500
    )
    assert process.returncode == 0, process.stderr
    return folder


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict:
    return json.loads((folder / "done.json").read_text())


def test_a_raylet_that_dies_midway_leaves_the_same_table(folder: Path, outcomes: dict) -> None:
    assert outcomes["sweep"]["code"] == 0, outcomes["sweep"]["err"]
    assert 5 <= outcomes["raylet"] < POINTS
    table = (folder / "ray.csv").read_bytes()
    assert table.count(b"\n") == POINTS + 1
    assert table == (folder / "here.csv").read_bytes()


def test_replications_have_the_same_mean_there(outcomes: dict) -> None:
    assert outcomes["replications"]["code"] == 0, outcomes["replications"]["err"]
    there, here = (json.loads(outcomes[name]["out"]) for name in ("replications", "replications here"))
    assert there == here
    assert there["half_widths"]["iteration_time_s"] > 0


def test_a_head_that_dies_is_said_and_what_was_done_is_kept(folder: Path, outcomes: dict) -> None:
    assert outcomes["lost"]["code"] == 3, outcomes["lost"]
    (sentence,) = outcomes["lost"]["err"].strip().splitlines()
    assert "the same sweep goes on from there" in sentence
    assert 2 <= outcomes["gcs_server"] <= outcomes["left"] < 24
    assert not (folder / "lost.csv").exists()
