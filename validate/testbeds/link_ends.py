"""What runs on each host of a cluster while its links are probed, and what it says of its host."""

import hashlib
import os
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

import psmodel
from validate.testbeds import tcp_probe


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """A host of a cluster.

    Attributes
    ----------
    cores
        That a process there may use.
    code
        Digest of the sources of psmodel and validate that it runs.
    """

    cores: int
    code: str


def packages() -> tuple[Path, Path]:
    """The folders of psmodel and validate that this process has imported."""
    return Path(psmodel.__file__).parent, Path(__file__).parents[1]


def code_digest() -> str:
    """Of all their Python files, 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for folder in packages():
        for file in sorted(folder.rglob("*.py")):
            digest.update(f"{file.relative_to(folder.parent)}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


class LinkEnd:
    """An actor at one end of links, of several threads: it sends to many and takes in from many at once."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._server: socket.socket | None = None

    def facts(self) -> HostFacts:
        """Of this host."""
        return HostFacts(cores=len(os.sched_getaffinity(0)), code=code_digest())

    def listen(self) -> tuple[str, int]:
        """Open a port for the next streams."""
        if self._server is not None:
            self._server.close()
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        self._server = socket.create_server((self._address, 0), family=family, backlog=64)
        return self._address, int(self._server.getsockname()[1])

    def take_in(self, streams: int) -> float:
        """Bytes/s that so many streams bring."""
        assert self._server is not None
        return tcp_probe.receive(self._server, streams)

    def send(self, places: list[tuple[str, int]], seconds: float) -> None:
        """Send to all of these at once for so long."""
        errors: list[OSError] = []

        def to(address: str, port: int) -> None:
            try:
                tcp_probe.send(address, port, seconds)
            except OSError as error:
                errors.append(error)

        threads = [threading.Thread(target=to, args=place) for place in places]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
