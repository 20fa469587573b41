"""The testbed of network namespaces: its links, a real run on it, and what is left when it is killed."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.faults import victims
from benchmarks.faults.traces import Traces
from validate.measurements.store import Store
from validate.testbeds import sandbox
from validate.testbeds.process_states import process_state

pytestmark = [pytest.mark.netns, pytest.mark.ray]

SUITE = """
schema_version = 1
name = "links"
version = 1
testbed = "netns"
repetitions = 2

[base]
workers = 1
mtu = 1500
frame_overhead = 14
iterations = 2
warmup = 1

[[calibration]]
shards = 1
model_size = "2MB"
bandwidth = "100Mbps"

[[held_out]]
shards = 2
model_size = "3MB"
bandwidth = { worker_up = "100Mbps", worker_down = "100Mbps", shard_up = "60Mbps", shard_down = "40Mbps" }

[[held_out]]
shards = 1
model_size = "2MB"
bandwidth = "100Mbps"
compute = "400 ms"
prefetch = true
iterations = 3
"""
PLANNED = 6


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    reason = sandbox.missing()
    if reason is not None:
        pytest.skip(f"no network namespaces here: {reason}")


def command(folder: Path, traces: Traces) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "psmodel", "validate", "suite", "links.toml", "--json"],
        cwd=folder,
        env=dict(traces.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stored(folder: Path) -> list[str]:
    path = folder / ".psmodel" / "measurements.sqlite"
    if not path.exists():
        return []
    with Store(path) as store:
        return [m.run_id for m in store.measurements()]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A suite whose command was killed (SIGKILL) after its first measurement, and run again."""
    folder = tmp_path_factory.mktemp("netns")
    (folder / "links.toml").write_text(SUITE)
    traces = Traces(folder)
    running = command(folder, traces)
    deadline = time.monotonic() + 240
    while not stored(folder) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    assert running.poll() is None, running.communicate()
    at_work, own = victims.descendants(running.pid), traces.processes()
    overlooked = [title for pid, title in at_work.items() if pid not in own and process_state(pid)]
    running.send_signal(signal.SIGKILL)
    running.communicate()
    rest = stored(folder)
    # The kernel takes the sandbox down within moments, but not within none.
    for _ in range(100):
        if not (left := traces.left()):
            break
        time.sleep(0.1)
    again = command(folder, traces)
    out, err = again.communicate(timeout=400)
    assert again.returncode == 0, err
    with Store(folder / ".psmodel" / "measurements.sqlite") as store:
        measurements = list(store.measurements())
    return {
        "at work": at_work,
        "overlooked": overlooked,
        "left": left,
        "kept": rest,
        "outcome": json.loads(out),
        "measurements": measurements,
    }


def test_nothing_is_left_of_a_killed_testbed(killed) -> None:
    assert any("raylet/raylet" in title for title in killed["at work"].values())
    assert killed["overlooked"] == []  # else nobody would see it if they were left
    assert killed["left"] == []


def test_finished_measurements_survive_and_are_not_repeated(killed) -> None:
    rest, outcome = killed["kept"], killed["outcome"]
    assert 1 <= len(rest) < PLANNED
    assert outcome["found"] == len(rest)
    assert outcome["made"] >= PLANNED - len(rest)  # more if the machine was busy and runs were repeated
    ids = [m.run_id for m in killed["measurements"]]
    assert ids[: len(rest)] == rest
    assert len({m.key for m in killed["measurements"]}) == PLANNED


def test_shards_hold_what_was_pushed(killed) -> None:
    assert all(m.sums_ok for m in killed["measurements"])


def test_plain_tcp_reaches_each_link_s_own_rate(killed) -> None:
    """Rate × (mtu − 52)/(mtu + 14): what IP, TCP and Ethernet headers leave, see Scenario.payload_fraction."""
    for m in killed["measurements"]:
        nominal = dict(m.scenario.bandwidth)
        for role, rate in nominal.items():
            assert m.link_goodput[role] == pytest.approx(rate * m.scenario.payload_fraction, rel=0.05)


def test_links_limit_the_run(killed) -> None:
    """No run is faster than its narrowest link allows, and a narrower link makes a slower run."""
    for m in killed["measurements"]:
        payload = m.scenario.payload_fraction
        narrowest = min(m.scenario.bandwidth.worker_up, m.scenario.bandwidth.shard_down)
        share = (
            max(m.scenario.shard_sizes)
            if narrowest < m.scenario.bandwidth.worker_up
            else m.scenario.total_bytes
        )
        assert m.metrics.push_time_s > 0.95 * share / (narrowest * payload)


def test_prefetched_parameters_come_while_the_worker_computes(killed) -> None:
    """Computing takes longer than the transfer of the parameters, so that hardly any of that is waited for."""
    prefetching = [m for m in killed["measurements"] if m.scenario.prefetch]
    assert prefetching
    for m in prefetching:
        transfer = m.scenario.total_bytes / (m.scenario.bandwidth.shard_up * m.scenario.payload_fraction)
        assert m.metrics.pull_time_s < 0.5 * transfer
