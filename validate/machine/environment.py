"""The hardware and software that a measurement was taken on, and the machine's load meanwhile."""

import hashlib
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psmodel
from validate.machine.guardian import processes_of as processes_of
from validate.machine.memory_probe import memory_rates

_TICK = os.sysconf("SC_CLK_TCK")
STEAL_LIMIT, FOREIGN_LIMIT, SATURATION_LIMIT = 0.02, 0.05, 0.9
"""Shares of the machine's CPU time above which a run is suspect."""
_RESOLUTION_S = 0.1
"""CPU time that short runs may differ by: /proc counts in ticks of 10 ms, for each process."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The machine and the software; runs with different `fingerprint` come from different machines.

    The two rates are those of `validate.machine.memory_probe`; None in records of earlier versions.
    """

    host: str
    cpu_model: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    ray: str
    numpy: str
    psmodel: str
    git_commit: str | None
    machine_id: str
    memory_alone_bytes_per_s: float | None = None
    memory_together_bytes_per_s: float | None = None

    @property
    def fingerprint(self) -> str:
        """Of the machine, without the software: 12 hexadecimal digits."""
        parts = (self.host, self.machine_id, self.cpu_model, self.cores, round(self.memory_bytes / 2**30))
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Name → value."""
        return asdict(self)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()


def _machine_id() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip()
    except OSError:
        return ""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _git_commit() -> str | None:
    """Commit of the checkout that psmodel is imported from, with ``+`` if it has been changed since."""
    root = Path(psmodel.__file__).parents[1]
    if not (root / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "psmodel", "validate")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


@cache
def this_machine() -> Environment:
    """Of this machine, now."""
    memory = memory_rates()
    return Environment(
        host=platform.node(),
        cpu_model=_cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=platform.release(),
        python=platform.python_version(),
        ray=_version("ray"),
        numpy=_version("numpy"),
        psmodel=_version("psmodel"),
        git_commit=_git_commit(),
        machine_id=_machine_id(),
        memory_alone_bytes_per_s=memory.alone,
        memory_together_bytes_per_s=memory.together,
    )


@dataclass(frozen=True, kw_only=True)
class Load:
    """Use of the machine's CPU during a run, in CPU seconds.

    Attributes
    ----------
    available
        Of all cores together.
    busy
        Used by anyone, the kernel included.
    stolen
        Kept by the hypervisor.
    foreign
        Used by processes that have nothing to do with the run.
    """

    available: float
    busy: float
    stolen: float
    foreign: float

    def suspicions(self, *, networked: bool) -> tuple[str, ...]:
        """Why the run should not be believed, a sentence each; empty if nothing speaks against it.

        Parameters
        ----------
        networked
            Whether links were to be the limit, which they are only if the CPU is not.
        """

        def much(seconds: float, share: float) -> bool:
            return seconds > max(share * self.available, _RESOLUTION_S)

        def percent(seconds: float) -> str:
            return f"{100 * seconds / self.available:.0f} %"

        reasons = []
        if much(self.stolen, STEAL_LIMIT):
            reasons.append(f"the hypervisor kept {percent(self.stolen)} of the CPU time")
        if much(self.foreign, FOREIGN_LIMIT):
            reasons.append(f"other processes used {percent(self.foreign)} of the CPU time")
        if networked and self.busy > SATURATION_LIMIT * self.available:
            reasons.append(f"the CPU was {percent(self.busy)} busy, so links need not have been the limit")
        return tuple(reasons)


class Watch:
    """Measures the load between its making and `load`.

    Parameters
    ----------
    ours
        Gives the ids of the processes that belong to the run.
    """

    def __init__(self, ours: Callable[[], Iterable[int]]) -> None:
        self._ours = ours
        self._cores = os.cpu_count() or 1
        self._used = {pid: _used(pid) for pid in ours()}
        self._machine = _machine_ticks()
        self._since = time.monotonic()

    def load(self) -> Load:
        """The load since this watch was made."""
        duration = time.monotonic() - self._since
        machine = [now - then for now, then in zip(_machine_ticks(), self._machine, strict=True)]
        ticks = sum(_used(pid) - self._used.get(pid, 0) for pid in self._ours())
        user, nice, system, _idle, _wait, irq, softirq, steal = machine
        return Load(
            available=duration * self._cores,
            busy=(user + nice + system + irq + softirq) / _TICK,
            stolen=steal / _TICK,
            # Interrupts are nobody's: a run's own packets cause them.
            foreign=max(0.0, (user + nice + system - ticks) / _TICK),
        )


def _machine_ticks() -> list[int]:
    """User, nice, system, idle, iowait, irq, softirq and steal time of all CPUs (proc(5))."""
    return [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]


def _used(pid: int) -> int:
    """User and system time of a process, and of its children that it waited for, in ticks."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15])
