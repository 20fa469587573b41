"""Find and remove what earlier runs of psmodel left on this machine.

Nothing should be left (`runs.supervised`, `machine.guardian`); this is for what a power cut, a kill of
everything at once or an earlier version did leave. What is ours is told by marks that nobody else makes:

- a directory ``psm-UID-…`` of this user with our lock file in it, which no living owner holds;
- a process of Ray's that belongs to such a directory (`guardian.directory_of`), if its owner is not alive;
- a sandbox: the process that runs our sandbox file, if the process that holds it is gone.

Shared memory and network namespaces are those processes' and go with them: Ray unlinks its object store once it is
open, and a sandbox's namespaces end with its first process.
"""

import contextlib
import fcntl
import os
import re
import signal
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from validate.machine.guardian import clear, directory_of
from validate.testbeds import sandbox

_CONTENTS = {"lock", "token", "ray", "tmp", "pycache"}
"""Whatever else is in a directory, it is not a testbed's."""
_BEING_MADE_S = 60.0
_PATIENCE_S = 5.0


def prefix() -> str:
    """Of the names of this user's directories."""
    return f"psm-{os.getuid()}-"


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something that an earlier run left.

    Attributes
    ----------
    kind
        ``process`` or ``directory``.
    name
        The process's command line, or the directory's path.
    pid
        Of a process.
    network
        A process's network namespace, if it is not ours: it ends with its processes.
    """

    kind: str
    name: str
    pid: int | None = None
    network: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    def __str__(self) -> str:
        where = "" if self.network is None else f" in network namespace {self.network}"
        return f"{self.kind} {self.name}" if self.pid is None else f"process {self.pid} ({self.name}){where}"


def bases() -> list[Path]:
    """Where directories of testbeds may be."""
    return sorted({Path(tempfile.gettempdir()), Path("/tmp"), Path("/run")})


def find_leftovers(places: Iterable[Path] | None = None) -> list[Leftover]:
    """Everything that is left, processes first."""
    places = bases() if places is None else list(places)
    directories = [d for base in places for d in _abandoned(base)]
    processes = [*_token_processes(places, set(directories)), *_sandboxes()]
    return [
        *(_process(pid) for pid in sorted(set(processes))),
        *(Leftover(kind="directory", name=str(d)) for d in directories),
    ]


def remove(items: Iterable[Leftover]) -> list[Leftover]:
    """End these processes and remove these directories; what could not be."""
    stubborn = []
    items = list(items)
    for item in items:
        if item.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(item.pid, signal.SIGKILL)
    end = time.monotonic() + _PATIENCE_S
    for item in items:
        if item.pid is not None:
            while _alive(item.pid) and time.monotonic() < end:
                time.sleep(0.02)
            if _alive(item.pid):
                stubborn.append(item)
        else:
            clear(Path(item.name))
            if Path(item.name).exists():
                stubborn.append(item)
    return stubborn


def clear_leftovers(base: Path) -> list[Path]:
    """Remove directories of this user's testbeds below `base` whose owner is dead, and the processes that it left."""
    cleared = _abandoned(base)
    for directory in cleared:
        clear(directory)
    return cleared


def _abandoned(base: Path) -> list[Path]:
    """Directories of this user's testbeds whose owner is dead."""
    abandoned = []
    for directory in sorted(base.glob(f"{prefix()}*")):
        try:
            status = directory.lstat()
            if not directory.is_dir() or directory.is_symlink() or status.st_uid != os.getuid():
                continue
            names = {entry.name for entry in directory.iterdir()}
            if not names <= _CONTENTS:
                continue
            # Without a lock: being made now; or what a dying process wrote while the rest was being removed.
            old = time.time() - status.st_mtime > _BEING_MADE_S
            if not _locked(directory / "lock") if "lock" in names else old:
                abandoned.append(directory)
        except OSError:
            continue  # it went meanwhile
    return abandoned


def _locked(lock: Path) -> bool:
    """Whether the owner, who holds the lock as long as it lives, is at work."""
    with lock.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _token_processes(places: Iterable[Path], abandoned: set[Path]) -> list[int]:
    """Processes of a directory of ours that is abandoned, or gone."""
    # The kernel names files without links in their path.
    patterns = [
        re.compile(rf"{re.escape(str(name / prefix()))}[^/]+$")
        for base in places
        for name in (base, base.resolve())
    ]
    abandoned = abandoned | {directory.resolve() for directory in abandoned}
    pids = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        directory = directory_of(int(entry.name))
        if directory is None or _in_sandbox(int(entry.name)):
            continue
        if any(p.match(str(directory)) for p in patterns) and (
            directory in abandoned or not directory.exists()
        ):
            pids.append(int(entry.name))
    return pids


def _in_sandbox(pid: int) -> bool:
    """Whether a process sees other processes than we do; then its token's path is not ours to read."""
    try:
        return Path(f"/proc/{pid}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
    except OSError:
        return True


def _sandboxes() -> list[int]:
    """First processes of sandboxes that nobody holds any more; the kernel ends the rest of the sandbox with them."""
    own = Path(sandbox.__file__).parts[-3:]
    pids = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = _words(int(entry.name))
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            mine = entry.stat().st_uid == os.getuid()
        except (OSError, ValueError, IndexError):
            continue
        # As `sandbox.command` starts it: python -P …/validate/testbeds/sandbox.py …, below `unshare` that holds it.
        is_first = len(words) > 2 and words[1] == "-P" and Path(words[2]).parts[-3:] == own
        if mine and is_first and parent != 0 and _words(parent)[:1] != ["unshare"]:
            pids.append(int(entry.name))
    return pids


def _words(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")


def _process(pid: int) -> Leftover:
    try:
        title = (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
        network = str(Path(f"/proc/{pid}/ns/net").readlink())
        own = str(Path("/proc/self/ns/net").readlink())
    except OSError:
        return Leftover(kind="process", name="gone", pid=pid)
    return Leftover(kind="process", name=title[:120], pid=pid, network=None if network == own else network)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False
