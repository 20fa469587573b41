"""Faults in real suites: they are noticed and named, the suite goes on, nothing is lost and nothing is left.

The whole table is ``make faults``; these are some rows of each kind. Times are checked only against limits that a
run without our time-outs would pass by far (it would not end at all).
"""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults import victims
from benchmarks.faults.cases import LOCAL, NETNS
from benchmarks.faults.course import Course, FaultRow
from benchmarks.faults.ends import ENDS, meet
from validate.machine.guardian import directory_of
from validate.testbeds import sandbox
from validate.testbeds.base import RAY_ENVIRONMENT

pytestmark = pytest.mark.ray


def cases(rows, *names: str):
    return [case for name in names for case in rows if case.name == name]


def is_whole(row: FaultRow) -> None:
    assert row.noticed_s is not None, row
    assert row.lost == 0
    assert row.left == 0


@pytest.fixture(scope="module")
def possible() -> None:
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no namespaces here: {reason}")


@pytest.fixture(scope="module")
def local(possible: None) -> Iterator[dict[str, object]]:
    """A suite on one machine: a process dies, one is stopped, the testbed is lost, SIGTERM ends it."""
    course = Course("local", repetitions=10)
    try:
        rows = []
        for case in cases(LOCAL, "a shard's process killed", "a worker's process stopped for 4 s"):
            rows.append(course.meet(case))
        root = course.at_work()
        network = network_of(victims.find(root, "raylet/raylet"))
        rows += [course.meet(case) for case in cases(LOCAL, "the raylet killed")]
        course.at_work()  # the testbed has been started anew
        ended = course.end_by("SIGTERM", [signal.SIGTERM])
        yield {"rows": rows, "ended": ended, "network": network, "left": course.left(), "said": course.said()}
    finally:
        course.close()


def test_who_died_on_one_machine_is_named_and_the_suite_goes_on(local) -> None:
    died, stopped, loss = local["rows"]
    for row in local["rows"]:
        is_whole(row)
    assert "broke off: shard" in died.sentence
    assert "has died; log: .psmodel/logs/" in died.sentence
    assert died.noticed_s < 5
    assert "worker" in stopped.sentence
    assert "was stopped for" in stopped.sentence
    assert "Ray's raylet" in loss.sentence
    assert loss.noticed_s < 10


def test_a_suite_ends_by_sigterm_in_order(local) -> None:
    assert local["ended"].sentence == "exit 143: Error: Interrupted"
    assert local["left"] == []
    assert "Traceback" not in local["said"]
    assert "the testbed is started anew" in local["said"]


def test_nothing_starts_another_ray_after_the_end(local) -> None:
    """A thread that is left to itself may still call Ray, which would start one of its own."""
    assert RAY_ENVIRONMENT["RAY_ENABLE_AUTO_CONNECT"] == "0"
    assert "WARNING" not in local["said"]


def test_a_local_run_has_no_network_but_its_own_loopback(local) -> None:
    name, interfaces, routes, sockets = local["network"]
    assert name != str(Path("/proc/self/ns/net").readlink())
    assert interfaces == {"lo"}
    assert routes == ""
    assert sockets, "ss sees what listens"


@pytest.mark.netns
def test_links_and_hosts_that_fail_are_noticed(possible: None) -> None:
    course = Course("netns", repetitions=10)
    try:
        rows = [course.meet(case) for case in cases(NETNS, "a worker's link down for 5 s")]
        rows += [course.meet(case) for case in cases(NETNS, "a shard's link down for good")]
        stored_keys = course.stored()
        root = course.at_work()
        networks = [network_of(pid) for pid in raylets(root)]
        ended = course.end_by("SIGKILL", [signal.SIGKILL])
        assert course.left() == []
        assert course.stored().keys() >= stored_keys.keys()
    finally:
        course.close()
    disturbed, silent = rows
    for row in (*rows, ended):
        is_whole(row)
    assert "link of host worker-0 was down for a time" in disturbed.sentence
    assert "host shard-0 has stopped answering for 10 s" in silent.sentence
    assert silent.noticed_s < 45
    assert len(networks) == 5  # the head, two shards, two workers
    for name, interfaces, routes, sockets in networks:
        assert name != str(Path("/proc/self/ns/net").readlink())
        assert interfaces == {"lo", "eth0"}
        assert routes == "", "nothing leads out"
        assert sockets, "ss sees what listens"
        assert all(
            s.startswith(("127.", "10.0.0.", "*", "0.0.0.0", "[::]", "[::1]", "[::ffff:")) for s in sockets
        )


