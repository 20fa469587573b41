"""Plain TCP streams: what a link carries when nothing but the kernel is involved.

Run as a program (``python tcp_probe.py receive ADDRESS`` and ``... send ADDRESS PORT SECONDS``) at the two ends
of a link; :func:`goodput` does so and gives the rate at which payload arrived. :func:`receive` and :func:`send` are
the same for two processes that are there already.
"""

import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

_PIECE = 1 << 18
_PATIENCE_S = 10.0
_WARMUP = 0.2
"""Share of the stream that is not counted: TCP's slow start and the burst a shaper lets through."""


def goodput(
    sender: Sequence[str], receiver: Sequence[str], address: str, seconds: float = 1.0, *, port: int = 5201
) -> float:
    """Payload rate of one TCP stream, in bytes/s.

    Parameters
    ----------
    sender, receiver
        What to put before a command to run it at that end of the link.
    address, port
        Where the receiver listens.
    seconds
        How long the sender sends.

    Raises
    ------
    TimeoutError
        If the link carries nothing.
    """
    # -S -P: nothing but the standard library, and quickly.
    this = [sys.executable, "-S", "-P", __file__]
    with subprocess.Popen(
        [*receiver, *this, "receive", address, str(port)], stdout=subprocess.PIPE, text=True
    ) as receiving:
        try:
            assert receiving.stdout is not None
            receiving.stdout.readline()
            sending = [*sender, *this, "send", address, str(port), str(seconds)]
            try:
                subprocess.run(sending, check=True, timeout=seconds + _PATIENCE_S)
                output, _ = receiving.communicate(timeout=_PATIENCE_S)
                return float(output)
            except (subprocess.TimeoutExpired, subprocess.CalledProcessError, ValueError) as error:
                raise TimeoutError(f"no TCP stream got to {address}") from error
        finally:
            receiving.kill()


def receive(server: socket.socket, streams: int = 1) -> float:
    """Payload rate of so many streams together, in bytes/s, from when all are there until the first one ends.

    Raises
    ------
    TimeoutError
        If a stream does not come, or carries nothing.
    """
    server.settimeout(_PATIENCE_S)
    buffer = bytearray(_PIECE)
    record: list[tuple[float, int]] = []
    arrived, counting = 0, True
    with selectors.DefaultSelector() as selector:
        for _ in range(streams):
            connection, _ = server.accept()
            selector.register(connection, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(_PATIENCE_S)
            if not ready:
                raise TimeoutError("a TCP stream carries nothing")
            for key, _ in ready:
                stream = key.fileobj
                assert isinstance(stream, socket.socket)
                if count := stream.recv_into(buffer):
                    arrived += count
                    if counting:
                        record.append((time.monotonic(), arrived))
                else:
                    counting = False
                    selector.unregister(stream)
                    stream.close()
    if len(record) < 3:
        raise TimeoutError("a TCP stream carries nothing")
    start, end = record[0][0], record[-1][0]
    counted = [entry for entry in record if entry[0] >= start + _WARMUP * (end - start)]
    (first, before), (last, after) = counted[0], counted[-1]
    return (after - before) / (last - first)


def send(address: str, port: int, seconds: float) -> None:
    """Send for so long."""
    piece = memoryview(bytes(_PIECE))
    with socket.create_connection((address, port), timeout=_PATIENCE_S) as connection:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            connection.sendall(piece)


def _receive(address: str, port: int) -> float:
    with socket.create_server((address, port)) as server:
        print("listening", flush=True)
        return receive(server)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["receive", where, port_number]:
            print(_receive(where, int(port_number)), flush=True)
        case ["send", where, port_number, duration]:
            send(where, int(port_number), float(duration))
        case _:
            sys.exit(f"usage: {__file__} receive ADDRESS PORT | send ADDRESS PORT SECONDS")
