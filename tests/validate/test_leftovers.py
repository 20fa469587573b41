"""What earlier runs left is removed, and nothing else: real processes and directories, ours and others'."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import run
from validate.machine import guardian
from validate.testbeds import leftovers, sandbox


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        monkeypatch.setattr(leftovers, "bases", lambda: [Path(folder)])
        yield Path(folder)


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def directory(place: Path, name: str = "abandoned") -> Path:
    folder = place / f"{leftovers.prefix()}{name}"
    (folder / "ray" / "session").mkdir(parents=True)
    (folder / "token").write_text("secret")
    (folder / "lock").touch()
    return folder


def with_token(path: Path) -> subprocess.Popen[bytes]:
    """A process as Ray's, by its environment."""
    return subprocess.Popen(["sleep", "600"], env=os.environ | {"RAY_AUTH_TOKEN_PATH": str(path)})


def clean(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict]:
    code, out, _ = run(capsys, "validate", "clean", "--json", *arguments)
    return code, json.loads(out)


def test_what_an_owner_left_is_told_of_and_removed(place: Path, processes, capsys) -> None:
    ours = directory(place)
    processes.append(with_token(ours / "token"))
    processes.append(with_token(place / f"{leftovers.prefix()}gone" / "token"))
    code, answer = clean(capsys, "--dry-run")
    assert code == 0
    assert {item["pid"] for item in answer["left"]} == {p.pid for p in processes} | {None}
    assert [item["name"] for item in answer["left"] if item["kind"] == "directory"] == [str(ours)]
    assert ours.exists()
    assert all(p.poll() is None for p in processes)

    code, answer = clean(capsys)
    assert (code, len(answer["left"]), answer["remains"]) == (0, 3, [])
    assert not ours.exists()
    assert [p.wait(30) for p in processes] == [-signal.SIGKILL] * 2
    assert clean(capsys) == (0, {"schema_version": 1, "dry_run": False, "left": [], "remains": []})


def test_the_words_are_for_readers_too(place: Path, capsys) -> None:
    ours = directory(place)
    assert run(capsys, "validate", "clean", "--dry-run")[1] == f"found directory {ours}\n"
    assert run(capsys, "validate", "clean")[1] == f"removed directory {ours}\n"
    assert run(capsys, "validate", "clean")[1] == "Nothing is left of earlier runs\n"


def test_a_run_under_way_and_what_others_own_is_left_alone(place: Path, processes, capsys) -> None:
    at_work = directory(place, "at-work")
    lock = (at_work / "lock").open("r+b")
    fcntl.flock(lock, fcntl.LOCK_EX)
    foreign = place / "ray" / "session_2026"
    foreign.mkdir(parents=True)
    (foreign / "token").touch()
    (place / "psm-notes").mkdir()
    own_files = place / f"{leftovers.prefix()}mine"
    own_files.mkdir()
    (own_files / "thesis.tex").touch()
    (own_files / "lock").touch()
    linked = place / f"{leftovers.prefix()}link"
    linked.symlink_to(foreign)
    being_made = place / f"{leftovers.prefix()}new"
    being_made.mkdir()
    before = sorted(place.rglob("*"))
    processes.append(with_token(at_work / "token"))
    processes.append(with_token(foreign / "token"))
    processes.append(with_token(place / "elsewhere" / "token"))
    processes.append(
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600) # raylet gcs_server"])
    )
    code, answer = clean(capsys)
    assert (code, answer["left"]) == (0, [])
    assert sorted(place.rglob("*")) == before
    assert all(p.poll() is None for p in processes)
    lock.close()


@pytest.mark.netns
def test_a_sandbox_that_somebody_holds_is_left_alone(place: Path, processes, capsys) -> None:
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no namespaces here: {reason}")
    stored = subprocess.Popen(
        sandbox.command(["sh", "-c", "echo up; exec sleep 600"]), stdout=subprocess.PIPE
    )
    processes.append(stored)
    assert stored.stdout is not None
    assert stored.stdout.readline() == b"up\n"
    assert clean(capsys)[1]["left"] == []
    assert stored.poll() is None
    stored.stdout.close()


