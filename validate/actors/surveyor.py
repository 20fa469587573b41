"""An actor on a host that sends and receives plain TCP streams, computes and answers, for a survey of the hosts."""

import socket
import time

import ray

_PIECE = 1 << 18
_PATIENCE_S = 20.0
_WARMUP = 0.2
"""Share of a stream that is not counted: TCP's slow start and the burst that a shaper lets through."""
_LOOPS = 4_000_000
"""Of the fixed work: a tenth of a second, for a scheduler lets a process that has slept go first for a few."""


class Surveyor:
    """Answers one call after the other."""

    def __init__(self) -> None:
        self._server = socket.create_server((ray.util.get_node_ip_address(), 0))
        self._server.settimeout(_PATIENCE_S)

    def door(self) -> tuple[str, int]:
        """Address and port at which it receives."""
        address, port = self._server.getsockname()[:2]
        return str(address), int(port)

    def receive(self) -> float:
        """Take one stream to its end; its payload in bytes/s."""
        connection, _ = self._server.accept()
        connection.settimeout(_PATIENCE_S)
        buffer = bytearray(_PIECE)
        arrived, record = 0, []
        with connection:
            while count := connection.recv_into(buffer):
                arrived += count
                record.append((time.monotonic(), arrived))
        start, end = record[0][0], record[-1][0]
        counted = [entry for entry in record if entry[0] >= start + _WARMUP * (end - start)]
        (first, before), (last, after) = counted[0], counted[-1]
        return (after - before) / (last - first)

    def send(self, address: str, port: int, seconds: float) -> None:
        """Send a stream for so long."""
        piece = memoryview(bytes(_PIECE))
        with socket.create_connection((address, port), timeout=_PATIENCE_S) as connection:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                connection.sendall(piece)

    def compute(self) -> float:
        """Time (s) of a fixed piece of work."""
        begin = time.monotonic()
        total = 0
        for i in range(_LOOPS):
            total += i
        return time.monotonic() - begin

    def answer(self) -> None:
        """Nothing: what a call costs."""
