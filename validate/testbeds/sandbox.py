"""A sandbox of kernel namespaces for a testbed; when its owner dies, the kernel removes everything in it.

Outside, :func:`command` is what starts ``unshare`` (user, network, mount and process namespaces); this same file,
run as the box's first process, mounts private file systems and starts the command. Nothing needs root where
unprivileged user namespaces are allowed. The command's files are on the same file system as the caller's, but for
temporary ones, which go with the box.
"""

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PRIVATE = ("/run", "/dev/shm")
"""Each is a fresh tmpfs inside; ``ip netns`` keeps its names below the first, Ray its files in both."""
MARK = Path("/run/psmodel-sandbox")
TEMPORARY = Path("/run/tmp")
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
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
    trial = subprocess.run(command(["true"]), capture_output=True, text=True, timeout=60)
    if trial.returncode == 0:
        return None
    reason = (trial.stderr.strip().splitlines() or [f"exit code {trial.returncode}"])[-1]
    if Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").exists() and os.getuid() != 0:
        reason += " (kernel.apparmor_restrict_unprivileged_userns may forbid it; root may do it)"
    return f"namespaces cannot be made: {reason}"


def _first_process(argv: Sequence[str]) -> int:
    """The sandbox's process 1: mounts, runs the command, buries orphans; the kernel kills the rest after it."""
    for place in PRIVATE:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "psmodel", place], check=True)
    MARK.touch()
    TEMPORARY.mkdir()
    _raise_loopback()
    signals: list[int] = []
    for number in _FORWARDED:
        signal.signal(number, lambda n, _frame: signals.append(n))
    # Descriptors that the caller passed on are the command's.
    process = subprocess.Popen(argv, close_fds=False, env=os.environ | {"TMPDIR": str(TEMPORARY)})
    for number in _FORWARDED:
        signal.signal(number, lambda n, _frame: process.send_signal(n))
    for early in signals:
        process.send_signal(early)
    while True:
        pid, status = os.wait()
        if pid == process.pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _raise_loopback() -> None:
    """Set lo up, the only interface that a new network namespace has (netdevice(7), SIOCSIFFLAGS)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


if __name__ == "__main__":
    sys.exit(_first_process(sys.argv[1:]))