def test_a_guardian_clears_up_after_an_owner_that_was_killed(place: Path, processes) -> None:
    ours = directory(place)
    orphan = with_token(ours / "token")
    processes.append(orphan)
    script = (
        "import fcntl, sys, time\n"
        "from pathlib import Path\n"
        "from validate.machine.guardian import watch_over\n"
        "lock = open(sys.argv[1] + '/lock', 'r+b')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "watch_over(Path(sys.argv[1]))\n"
        "print('up', flush=True)\n"
        "time.sleep(600)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script, str(ours)], stdout=subprocess.PIPE)
    processes.append(owner)
    assert owner.stdout is not None
    owner.stdout.readline()
    assert orphan.poll() is None
    owner.kill()
    assert orphan.wait(60) == -signal.SIGKILL
    end = time.monotonic() + 60
    while ours.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not ours.exists()
    owner.stdout.close()


def test_processes_are_told_by_the_directory_they_belong_to(place: Path, processes) -> None:
    """Also one whose title has been written over its environment, by the logs that it writes; not who reads them."""
    ours = directory(place)
    logs = ours / "ray" / "session_1" / "logs"
    logs.mkdir(parents=True)
    (logs / "agent.log").write_text("said\n")
    for arguments, mode in (
        (["ray::DashboardAgent", "600"], "w"),
        (["ray::DashboardAgent", "600"], "r"),
        (["sleep", "600"], "w"),
    ):
        with (logs / "agent.log").open(mode) as log:
            processes.append(subprocess.Popen(arguments, executable=shutil.which("sleep"), stdin=log))
    processes.append(with_token(ours / "token"))
    processes.append(with_token(place / "token"))
    agent, _reader, _titleless, worker, _other = processes
    assert set(guardian.processes_of(ours)) == {agent.pid, worker.pid}
    linked = place / "linked"
    linked.symlink_to(place)
    assert set(guardian.processes_of(linked / ours.name)) == {agent.pid, worker.pid}
    assert set(guardian.clear(ours)) == {agent.pid, worker.pid}
    assert not ours.exists()
    assert [p.poll() is None for p in processes] == [False, True, True, False, True]


def test_what_a_process_makes_while_it_is_being_killed_goes_too(place: Path, processes) -> None:
    """Programs that are replaced by others without end, which make the directory anew each time."""
    ours = directory(place)
    body = (
        "import os, sys\n"
        "os.makedirs(sys.argv[1] + '/ray/logs', exist_ok=True)\n"
        "os.execv(sys.executable, [sys.executable, '-S', '-E', '-c', sys.argv[2], *sys.argv[1:]])\n"
    )
    environment = os.environ | {"RAY_AUTH_TOKEN_PATH": str(ours / "token")}
    command = [sys.executable, "-S", "-c", body, str(ours), body]
    processes += [subprocess.Popen(command, env=environment) for _ in range(3)]
    end = time.monotonic() + 60
    while not (ours / "ray" / "logs").exists() and time.monotonic() < end:
        time.sleep(0.02)
    guardian.clear(ours)
    assert [p.wait(30) for p in processes] == [-signal.SIGKILL] * 3
    assert not ours.exists()


def test_a_guardian_that_is_told_late_finds_nothing_to_do(place: Path) -> None:
    orphan = place / f"{leftovers.prefix()}gone"
    assert guardian.watch_over(orphan).wait(60) == 0


@pytest.mark.parametrize("command", [["run", "laptop"], ["suite", "smoke"]])
def test_other_systems_than_linux_are_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys, tmp_path: Path, command: list[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    code, out, err = run(capsys, "validate", *command, "--store", str(tmp_path / "s.sqlite"))
    assert (code, out) == (3, "")
    assert (
        err
        == "Error: Real runs need Linux, and this is darwin; predictions, fits and reports work here too\n"
    )
