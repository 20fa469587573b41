"""Every command of the operator's guide is one that psmodel takes, and those for a running cluster are run on one."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from psmodel.cli import psmodel
from validate.testbeds import sandbox

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