def test_an_interrupt_in_the_first_seconds_leaves_nothing(possible: None) -> None:
    course = Course("local", repetitions=1)
    try:
        for end in ENDS:
            if (
                end.after_s is not None and end.after_s > 1
            ):  # before that, Python itself may still be starting
                row = meet(course, end)
                assert row.sentence.lower() == "exit 130: error: interrupted"
                assert row.left == 0
    finally:
        course.close()


def test_without_namespaces_a_guardian_does_the_same(tmp_path: Path) -> None:
    """No sandbox can be made where `unshare` is not installed."""
    course = Course("local", repetitions=3, environment={"PATH": str(tmp_path)})
    try:
        course.start()
        (directory,) = {directory_of(pid) for pid in raylets(course.at_work())}
        assert directory in course.temporary.glob("psm-*")
        strangers = {
            title
            for raylet in raylets(course.process.pid)
            for pid, title in victims.descendants(raylet).items()
            if directory_of(pid) != directory and Path(f"/proc/{pid}").exists()
        }
        killed = course.end_by("SIGKILL", [signal.SIGKILL])
        course.wait_until_clear(60)
        assert course.left() == []
        course.start()
        root = course.at_work()
        inner = victims.find(root, r"^\S*python\S* -m validate\.runs\.supervised")
        modes = {(d / "token").stat().st_mode & 0o777 for d in course.temporary.glob("psm-*")}
        listening = addresses([inner, *victims.descendants(inner)])
        ended = course.end_by("SIGINT", [signal.SIGINT])
    finally:
        course.close()
    assert strangers == set()
    assert killed.sentence == "killed by SIGKILL"
    assert modes == {0o600}
    assert ended.sentence.strip() == "exit 130: Error: Interrupted"
    assert ended.left == 0
    assert listening
    assert all(address.startswith("127.") for address in listening)


def network_of(pid: int) -> tuple[str, set[str], str, set[str]]:
    """A process's network namespace, its interfaces, its default route, and the addresses that `ss` shows to listen."""

    def there(*command: str) -> str:
        inside = ["nsenter", "-t", str(pid), "-U", "-n", "--preserve-credentials", *command]
        return subprocess.run(inside, check=True, capture_output=True, text=True, timeout=30).stdout

    links = {line.split(": ")[1].partition("@")[0] for line in there("ip", "-o", "link").splitlines()}
    listening = {line.split()[3] for line in there("ss", "-Hltn").splitlines()}
    return (
        str(Path(f"/proc/{pid}/ns/net").readlink()),
        links,
        there("ip", "route", "show", "default"),
        listening,
    )


def raylets(root: int) -> list[int]:
    return [pid for pid, title in victims.descendants(root).items() if "raylet/raylet" in title]


def addresses(processes: list[int]) -> set[str]:
    """IPv4 addresses that these processes listen on, also those of IPv6 sockets that stand for them (proc(5))."""
    inodes = set()
    for pid in processes:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(str(descriptor.readlink()))
            except OSError:
                continue
    ends = set()
    for family in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{family}").read_text().splitlines()[1:]:
            words = line.split()
            local, state, inode = words[1].partition(":")[0], words[3], words[9]
            if state == "0A" and f"socket:[{inode}]" in inodes:
                ends.add(".".join(str(int(local[-8:][i : i + 2], 16)) for i in (6, 4, 2, 0)))
    return ends
