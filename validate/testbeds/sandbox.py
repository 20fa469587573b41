"""A box of kernel namespaces that a testbed lives in: when its holder dies, the kernel removes all of it.

Outside, :func:`run` starts ``unshare`` (user, network, mount and process namespaces); this same file, run as
the box's first process, mounts private file systems and starts the command. Nothing needs root where
unprivileged user namespaces are allowed. The command's files are on the same file system as the caller's.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

PRIVATE = ("/run", "/dev/shm")
"""Each is a fresh tmpfs inside; ``ip netns`` keeps its names below the first, Ray its files in both."""
MARK = Path("/run/psmodel-sandbox")
_NAMESPACES = (
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def inside() -> bool:
    """Whether this process runs in a sandbox."""
    return MARK.exists()


def command(argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` in a new sandbox.

    The whole sandbox is killed when the thread that starts this command ends (``prctl(2)``,
    ``PR_SET_PDEATHSIG``), whatever it dies of.
    """
    # -P: the first process runs from this file, whose directory must not come before the standard library.
    first = [sys.executable, "-P", __file__, *argv]
    return ["setpriv", "--pdeathsig", "KILL", "unshare", *_NAMESPACES, *first]


def missing() -> str | None:
    """Why no sandbox can be made on this machine, in words, or None if one can."""
    for tool in ("unshare", "setpriv"):
        if shutil.which(tool) is None:
            return f"the command {tool} (util-linux) is not installed"
    tried = subprocess.run(command(["true"]), capture_output=True, text=True, timeout=60)
    if tried.returncode == 0:
        return None
    reason = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
    if Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").exists() and os.getuid() != 0:
        reason += " (kernel.apparmor_restrict_unprivileged_userns may forbid it; root may do it)"
    return f"namespaces cannot be made: {reason}"


def run(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run `argv` in a new sandbox, its output going where ours goes, and wait for it.

    SIGINT, SIGTERM and SIGHUP are forwarded to it (when called from the main thread, which alone may handle
    signals). When it ends, every process that it left in the sandbox is killed.

    Returns
    -------
    int
        Its exit code; 128 + the signal's number if a signal ended it.
    """
    # A session of its own: Ctrl-C reaches the command once, through us, and Ray's processes not at all.
    holder = subprocess.Popen(command(argv), env=env, start_new_session=True)

    def forward(number: int, _frame: FrameType | None) -> None:
        for first in Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split():
            os.kill(int(first), number)

    try:
        before = {s: signal.signal(s, forward) for s in _FORWARDED}
    except ValueError:  # not the main thread
        before = {}
    try:
        code = holder.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if holder.poll() is None:
            holder.kill()
            holder.wait()
    return code if code >= 0 else 128 - code


def _first_process(argv: Sequence[str]) -> int:
    """The sandbox's process 1: mounts, runs the command, buries orphans; the kernel kills the rest after it."""
    for place in PRIVATE:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "psmodel", place], check=True)
    MARK.touch()
    process = subprocess.Popen(argv)
    for number in _FORWARDED:
        signal.signal(number, lambda n, _frame: process.send_signal(n))
    while True:
        pid, status = os.wait()
        if pid == process.pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(_first_process(sys.argv[1:]))
