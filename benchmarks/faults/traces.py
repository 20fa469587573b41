"""What a command leaves on the machine, told from what everybody else does there meanwhile."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from validate.machine.guardian import directory_of
from validate.testbeds.shaped_links import HEAD, SWITCH

_OUR_NETWORK = re.compile(rf"{SWITCH}|{HEAD}|(shard|worker)-\d+")


class Traces:
    """The traces of a command that works in a folder of its own, started with this `environment`.

    Parameters
    ----------
    folder
        Where it works; whatever is below it belongs to the command.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before = self._places()

    @property
    def environment(self) -> Mapping[str, str]:
        """By which the processes of the command are told; a sandbox gives them other temporary files."""
        return os.environ | {"PWD": str(self.folder)}

    def processes(self) -> dict[int, str]:
        """Process id → command line of what runs for the command.

        Told by its environment; Ray writes titles over that, and then by the folder that it works in, or by its logs.
        """
        mark = f"PWD={self.folder}".encode()
        ours = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                marked = mark in (entry / "environ").read_bytes().split(b"\0")
                here = (entry / "cwd").readlink().is_relative_to(self.folder)
                title = (entry / "cmdline").read_text(errors="replace").replace("\0", " ").strip()
            except OSError:
                continue  # it has ended, or dies
            directory = directory_of(int(entry.name))
            if marked or here or (directory is not None and directory.is_relative_to(self.folder)):
                ours[int(entry.name)] = title
        return ours

    def left(self) -> list[str]:
        """What is there of the command: its processes, and what is new and nobody else's."""
        rows = [f"{pid} {title}" for pid, title in self.processes().items()]
        added = {kind: names - self._before[kind] for kind, names in self._places().items()}
        rows += [f"/dev/shm/{name}" for name in self._not_others(added.pop("/dev/shm"))]
        rows += [f"{kind}/{n}" for kind, names in added.items() for n in names if _OUR_NETWORK.fullmatch(n)]
        return rows

    def _places(self) -> dict[str, set[str]]:
        return {place: entries(place) for place in ("/dev/shm", "/run/netns", "/sys/class/net")}

    def _not_others(self, names: set[str]) -> set[str]:
        """Those files in shared memory that no living process but the command's own ones has open."""
        rest, ours = set(names), self.processes() if names else {}
        for entry in Path("/proc").iterdir() if names else ():
            if entry.name.isdigit() and int(entry.name) not in ours:
                try:
                    uses = (entry / "maps").read_text(errors="replace")
                    uses += "\n".join(str(d.readlink()) for d in (entry / "fd").iterdir())
                except OSError:
                    continue
                rest -= {name for name in rest if f"/dev/shm/{name}" in uses}
        # What has gone while we looked was in use by somebody.
        return {name for name in rest if Path("/dev/shm", name).exists()}


def entries(directory: str) -> set[str]:
    """Names of what is in a directory, if there is one."""
    path = Path(directory)
    return {entry.name for entry in path.iterdir()} if path.exists() else set()
