"""Cores and memory that this process may use, as the kernel's control groups limit them (containers, batch jobs).

Sources: cgroups(7); Documentation/admin-guide/cgroup-v2.rst (cpu.max, memory.max, memory.current) and
cgroup-v1/memory.rst, scheduler/sched-bwc.rst (cpu.cfs_quota_us) of the Linux kernel. On other systems than Linux there
are none of them, and what Python says of the machine is all there is.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")


def cores(root: Path = _ROOT) -> int:
    """Cores that this process may use, at least 1: by its affinity, or fewer by a quota of CPU time, rounded up."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        count = os.cpu_count() or 1
    return max(1, math.ceil(min(count, cpu_quota(root))))


def cpu_quota(root: Path = _ROOT) -> float:
    """CPU seconds per second that the control groups grant; infinite without a limit."""
    least = math.inf
    for version, group in _groups(root, "cpu"):
        if version == 2:
            words = _words(group / "cpu.max")
            quota, period = (*words, "max", "100000")[:2] if words else ("max", "100000")
        else:
            quota = next(iter(_words(group / "cpu.cfs_quota_us")), "-1")
            period = next(iter(_words(group / "cpu.cfs_period_us")), "100000")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            least = min(least, int(quota) / int(period))
    return least


def available_memory(root: Path = _ROOT) -> int:
    """Bytes that this process could have without swapping and without being killed.

    MemAvailable of proc(5), or what the control groups leave if that is less (their file pages can be dropped).
    """
    groups = (_left(version, group) for version, group in _groups(root, "memory"))
    return int(min((_machine_memory(root), *groups)))


def _machine_memory(root: Path) -> float:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError, AttributeError):
        return math.inf


def _left(version: int, group: Path) -> float:
    limit, usage, cache = (
        ("memory.max", "memory.current", "inactive_file")
        if version == 2
        else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    )
    most = next(iter(_words(group / limit)), "max")
    if not most.isdigit():
        return math.inf
    occupied_bytes = next(iter(_words(group / usage)), "0")
    statistics = dict(line.split(maxsplit=1) for line in _lines(group / "memory.stat") if " " in line)
    droppable = statistics.get(cache, "0").strip()
    occupied = int(occupied_bytes) - int(droppable) if occupied_bytes.isdigit() and droppable.isdigit() else 0
    return max(0, int(most) - max(0, occupied))


def _groups(root: Path, controller: str) -> Iterator[tuple[int, Path]]:
    """The control groups of this process and those above it: version of the hierarchy, and folder."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            version, mounts = 2, ("sys/fs/cgroup", "sys/fs/cgroup/unified")
        elif controller in controllers.split(","):
            version, mounts = 1, (f"sys/fs/cgroup/{controllers}", f"sys/fs/cgroup/{controller}")
        else:
            continue
        mount = next((root / m for m in mounts if (root / m).is_dir()), None)
        if mount is not None:
            inside = mount / path.strip().lstrip("/")
            yield version, mount
            # In a container the path may be that of the host, of which only the top can be seen.
            while inside != mount and mount in inside.parents:
                yield version, inside
                inside = inside.parent


def _words(file: Path) -> list[str]:
    return [word for line in _lines(file) for word in line.split()]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
