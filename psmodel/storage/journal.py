"""An append-only journal of results, one JSON line each, that survives a kill."""

import fcntl
import json
import os
import tempfile
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from psmodel.errors import BadInput, CannotRun
from psmodel.storage.atomic import parse_json, reason, writable
from psmodel.wording import plain

_HEADER: dict[str, Any] = {"journal": "psmodel", "schema_version": 1}
_SYNC_EVERY_S = 1.0


_MOST_LINE = 2**24
"""Bytes; a row has some thousands."""


def _entry(line: bytes) -> dict[str, Any] | None:
    """What a line holds, if it is a header or a row."""
    try:
        entry = parse_json(line, "")
    except (BadInput, UnicodeDecodeError):
        return None
    if entry == _HEADER:
        return _HEADER
    whole = (
        isinstance(entry, dict) and isinstance(entry.get("key"), str) and isinstance(entry.get("row"), dict)
    )
    return entry if whole else None


class Journal:
    """Key → row, on disk; memory holds only where each row lies.

    A line is written by one call and survives the death of the process at once; against a power cut the file is
    synchronised every second and at the end. A last line that a kill left unfinished is cut off.

    Parameters
    ----------
    path
        The file, made if missing; None: a temporary one that goes with the journal.

    Raises
    ------
    BadInput
        If the file is something else or is in use.
    CannotRun
        If it cannot be opened or written.
    """

    def __init__(self, path: Path | None) -> None:
        self._offsets: dict[str, int] = {}
        self._name = "the temporary journal" if path is None else plain(str(path))
        try:
            if path is None:
                self._file = tempfile.TemporaryFile("w+b", buffering=0)  # noqa: SIM115 - closed with the journal
            else:
                writable(path)
                self._file = path.open("a+b", buffering=0)
        except (OSError, ValueError) as error:
            if isinstance(error, BadInput):
                raise
            raise CannotRun(f"{self._name} cannot be opened: {reason(error)}") from None
        # Whoever drops a journal, or is refused by one, has closed it.
        weakref.finalize(self, self._file.close)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # goes with the process, however it ends
        except OSError:
            raise BadInput(
                f"{self._name} is in use by another process; let it end or name another file"
            ) from None
        self._synced_at = time.monotonic()
        self._load()

    def _load(self) -> None:
        self._file.seek(0)
        with os.fdopen(os.dup(self._file.fileno()), "rb") as lines:
            offset = 0
            while line := lines.readline(_MOST_LINE):
                if not line.endswith(b"\n") and len(line) < _MOST_LINE:
                    break
                entry = _entry(line)
                if entry is None or (entry is _HEADER) != (offset == 0):
                    raise BadInput(
                        f"{self._name} is no journal of psmodel; move it away or name another file"
                    )
                if offset:
                    self._offsets[entry["key"]] = offset
                offset += len(line)
        self._file.truncate(offset)
        self._file.seek(offset)
        if offset == 0:
            self._write(_HEADER)

    def _write(self, entry: Mapping[str, Any]) -> int:
        line = json.dumps(entry, allow_nan=False).encode() + b"\n"
        offset = self._file.seek(0, os.SEEK_END)
        try:
            count = self._file.write(line)
        except OSError as error:
            raise CannotRun(f"{self._name} cannot be written: {error.strerror}") from None
        if count != len(line):
            raise CannotRun(f"{self._name} cannot be written: the disk is full")
        return offset

    def __contains__(self, key: str) -> bool:
        return key in self._offsets

    def append(self, key: str, row: Mapping[str, Any]) -> None:
        """Keep a row."""
        self._offsets[key] = self._write({"key": key, "row": row})
        if time.monotonic() - self._synced_at > _SYNC_EVERY_S:
            self.sync()

    def get(self, key: str) -> dict[str, Any]:
        """The row of a key."""
        self._file.seek(self._offsets[key])
        # A row is some kilobytes; reading in blocks keeps it to one or two calls.
        line = b""
        while not line.endswith(b"\n"):
            block = self._file.read(8192)
            assert block, "a journal line ends with a newline"
            line += block[: block.find(b"\n") + 1 or None]
        row: dict[str, Any] = json.loads(line)["row"]
        return row

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        os.fsync(self._file.fileno())
        self._synced_at = time.monotonic()

    def close(self) -> None:
        """Synchronise and close."""
        if not self._file.closed:
            self.sync()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()
