"""The list in a .json file that ``psmodel validate export`` wrote, before anybody looks at its runs."""

import json
import stat
from pathlib import Path
from typing import Any

from psmodel.errors import BadInput

_MOST_BYTES = 2**30


def is_list(path: Path) -> bool:
    """Whether a file begins as a list does; a store begins with SQLite's own words."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{")
    except (OSError, ValueError):
        return False


def json_entries(path: Path) -> list[Any]:
    """The list in a .json file.

    Raises
    ------
    BadInput
        If it cannot be read, or holds no list.
    """
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > _MOST_BYTES:
            raise BadInput(f"{path} cannot be read: it is no regular file of at most {_MOST_BYTES} bytes")
        entries = json.loads(path.read_bytes().decode("utf-8-sig"))
    except BadInput:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
    if not isinstance(entries, list):
        raise BadInput(f"{path} holds no list of measurements")
    return entries
