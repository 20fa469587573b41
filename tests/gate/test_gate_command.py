"""`psmodel validate gate` on a real Ray: a baseline, a gate that passes, one that fails, and hosts in namespaces."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import xmlschema
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from validate.testbeds import sandbox

pytestmark = [pytest.mark.ray, pytest.mark.long]
SCHEMA = Path(__file__).parents[1] / "validate" / "data" / "junit-10.xsd"
SUITE = """
schema_version = 1
name = "tiny"
version = 1
testbed = "local"
repetitions = 2

[base]
placement = "single-host"
iterations = 8
warmup = 2
workers = 1

[[calibration]]
shards = 1
model_size = "8MB"

[[held_out]]
shards = 2
model_size = "4MB"
"""
LINKS = """
schema_version = 1
name = "links"
version = 1
testbed = "netns"
repetitions = 1

[base]
workers = 2
shards = 1
mtu = 1500
frame_overhead = 14
iterations = 2
warmup = 1
pull = "none"

[[calibration]]
model_size = "1MB"
bandwidth = "100Mbps"

[[held_out]]
model_size = "2MB"
bandwidth = "100Mbps"
"""
# Runs in the sandbox: a testbed of which one host has lost a third of its way out, surveyed as a gate does it.
SLOW_HOST = """
import json, sys
from psmodel.scenario import load
from validate.gate.hosts import estimate
from validate.runs.gating import alike
from validate.runs.surveying import Surveying
from validate.suites import suite
from validate.testbeds.netns import NetnsTestbed

shaped = alike(suite.load("links.toml").scenarios, "netns")
bed = NetnsTestbed.for_scenarios([shaped])
bed.rate_factors = {"worker-1": (0.67, 1.0)}
with bed, Surveying() as surveying:
    bed.prepare(shaped)
    survey = surveying.survey(seed=0).followed_by(surveying.survey(seed=1))
with open("slow.json", "w") as file:
    json.dump([[e.host, e.aspect, e.relative] for e in estimate(survey, alpha=0.01).slow], file)
"""


def psmodel(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    process = subprocess.run(
        [sys.executable, "-m", "psmodel", "validate", *arguments], cwd=cwd, capture_output=True, text=True
    )
    assert "Traceback" not in process.stderr
    return process


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gate")
    (folder / "tiny.toml").write_text(SUITE)
    (folder / "links.toml").write_text(LINKS)
    assert psmodel("suite", "tiny.toml", cwd=folder).returncode == 0
    assert psmodel("baseline", "save", "good", cwd=folder).returncode == 0
    return folder


def test_a_gate_passes_by_its_baseline_and_fails_by_one_half_as_slow(place: Path) -> None:
    # A margin that no noise of this machine reaches: the verdict must not depend on what else it does.
    gate = ("gate", "tiny.toml", "--baseline", "good", "--margin", "95%", "--json", "--duration", "1ms")
    process = psmodel(*gate, "--junit", "gate.xml", "--openmetrics", "gate.prom", cwd=place)
    assert process.returncode == 0, process.stdout + process.stderr
    document = json.loads(process.stdout)
    assert document["passed"]
    assert {c["metric"] for c in document["checks"]} == {"pull_time_s", "push_time_s"}
    assert document["hosts"] is None
    assert document["soak"]["cycles"] == 1
    counted = {(p["scenario"], p["metric"]): p["runs"] for p in document["soak"]["percentiles"]}
    # Checks leave suspect runs out, if there are others.
    assert all(counted[c["scenario"], c["metric"]] >= c["runs"] for c in document["checks"])
    xmlschema.XMLSchema(str(SCHEMA)).validate(str(place / "gate.xml"))
    metrics = {f.name: f for f in text_string_to_metric_families((place / "gate.prom").read_text())}
    assert metrics["psmodel_gate_passed"].samples[0].value == 1

    path = place / ".psmodel" / "baselines" / "good.json"
    baseline = json.loads(path.read_text())
    for entry in baseline["entries"].values():
        entry["mean"] = {metric: mean - 3 for metric, mean in entry["mean"].items()}
    path.with_name("fast.json").write_text(json.dumps(baseline | {"name": "fast"}))
    process = psmodel(
        "gate", "tiny.toml", "--baseline", "fast", "--margin", "95%", "--select", "all", cwd=place
    )
    assert process.returncode == 1
    assert "FAIL  push of N1 K1" in process.stdout
    assert "expected" in process.stdout


def test_another_machine_s_baseline_is_refused(place: Path) -> None:
    path = place / ".psmodel" / "baselines" / "good.json"
    other = json.loads(path.read_text()) | {"name": "other", "machines": ["0123456789ab"]}
    path.with_name("other.json").write_text(json.dumps(other))
    process = psmodel("gate", "tiny.toml", "--baseline", "other", cwd=place)
    assert process.returncode == 2
    assert "of another machine (0123456789ab)" in process.stderr


def test_nothing_to_judge_is_exit_3(place: Path) -> None:
    process = psmodel("gate", "tiny.toml", cwd=place)
    assert process.returncode == 3
    assert "gives nothing to judge" in process.stderr


@pytest.mark.netns
def test_hosts_of_a_cluster_are_surveyed_and_a_slow_one_is_named(place: Path) -> None:
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no network namespaces here: {reason}")
    # A busy machine may disturb the verdict on sound hosts, so that only its form is looked at.
    process = psmodel("gate", "links.toml", "--json", cwd=place)
    assert process.returncode in (0, 1), process.stderr
    hosts = json.loads(process.stdout)["hosts"]
    assert {e["host"] for e in hosts["estimates"]} == {"shard-0", "worker-0", "worker-1"}
    assert hosts["link_rate_bytes_per_s"] == pytest.approx(100e6 / 8 * 0.95, rel=0.1)
    (place / "slow_host.py").write_text(SLOW_HOST)
    command = sandbox.command([sys.executable, "slow_host.py"])
    process = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr
    slow = {
        (host, aspect): relative for host, aspect, relative in json.loads((place / "slow.json").read_text())
    }
    assert slow["worker-1", "up"] == pytest.approx(0.67, abs=0.1)
