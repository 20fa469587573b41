"""The testbed for an existing Ray cluster, on one of unlike hosts that this test starts in network namespaces."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.validate.bare_environment import bare_python
from validate.testbeds import sandbox

pytestmark = [pytest.mark.netns, pytest.mark.ray, pytest.mark.slow]

# Runs in the sandbox: starts four hosts (the head among them), shapes their links, then runs the commands as a
# user of that cluster would, who has its address and its token. The hosts' Python has Ray and none of this project, and
# the clock of one of them is another one's.
OWNER = """
import json, os, subprocess, sys, time
from dataclasses import replace
from validate.testbeds import shaped_links
from validate.testbeds.netns import NetnsTestbed

bed = NetnsTestbed(workers=2, shards=1)
# Hosts of someone else's cluster have CPUs to give; the testbed's own give none, so that nothing strays there.
bed.nodes = {host: node if host == "head" else replace(node, cpus=1) for host, node in bed.nodes.items()}
private = bed._private
def foreign(host):
    clock = ["unshare", "--time", "--monotonic", "5000", "--fork"] if host == "worker-1" else []
    return [*private(host), *clock, "sh", "-c", 'shift; exec bare/bin/python "$@"', "sh"]
bed._private = foreign
done = []
def started(command):
    command = command.replace("ADDRESS", bed.cluster.address)
    return subprocess.Popen(
        [sys.executable, "-m", "psmodel", "validate", *command.split()], env=os.environ | bed.cluster.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
def ended(process):
    out, err = process.communicate(timeout=300)
    done.append({"code": process.returncode, "out": out, "err": err})
with bed:
    shaped_links.shape({
        host: shaped_links.Rates(up=rate * 1e6 / 8, down=rate * 1e6 / 8)
        for host, rate in (("shard-0", 200), ("worker-0", 120), ("worker-1", 200))
    }, bed.shaping)
    to = "--testbed cluster --address ADDRESS --model-size 1MB --iterations 3 --repetitions 1 --store c.sqlite"
    ended(started(f"suite unlike.toml --address ADDRESS --store c.sqlite --json"))
    ended(started(f"suite unlike.toml --address ADDRESS --store c.sqlite --json"))
    ended(started(f"run {to} --workers 1 --shards 1 --bandwidth 10Gbps"))
    ended(started(f"run {to} --workers 9 --shards 1"))
    long = started(f"run {to} --workers 1 --shards 2 --watch --iterations 500".replace("--iterations 3 ", ""))
    while "iterations" not in long.stderr.readline():
        pass
    (doomed,) = [host for host in bed.hosts if host == "worker-1"]
    for pid in bed.cluster.host_processes()[doomed]:
        os.kill(pid, 9)
    ended(long)
    while sum(node["Alive"] for node in __import__("ray").nodes()) > 3:
        time.sleep(0.2)
    ended(started(f"run {to} --workers 1 --shards 1 --json"))
with open("done.json", "w") as file:
    json.dump(done, file)
"""
SUITE = """
name = "unlike"
version = 1
testbed = "cluster"
repetitions = 1
seed = 3
[base]
iterations = 3
warmup = 1
[[calibration]]
workers = 1
shards = 1
model_size = ["80 kB", "2MB"]
[[calibration]]
workers = 2
shards = 1
model_size = "2MB"
[[calibration]]
workers = 1
shards = 2
model_size = "3MB"
[[held_out]]
workers = 2
shards = 1
model_size = "6MB"
[[held_out]]
workers = 1
shards = 2
model_size = "6MB"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reason = sandbox.missing()
    if reason is not None:
        pytest.skip(f"no network namespaces here: {reason}")
    folder = tmp_path_factory.mktemp("cluster")
    bare_python(folder / "bare")
    (folder / "owner.py").write_text(OWNER)
    (folder / "unlike.toml").write_text(SUITE)
    process = subprocess.run(
        sandbox.command([sys.executable, "owner.py"]), cwd=folder, capture_output=True, text=True, timeout=500
    )
    assert process.returncode == 0, process.stderr
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> list[dict]:
    return json.loads((folder / "done.json").read_text())


def test_unlike_hosts_are_described_as_they_are(folder: Path, runs) -> None:
    survey = json.loads((folder / "c.sqlite.links.json").read_text())
    nominal = {"shard-0": 200e6 / 8, "worker-0": 120e6 / 8, "worker-1": 200e6 / 8}
    assert [host["host"] for host in survey["hosts"]] == list(nominal)
    for host in survey["hosts"]:
        for way in ("up", "down"):
            # Headers take (1500 + 14) / (1500 − 52), 4.6 %, of what the kernel counts.
            assert 0.93 < host[way] / nominal[host["host"]] < 0.97, (host, way)
            assert not host[f"{way}_at_least"]
    assert "worker-0 is unlike the others" in runs[0]["err"]


def test_code_travels_links_are_probed_and_the_same_command_resumes(runs) -> None:
    first, second = (json.loads(run["out"]) for run in runs[:2])
    # Runs that were disturbed are made once more.
    assert 6 <= first["made"] <= 12
    assert (first["found"], first["failed"]) == (0, [])
    assert (second["made"], second["found"], second["failed"]) == (0, 6, [])


def test_the_fitted_model_predicts_the_cluster(folder: Path) -> None:
    from validate.comparison.comparisons import compare
    from validate.fitting.estimate import fit
    from validate.measurements.selection import by_scenario
    from validate.measurements.store import Store
    from validate.suites.parts import split

    with Store(folder / "c.sqlite") as store:
        result = [run for run in store.measurements() if run.suite is not None]
    assert all(run.links_probed and run.sums_ok for run in result)
    assert sum(run.duration_s for run in result if run.part == "calibration") < 60
    parts = split(result, str(folder / "unlike.toml"))
    compared = compare(fit(parts.calibration), parts.held_out, calibration_runs=parts.calibration)
    assert compared.scenarios == 2
    errors = {(row.scenario, row.metric): row.error for row in compared.rows}
    worst = max(map(abs, errors.values()))
    print(f"largest error of {len(errors)} predictions: {100 * worst:.1f} %")  # shown by -rP
    assert all(row.low <= row.measured <= row.high for row in compared.rows), errors
    # A scenario whose runs others disturbed, both times, says how busy they were; its interval is as wide.
    if any(all(run.suspect for run in group) for group in by_scenario(result)):
        foreign = max(run.load.foreign / run.load.available for run in result)
        pytest.skip(
            f"other work took {foreign:.0%} of this machine meanwhile; the largest error was {worst:.1%}"
        )
    assert worst < 0.06, errors


def test_clocks_of_hosts_are_put_side_by_side(folder: Path) -> None:
    from validate.measurements.store import Store

    with Store(folder / "c.sqlite") as store:
        result = list(store.measurements())
    # worker-1 (whose clock is 5000 s ahead) is a shard of N1 K2, and the shard of N2 K1.
    apart = [run for run in result if run.scenario.workers + run.scenario.shards == 3]
    assert apart
    for run in apart:
        assert 0 < run.clock_uncertainty_s < 0.05
        assert 0 < run.metrics.ingress_time_s < run.metrics.iteration_time_s
        assert not any("clock" in sentence for sentence in run.suspect)


def test_a_scenario_about_other_links_is_refused_in_a_sentence(runs) -> None:
    ran = runs[2]
    assert ran["code"] == 3
    assert "10 Gbit/s" in ran["err"]
    assert "--probe-links" in ran["err"]
    assert ran["out"] == ""


def test_a_cluster_too_small_is_refused_in_a_sentence(runs) -> None:
    ran = runs[3]
    assert ran["code"] == 3
    assert "needs 10 machines" in ran["err"].strip().splitlines()[-1]
    assert ran["out"] == ""


def test_a_lost_node_is_named_and_the_others_serve_on(runs) -> None:
    loss, after = runs[4:]
    assert loss["code"] == 1
    assert "worker-1" in loss["err"].strip().splitlines()[-1], loss["err"]
    assert after["code"] == 0, after["err"]
    (measurement,) = json.loads(after["out"])["measurements"]
    assert measurement["links_probed"]
    assert measurement["sums_ok"]
