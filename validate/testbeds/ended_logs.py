"""Remove what Ray has logged of processes that have ended: each run has processes of its own, each with three files."""

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from validate.testbeds.process_states import has_ended, process_state

_OF_WORKER = re.compile(r"(?:worker-.+-|python-core-worker-.+_)(\d+)\.(?:log|out|err)(?:\.\d+)?")


def remove_ended(folders: Iterable[Path]) -> None:
    """Remove the logs of this machine's workers that are no more; those of daemons, and of who is at work, stay."""
    for folder in folders:
        with contextlib.suppress(OSError):  # the host may be gone
            # Ray's log monitor moves what ended processes have written, whenever it closes its files.
            for file in [*folder.iterdir(), *(folder / "old").glob("*")]:
                if (match := _OF_WORKER.fullmatch(file.name)) and has_ended(process_state(int(match[1]))):
                    file.unlink(missing_ok=True)
