"""What a command and everything below it hold at a time."""

import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.victims import descendants

_PRIVATE = ("run", "dev/shm", "run/psmodel/ray")
"""File systems that a sandbox, or a host in it, may have of its own."""


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What is held while a run is at work.

    Attributes
    ----------
    memory_bytes
        Private memory of all processes, the object store left out (``Pss_Anon`` of proc(5), smaps_rollup).
    file_bytes
        In the sandbox's own file systems: Ray's logs and sockets, temporary files, shared memory.
    descriptors, threads, processes
        Of the command and everything below it.
    namespaces
        Network namespaces of these processes.
    """

    memory_bytes: int
    file_bytes: int
    descriptors: int
    threads: int
    processes: int
    namespaces: int


def holding(root: int) -> Holding:
    """What is held by a process and everything below it."""
    memory = descriptors = threads = processes = 0
    networks: set[str] = set()
    disks: dict[int, int] = {}
    for pid in (root, *descendants(root)):
        folder = Path(f"/proc/{pid}")
        try:
            rollup = (folder / "smaps_rollup").read_text()
            memory += 1024 * int(rollup.partition("\nPss_Anon:")[2].split()[0])
            descriptors += len(list((folder / "fd").iterdir()))
            threads += len(list((folder / "task").iterdir()))
            networks.add(str((folder / "ns/net").readlink()))
        except (OSError, IndexError):
            continue  # it has ended meanwhile
        processes += 1
        disks |= _disks(folder / "root")
    ours = _disks(Path("/"))
    return Holding(
        memory_bytes=memory,
        file_bytes=sum(used for disk, used in disks.items() if disk not in ours),
        descriptors=descriptors,
        threads=threads,
        processes=processes,
        namespaces=len(networks),
    )


def _disks(root: Path) -> dict[int, int]:
    """Number of each file system that may be private below a root, and bytes in use there."""
    disks = {}
    for place in _PRIVATE:
        try:
            disk, about = (root / place).stat().st_dev, os.statvfs(root / place)
        except OSError:
            continue
        disks[disk] = (about.f_blocks - about.f_bfree) * about.f_frsize
    return disks
