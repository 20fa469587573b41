"""Stop the processes of a local testbed when its owner dies without stopping them, for example by SIGKILL.

A process of its own, in a session of its own: it waits for the lock that the owner of a testbed's directory holds
as long as it lives (flock(2)), then ends every process that belongs to the directory and removes it. Run by its
file's path, since it must start fast and import nothing of ours.
"""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_CLEAR_S = 30.0
_UNDECIDED_S = 1.0
_TOKEN = b"RAY_AUTH_TOKEN_PATH="
_TITLE = b"ray::"
_LOG = re.compile(r"(.+)/ray/session_[^/]+/logs/")
_PAUSE_S = 0.02
_KERNEL_THREAD = 0x00200000
"""Flag of a task (``PF_KTHREAD`` of the kernel's sched.h)."""


def watch_over(directory: Path) -> subprocess.Popen[bytes]:
    """Start a guardian of the directory of a testbed, whose lock is held."""
    # -S -P: nothing but the standard library, and quickly.
    return subprocess.Popen(
        [sys.executable, "-S", "-P", __file__, str(directory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def directory_of(pid: int) -> Path | None:
    """The testbed's directory that a process of Ray's belongs to, if it does to one.

    By its token (``RAY_AUTH_TOKEN_PATH``) as it was started; or, since the title that Ray gives a process
    (``ray::DashboardAgent``) is written over the first variables of that, by the logs that it has open for writing.
    """
    process = Path(f"/proc/{pid}")
    try:
        for variable in (process / "environ").read_bytes().split(b"\0"):
            if variable.startswith(_TOKEN):
                return Path(os.fsdecode(variable.removeprefix(_TOKEN))).parent
        if not (process / "cmdline").read_bytes().startswith(_TITLE):
            return None
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return None  # it has ended, or is another user's
    for descriptor in descriptors:
        try:
            log = _LOG.match(str(descriptor.readlink()))
            flags = (process / "fdinfo" / descriptor.name).read_text().partition("flags:")[2].split()[0]
        except (OSError, IndexError):
            continue
        if log and int(flags, 8) & os.O_ACCMODE != os.O_RDONLY:
            return Path(log[1])
    return None


def processes_of(directory: Path) -> list[int]:
    """Processes of this user that belong to a testbed's directory."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    names = {directory, directory.resolve()}  # the kernel names files without links in their path
    return [pid for pid in pids if directory_of(pid) in names]


def clear(directory: Path) -> list[int]:
    """End every process that belongs to this directory, then remove it; the processes.

    Both again until nothing is left of either: a call into the kernel that a process had begun when it was killed may
    still make a file, and a process has no environment while it changes its program (execve(2)) or dies.
    """
    end = time.monotonic() + _CLEAR_S
    ended: set[int] = set()
    undecided: dict[int, float] = {}
    while True:
        left = [pid for pid in processes_of(directory) if pid != os.getpid()]
        for pid in left:
            ended.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        now = time.monotonic()
        undecided = {pid: undecided.get(pid, now) for pid in _without_environment()}
        waiting = left or any(now - since < _UNDECIDED_S for since in undecided.values())
        if not waiting or now > end:
            existed = os.path.lexists(directory)
            shutil.rmtree(directory, ignore_errors=True)
            if not existed or now > end:
                return sorted(ended)
        time.sleep(_PAUSE_S)


def _without_environment() -> list[int]:
    """Processes of this user that have no memory just now: they become something, or are about to end."""
    user, pids = os.getuid(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid != user or (entry / "cmdline").read_bytes():
                    continue
                # proc(5): after the name in parentheses come state, parent, group, session, terminal, its group, flags.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in "ZX" and not int(fields[6]) & _KERNEL_THREAD:
                pids.append(int(entry.name))
    return pids


def _main(directory: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        with (directory / "lock").open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if directory.exists():
                clear(directory)
    except FileNotFoundError:
        return


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
