"""Copy Ray's logs of a failed process before the testbed and its files are removed."""

import contextlib
import re
import time
from collections.abc import Iterable
from pathlib import Path

_LAST_BYTES = 64_000
_FILES = 200
"""So many are kept at most; the oldest go."""


def keep(folder: Path, name: str, files: Iterable[Path]) -> Path | None:
    """Write the ends of these files into one below `folder`; None if there is nothing in them."""
    parts = []
    for file in sorted(files):
        with contextlib.suppress(OSError), file.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - _LAST_BYTES))
            text = stream.read().decode(errors="replace").strip()
            if text:
                parts.append(f"==> {file.name} <==\n{text}\n")
    if not parts:
        return None
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path = folder / f"{stamp}-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(parts), encoding="utf-8")
        for old in sorted(folder.glob("*.log"))[:-_FILES]:
            old.unlink(missing_ok=True)
    except OSError:
        return None
    return path
