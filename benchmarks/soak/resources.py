"""What a command and everything below it hold at a time."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.victims import descendants

_FILES, _SHARED = ("run", "run/psmodel/ray"), ("dev/shm",)
"""File systems that a sandbox, or a host in it, may have of its own."""


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What is held while a run is at work.

    Attributes
    ----------
    memory_bytes
        Private memory of all processes, the object store left out (``Pss_Anon`` of proc(5), smaps_rollup).
    shared_bytes
        In the sandbox's own shared memory: pages that Ray's object stores have ever used, which they keep.
    file_bytes
        In the sandbox's other file systems, which are in memory too: Ray's logs and sockets, temporary files.
    disk_bytes
        In the folder that the command works in, without what it is there to keep (``.psmodel``: the store, and the
        logs of failed runs).
    descriptors, threads, processes
        Of the command and everything below it.
    namespaces
        Network namespaces of these processes.
    """

    memory_bytes: int
    shared_bytes: int
    file_bytes: int
    disk_bytes: int
    descriptors: int
    threads: int
    processes: int
    namespaces: int


def holding(root: int, directory: Path) -> Holding:
    """What is held by a process that works in a directory, and by everything below it."""
    memory = descriptors = threads = processes = 0
    networks: set[str] = set()
    files: dict[int, int] = {}
    shared: dict[int, int] = {}
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
        files |= _disks(folder / "root", _FILES)
        shared |= _disks(folder / "root", _SHARED)
    ours = _disks(Path("/"), _FILES + _SHARED)
    return Holding(
        memory_bytes=memory,
        shared_bytes=sum(used for disk, used in shared.items() if disk not in ours),
        file_bytes=sum(used for disk, used in files.items() if disk not in ours),
        disk_bytes=_on_disk(directory),
        descriptors=descriptors,
        threads=threads,
        processes=processes,
        namespaces=len(networks),
    )


def _on_disk(directory: Path) -> int:
    used = 0
    for folder, below, names in os.walk(directory):
        if Path(folder) == directory and ".psmodel" in below:
            below.remove(".psmodel")
        for name in names:
            with contextlib.suppress(OSError):
                used += 512 * os.lstat(Path(folder, name)).st_blocks
    return used


def _disks(root: Path, places: tuple[str, ...]) -> dict[int, int]:
    """Number of each file system that may be private below a root, and bytes in use there."""
    disks = {}
    for place in places:
        try:
            disk, about = (root / place).stat().st_dev, os.statvfs(root / place)
        except OSError:
            continue
        disks[disk] = (about.f_blocks - about.f_bfree) * about.f_frsize
    return disks
