"""Every command of the operator's guide is one that psmodel takes, and those for a running cluster are run on one."""

import itertools
import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest

from psmodel.calibration import Calibration
from psmodel.cli import psmodel
from psmodel.simulation import predict
from tests.command_line import run
from tests.real_records import record
from validate.launch import records
from validate.machine.environment import this_machine
from validate.measurements.measurement import Instants
from validate.measurements.store import Store
from validate.measurements.stored import read
from validate.suites import suite as suites
from validate.testbeds import on_this_machine, sandbox

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "operate.md").read_text(encoding="utf-8")
# Runs in the sandbox: a cluster of four hosts with links of 100 Mbit/s, and the commands as its user gives them.
OWNER = """
import json, os, subprocess, sys
from dataclasses import replace
from validate.testbeds import shaped_links
from validate.testbeds.netns import NetnsTestbed

bed = NetnsTestbed(workers=2, shards=1)
bed.nodes = {host: node if host == "head" else replace(node, cpus=1) for host, node in bed.nodes.items()}
done = []
with bed:
    rates = shaped_links.Rates(up=12.5e6, down=12.5e6)
    shaped_links.shape(dict.fromkeys(bed.hosts[1:], rates), bed.shaping)
    for command in json.loads(sys.argv[1]):
        words = [word.replace("HEAD:6379", bed.cluster.address) for word in command]
        ran = subprocess.run(
            [sys.executable, "-m", *words], env=os.environ | bed.cluster.environment(), capture_output=True, text=True
        )
        done.append({"command": command, "code": ran.returncode, "out": ran.stdout, "err": ran.stderr})
with open("done.json", "w") as file:
    json.dump(done, file)
"""
# The packaged suite in small, under its name; a version that the package does not have, whose file would decide.
SUITE = """
schema_version = 1
name = "cluster"
version = 99
testbed = "cluster"
repetitions = 1
[base]
iterations = 3
warmup = 1
workers = 1
[[calibration]]
shards = 1
model_size = ["80 kB", "2MB"]
[[calibration]]
shards = 2
model_size = "3MB"
[[held_out]]
shards = 1
model_size = "4MB"
"""


