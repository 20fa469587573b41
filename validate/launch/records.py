"""Runs as lines of a log: how they come home from a cluster whose disk goes with the job.

Each stored run is written as it is made, compressed, in lines short enough for every log there is: logs cut long ones.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Iterator

from psmodel.errors import BadInput
from validate.measurements.measurement import Measurement

MARK = "psmodel-record"
_WIDTH = 2000
_MOST_BYTES = 1 << 30


def lines(measurement: Measurement) -> Iterator[str]:
    """The lines that stand for a run: mark, its id, which piece of how many, the piece."""
    packed = base64.b85encode(zlib.compress(json.dumps(measurement.to_json()).encode(), 6)).decode()
    pieces = [packed[i : i + _WIDTH] for i in range(0, len(packed), _WIDTH)]
    for number, piece in enumerate(pieces, start=1):
        yield f"{MARK} {measurement.run_id} {number}/{len(pieces)} {piece}"


class Reader:
    """Puts runs together again from a log that is read line by line; what is no record is given back."""

    def __init__(self) -> None:
        self._pieces: dict[str, dict[int, str]] = {}

    def feed(self, line: str) -> tuple[Measurement | None, str | None]:
        """A run if this line completes one; the line if it is not of a record."""
        before, mark, rest = line.partition(MARK + " ")
        words = rest.split(" ")
        if not mark or len(words) != 3:
            return None, line
        run_id, position, piece = words
        number, _, count = position.partition("/")
        if not (number.isdecimal() and count.isdecimal()):
            return None, line
        pieces = self._pieces.setdefault(run_id, {})
        pieces[int(number)] = piece.strip()
        if len(pieces) < int(count):
            return None, before or None
        del self._pieces[run_id]
        return _run("".join(pieces[i] for i in sorted(pieces))), before or None


def _run(packed: str) -> Measurement | None:
    """The run, or None of a damaged record: its job has it still, and it can be made again."""
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(base64.b85decode(packed), _MOST_BYTES)
        return Measurement.from_json(json.loads(text))
    except (ValueError, zlib.error, RecursionError, BadInput):
        return None


def read(text: Iterable[str]) -> list[Measurement]:
    """All runs in a log."""
    reader = Reader()
    return [run for run, _ in map(reader.feed, text) if run is not None]
