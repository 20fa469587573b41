"""Stop the processes of a local testbed when its owner dies without stopping them, for example by SIGKILL.

A process of its own, in a session of its own: it waits for the lock that the owner of a testbed's directory holds
as long as it lives (flock(2)), then ends every process that was started with the directory's token and removes
the directory. Run by its file's path, since it must start fast and import nothing of ours.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_CLEAR_S = 5.0


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


def processes_with(variable: str, value: str) -> list[int]:
    """Processes of this user that were started with an environment variable set so."""
    entry_of_ours = f"{variable}={value}".encode()
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if entry_of_ours in (entry / "environ").read_bytes().split(b"\0"):
                    pids.append(int(entry.name))
            except OSError:
                continue  # it has ended, or is another user's
    return pids


def clear(directory: Path) -> list[int]:
    """End every process that was started with this directory's token, then remove it; the processes."""
    end = time.monotonic() + _CLEAR_S
    ended: set[int] = set()
    while time.monotonic() < end:
        pids = [
            p for p in processes_with("RAY_AUTH_TOKEN_PATH", str(directory / "token")) if p != os.getpid()
        ]
        if not pids:
            break
        for pid in pids:
            ended.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    shutil.rmtree(directory, ignore_errors=True)
    return sorted(ended)


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
