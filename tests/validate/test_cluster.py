"""The testbed for an existing Ray cluster, on one that this test starts in network namespaces."""

import json
import subprocess
import sys

import pytest

from validate.testbeds import sandbox

pytestmark = [pytest.mark.netns, pytest.mark.ray]

# Runs in the sandbox: starts four hosts (the head among them), shapes their links, then runs the commands as a
# user of that cluster would, who has its address and its token.
OWNER = """
import json, os, subprocess, sys
from dataclasses import replace
from psmodel.scenario import load
from validate.testbeds.netns import NetnsTestbed

bed = NetnsTestbed(workers=2, shards=1)
# Hosts of someone else's cluster have CPUs to give; the testbed's own give none, so that nothing strays there.
bed.nodes = {host: node if host == "head" else replace(node, cpus=1) for host, node in bed.nodes.items()}
with bed:
    bed.prepare(load("ingress-single", workers=2, shards=1, model_size="4MB", bandwidth="100Mbps"))
    done = []
    for workers in ("2", "9"):
        command = [
            sys.executable, "-m", "psmodel", "validate", "run", "--testbed", "cluster", "--address",
            bed.cluster.address, "--workers", workers, "--shards", "1", "--model-size", "4MB", "--bandwidth",
            "100Mbps", "--iterations", "3", "--set", "warmup=1", "--repetitions", "1", "--store", "c.sqlite", "--json",
        ]
        environment = os.environ | bed.cluster.environment()
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        done.append({"code": ran.returncode, "out": ran.stdout, "err": ran.stderr})
with open("done.json", "w") as file:
    json.dump(done, file)
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    reason = sandbox.missing()
    if reason is not None:
        pytest.skip(f"no network namespaces here: {reason}")
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "owner.py").write_text(OWNER)
    process = subprocess.run(
        sandbox.command([sys.executable, "owner.py"]), cwd=folder, capture_output=True, text=True, timeout=500
    )
    assert process.returncode == 0, process.stderr
    return json.loads((folder / "done.json").read_text())


def test_every_worker_and_shard_has_its_own_machine_and_the_sums_are_right(runs) -> None:
    ran = runs[0]
    assert ran["code"] == 0, ran["err"]
    (measurement,) = json.loads(ran["out"])["measurements"]
    assert measurement["testbed"] == "cluster"
    assert measurement["sums_ok"]
    # 2 · 4 MB enter the shard's one link: shared, it cannot be faster than this.
    assert measurement["metrics"]["ingress_time_s"] > 0.95 * 8e6 * 8 / 100e6


def test_link_rates_are_measured_not_believed(runs) -> None:
    (measurement,) = json.loads(runs[0]["out"])["measurements"]
    goodput = measurement["link_goodput"]
    assert goodput
    for rate in goodput.values():
        assert 0.6 * 100e6 / 8 < rate < 1.0 * 100e6 / 8


def test_a_cluster_too_small_is_refused_in_a_sentence(runs) -> None:
    ran = runs[1]
    assert ran["code"] == 3
    assert len(ran["err"].strip().splitlines()) == 1
    assert "10" in ran["err"]
    assert ran["out"] == ""
