"""Who has died, stopped or fallen silent is named; real processes and sockets, but a clock of the test's own."""

import io
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from psmodel.scenario import Scenario
from validate.actors.presence import ProcessReport, read
from validate.runs.disturbance import retransmissions, silence
from validate.testbeds import vigil as vigils
from validate.testbeds.patience import bounded, guarded
from validate.testbeds.vigil import RunFailed, Signs, TestbedLost, Vigil, Vital, upper_limit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def looks(vigil: Vigil, clock: Clock, seconds: float) -> None:
    """Look on for that long, by the clock of the test."""
    for _ in range(round(seconds / 0.5)):
        clock.now += 0.5
        vigil.look()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def state_becomes(pid: int, state: str) -> None:
    end = time.monotonic() + 30
    while vigils.process_state(pid) != state and time.monotonic() < end:
        time.sleep(0.01)
    assert vigils.process_state(pid) == state


def test_a_dead_process_is_named_at_once_and_its_logs_are_known(sleeper: subprocess.Popen[bytes]) -> None:
    clock = Clock()
    vigil = Vigil(Signs(here=True), "run x", clock=clock)
    vigil.meet({sleeper.pid: "shard 1"})
    looks(vigil, clock, 5)
    sleeper.kill()
    state_becomes(sleeper.pid, "Z")
    with pytest.raises(
        RunFailed, match=rf"run x broke off: shard 1 \(process {sleeper.pid}\) has died"
    ) as failure:
        looks(vigil, clock, 0.5)
    assert not isinstance(failure.value, TestbedLost)
    assert failure.value.blamed == Vital(name="shard 1", logs=f"*[-_]{sleeper.pid}.*")


def test_without_the_testbed_s_own_processes_it_is_lost(sleeper: subprocess.Popen[bytes]) -> None:
    clock = Clock()
    vital = {sleeper.pid: Vital(name="Ray's GCS", logs="gcs_server.*")}
    vigil = Vigil(Signs(here=True, processes=vital), "run x", clock=clock)
    sleeper.kill()
    sleeper.wait()
    with pytest.raises(TestbedLost, match=r"Ray's GCS .* has died"):
        looks(vigil, clock, 0.5)


def test_a_stopped_process_fails_the_run_after_10_s_and_a_shorter_stop_is_told_of(
    sleeper: subprocess.Popen[bytes],
) -> None:
    clock = Clock()
    vigil = Vigil(Signs(here=True), "run x", clock=clock)
    vigil.meet({sleeper.pid: "worker 0"})
    sleeper.send_signal(signal.SIGSTOP)
    state_becomes(sleeper.pid, "T")
    looks(vigil, clock, 5)
    sleeper.send_signal(signal.SIGCONT)
    state_becomes(sleeper.pid, "S")
    looks(vigil, clock, 5)
    (sentence,) = vigil.suspicions()
    assert sentence == "worker 0 was stopped for 5.0 s"
    sleeper.send_signal(signal.SIGSTOP)
    state_becomes(sleeper.pid, "T")
    with pytest.raises(RunFailed, match=r"worker 0 .* has been stopped for 10 s"):
        looks(vigil, clock, 12)


def test_a_process_that_stops_before_it_says_who_it_is_is_seen(sleeper: subprocess.Popen[bytes]) -> None:
    clock = Clock()
    vigil = Vigil(Signs(here=True, scan=lambda: [sleeper.pid]), "run x", clock=clock)
    sleeper.send_signal(signal.SIGSTOP)
    state_becomes(sleeper.pid, "T")
    with pytest.raises(RunFailed, match=r"sleep \(process .* has been stopped"):
        looks(vigil, clock, 15)


def test_processes_of_other_machines_are_not_looked_for_here() -> None:
    clock = Clock()
    vigil = Vigil(Signs(here=False), "run x", clock=clock)
    vigil.meet({2**22 + 1: "worker 0"})
    looks(vigil, clock, 30)


def test_a_host_that_answers_lives_and_one_that_refuses_has_lost_its_ray() -> None:
    clock = Clock()
    with socket.create_server(("127.0.0.1", 0), backlog=256) as door:
        signs = Signs(doors={"shard-1": door.getsockname()})
        vigil = Vigil(signs, "run x", clock=clock)
        looks(vigil, clock, 60)
    with pytest.raises(TestbedLost, match="Ray on host shard-1 has ended"):
        looks(vigil, clock, 8)
    vigil.close()


def test_a_host_that_does_not_answer_is_given_up_after_10_s_and_later_behind_a_slow_link() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as door:
        # A full backlog leaves connection requests without an answer, as a link that is down does.
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(door.getsockname())
        for rate, seconds in ((float("inf"), 10), (1e5, 30)):
            clock = Clock()
            signs = Signs(doors={"shard-1": door.getsockname()}, queue_bytes=2_000_000)
            vigil = Vigil(signs, "run x", slowest_rate=rate, clock=clock)
            looks(vigil, clock, seconds - 1)
            with pytest.raises(TestbedLost, match=f"host shard-1 has stopped answering for {seconds} s"):
                looks(vigil, clock, 3)
            vigil.close()
        for one in crowd:
            one.close()