def section(heading: str) -> list[list[str]]:
    """The commands below a heading, in words."""
    text = re.split(r"^#+ ", GUIDE.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return [shlex.split(line) for line in re.findall(r"^    (psmodel .*)$", text, re.MULTILINE)]


def commands() -> list[str]:
    """Every command of the page, without what it is piped to and its output."""
    return [
        line.partition(" | ")[0] for line in re.findall(r"^    (?:\$ )?(psmodel .*)$", GUIDE, re.MULTILINE)
    ]


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_is_one(line: str) -> None:
    command: click.Command = psmodel
    words = shlex.split(line)[1:]
    context = None
    while isinstance(command, click.Group):
        name, subcommand, words = command.resolve_command(click.Context(command, parent=context), words)
        assert subcommand is not None, name
        context, command = click.Context(command, info_name=name, parent=context), subcommand
    command.make_context(words[0] if words else "", list(words), parent=context)


@pytest.mark.parametrize("way", ["A Ray cluster that runs", "Ray Jobs", "Slurm", "KubeRay", "Spark"])
def test_each_way_has_five_commands(way: str) -> None:
    text = re.split(r"^#+ ", GUIDE.partition(f"# {way}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    assert len(re.findall(r"^    \S", text, re.MULTILINE)) == 5


@pytest.mark.ray
@pytest.mark.netns
@pytest.mark.slow
def test_the_commands_for_a_running_cluster_run_on_one(tmp_path: Path) -> None:
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no network namespaces here: {reason}")
    (tmp_path / "cluster.toml").write_text(SUITE)
    (tmp_path / "owner.py").write_text(OWNER)
    guide_commands = section("A Ray cluster that runs") + section("Hosts that are unlike by design")
    assert len(guide_commands) == 6
    # The packaged suite has a small copy here; --suite takes its name.
    small = [
        [re.sub("^cluster$", "cluster.toml", word) if before in ("suite", "gate") else word
         for before, word in zip(["", *words], words, strict=False)]
        for words in guide_commands
    ]  # fmt: skip
    ran = subprocess.run(
        sandbox.command([sys.executable, "owner.py", json.dumps(small)]),
        cwd=tmp_path, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    doctor, dry, suite, fit, gate, accept = json.loads((tmp_path / "done.json").read_text())
    for one in (doctor, dry, suite, fit, accept):
        assert one["code"] == 0, one
    assert "between hosts" in dry["out"]
    assert (tmp_path / ".psmodel" / "measurements.sqlite.hosts.json").exists()
    # Other work on this machine may make a host look slow; what a gate says is tested where the truth is known.
    assert gate["code"] in (0, 1), gate
    assert re.search(r"^(pass|FAIL)  pu(sh|ll) of ", gate["out"], re.MULTILINE)
    assert "3 hosts, links of" in gate["out"]


@pytest.fixture(scope="module")
def log() -> str:
    """What a job's log holds of the packaged suite, whose times are the model's own with 1 % of noise."""
    rng = np.random.default_rng(5)
    calibration = Calibration(goodput_factor=0.95, call_latency_s=1e-3, object_overhead_s=2e-3)
    suite = suites.load("cluster")
    lines = ["Host h1 sends 25 MB/s."]
    for part, scenarios in (("calibration", suite.calibration), ("held_out", suite.held_out)):
        for number, question in enumerate(scenarios):
            scenario = on_this_machine(question, "cluster").replace(bandwidth="200Mbps")
            metrics = predict(scenario, calibration).prediction.metrics
            for repetition in range(suite.repetitions):
                pull, push = (
                    time * np.exp(0.01 * rng.standard_normal((scenario.workers, 1)))
                    for time in (metrics.pull_time_s, metrics.push_time_s)
                )
                start = np.tile(100.0 * np.arange(scenario.total_iterations), (scenario.workers, 1))
                pulled, pushed = start + pull, start + pull + push
                run_made = record(
                    f"{part}-{number}-{repetition}", scenario=scenario, suite=suite.label, part=part,
                    testbed="cluster", repetition=repetition, links_probed=True,
                    instants=Instants(start=start, pulled=pulled, computed=pulled, submitted=pulled, pushed=pushed,
                                      released=pushed + 1e-6),
                )  # fmt: skip
                lines += records.lines(run_made)
    return "\n".join(lines)


@pytest.mark.parametrize("way", ["Ray Jobs", "Slurm", "KubeRay", "Spark"])
def test_the_commands_around_a_job_run(
    way: str, log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What asks a cluster for something is run by the tests of that way; here its results have come home."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "psmodel-cluster-JOB.log").write_text(log)
    (tmp_path / "cluster.log").write_text(log)
    if way in ("Ray Jobs", "Spark"):
        assert run(capsys, "validate", "import", "cluster.log")[0] == 0
    ran = {}
    for words in section(way):
        command = list(itertools.takewhile(lambda word: word != "|", words))
        if "--yes" in command or ("--testbed" in command and "--dry-run" not in command):
            continue
        code, out, err = run(capsys, *command[1:])
        assert code == 0, (command, out, err)
        ran[" ".join(command[1:3])] = out
    assert {"validate fit", "validate gate"} <= set(ran)
    assert "pass  push of" in ran["validate gate"]
    if way == "Slurm":
        assert "#SBATCH" in (tmp_path / "cluster.sbatch").read_text()
    if way == "KubeRay":
        assert "kind: RayJob" in ran["validate manifest"]
    if way in ("Ray Jobs", "Spark"):
        assert "between hosts" in ran["validate suite"]


def test_the_commands_over_months_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    history = read(ROOT / "figures" / "measured" / "ingress.json").runs
    runs = [
        replace(one, run_id=f"{ray}-{one.run_id}", suite="gate:ingress@3",
                environment=replace(this_machine(), ray=ray))
        for ray in ("2.60.0", "2.61.0") for one in history
    ]  # fmt: skip
    (tmp_path / ".psmodel").mkdir()
    with Store(tmp_path / ".psmodel" / "measurements.sqlite") as store:
        store.import_runs(runs)
    ran = {}
    for words in section("Over months") + section("What to send to whoever owns the slow host"):
        # The gate would make its runs now; those are made by the gate's own tests.
        makes_runs = words[2] == "gate"
        code, out, err = run(capsys, *words[1:], *(["--dry-run"] if makes_runs else []))
        assert code == 0, (words, out, err)
        ran[words[2]] = out
    assert list(ran) == ["baseline", "gate", "compare", "drift", "export"]
    assert len(read(tmp_path / "runs.json").runs) == len(runs)