def test_the_way_to_all_hosts_is_blamed_if_all_fall_silent_together() -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as silent,
        socket.create_server(("127.0.0.1", 0), backlog=256) as door,
    ):
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(silent.getsockname())
        for third, sentence in (
            (silent, "none of the 3 other hosts has answered the head"),
            (door, "host shard-0 has stopped"),
        ):
            clock = Clock()
            places = {
                "shard-0": silent.getsockname(),
                "shard-1": silent.getsockname(),
                "worker-0": third.getsockname(),
            }
            vigil = Vigil(Signs(doors=places), "run x", clock=clock)
            with pytest.raises(TestbedLost, match=sentence):
                looks(vigil, clock, 12)
            vigil.close()
        for one in crowd:
            one.close()


def test_nobody_is_blamed_for_a_time_in_which_we_were_stopped_ourselves(
    sleeper: subprocess.Popen[bytes],
) -> None:
    clock = Clock()
    with socket.create_server(("127.0.0.1", 0), backlog=256) as door:
        vigil = Vigil(Signs(doors={"shard-1": door.getsockname()}), "run x", clock=clock)
        vigil.limit(20.0, "late")
        looks(vigil, clock, 5)
        clock.now += 3600
        looks(vigil, clock, 10)
        with pytest.raises(RunFailed, match="was stopped: late"):
            looks(vigil, clock, 10)
        vigil.close()


def test_who_waits_gets_away_from_a_call_that_never_returns() -> None:
    for_ever = threading.Event()

    def look() -> None:
        raise RunFailed("enough")

    with pytest.raises(RunFailed, match="enough"):
        guarded(for_ever.wait, look, every_s=0.01)
    assert not bounded(for_ever.wait, 0.01)
    for_ever.set()
    assert guarded(lambda: 7, look, every_s=10.0) == 7
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 // 0, look, every_s=10.0)


def test_a_call_that_was_left_logs_nothing_of_what_it_then_misses() -> None:
    """Ray's start, interrupted, wrote that it found no GCS any more before our own sentence."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root, left, ended = logging.getLogger("ray"), threading.Event(), threading.Event()

    def start() -> None:
        left.wait()
        logging.getLogger("ray._private.services").error("'NoneType' object has no attribute")
        ended.set()

    def look() -> None:
        raise KeyboardInterrupt

    root.addHandler(handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            guarded(start, look, every_s=0.01)
        left.set()
        assert ended.wait(10)
        logging.getLogger("ray").error("heard")
    finally:
        root.removeHandler(handler)
    assert log.getvalue() == "heard\n"


def test_the_limit_is_10_times_what_is_predicted_and_a_minute() -> None:
    scenario = Scenario(
        workers=2, shards=1, elements=10, placement="single-host", compute="1 s", iterations=50, warmup=0
    )
    assert 60 + 10 * 50 <= upper_limit(scenario) < 60 + 10 * 50 * 1.1


def columns(gap_s: float) -> dict[str, np.ndarray]:
    starts = np.arange(20) * 0.1
    starts[10:] += gap_s
    starts = starts[None, :]
    return {"start": starts, "pulled": starts + 0.02, "released": starts + 0.1}


def test_silence_in_a_run_is_told_of_unless_it_computes() -> None:
    updates = (columns(5)["pulled"].ravel(), columns(5)["pulled"].ravel() + 0.01)
    (sentence,) = silence(columns(5), updates, longest_step_s=0.05)
    assert sentence == "nothing happened for 5 s, beginning 1 s after the start"
    assert silence(columns(5), updates, longest_step_s=4.0) == ()
    quick = (columns(0)["pulled"].ravel(), columns(0)["pulled"].ravel() + 0.01)
    assert silence(columns(0), quick, longest_step_s=0.05) == ()
    assert silence(columns(0), (np.array([]), np.array([])), longest_step_s=0.05) == ()


def test_a_host_that_sends_much_again_is_told_of_once() -> None:
    def presence(sent: int, resent: int, namespace: str = "net:[1]") -> ProcessReport:
        return ProcessReport(pid=1, namespace=namespace, node="", sent=sent, resent=resent)

    before = {
        "worker 0": presence(100, 3),
        "worker 1": presence(100, 3),
        "shard 0": presence(50, 0, "net:[2]"),
    }
    after = {
        "worker 0": presence(5100, 303),
        "worker 1": presence(5100, 303),
        "shard 0": presence(9000, 9, "net:[2]"),
    }
    assert retransmissions(before, after) == ("TCP on the host of worker 0 sent 300 of 5000 segments again",)


def test_a_process_knows_its_own_presence() -> None:
    before = read()
    import ray  # as late as there

    assert before.pid == os.getpid()
    assert before.node == ""
    assert not ray.is_initialized(), "looking starts no Ray"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        assert read().sent > before.sent
