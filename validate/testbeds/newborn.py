"""Look after Ray's daemons while they start: Ray itself waits for two minutes for one that has died."""

import time
from collections.abc import Mapping
from pathlib import Path

from validate.testbeds.base import DidNotStart
from validate.testbeds.process_states import StateWatch, process_state

DAEMONS = {"gcs_server": "Ray's GCS", "raylet": "Ray's raylet"}
"""Program → what it is called in a sentence."""


class Newborn:
    """Daemons that a process is starting, which are its children until it has ended.

    Parameters
    ----------
    parent
        The process.
    older
        Process id → name of those that were started before, and without which these cannot start.
    """

    def __init__(self, parent: int, older: Mapping[int, str] | None = None) -> None:
        self._parent, self._older = parent, dict(older or {})
        self._states = StateWatch()

    def look(self) -> None:
        """Look once at all of them.

        Raises
        ------
        DidNotStart
            If one has died, or has been stopped for 10 s.
        """
        states = {pid: (name, process_state(pid)) for pid, name in self._older.items()}
        now = time.monotonic()
        for pid, (name, state) in (states | _daemons_below(self._parent)).items():
            if (reason := self._states.trouble(pid, name, state, now)) is not None:
                raise DidNotStart(reason)


def _daemons_below(parent: int) -> dict[int, tuple[str, str]]:
    """Process id → name and state (proc(5)) of a process's children that are daemons of Ray's.

    One that has died is there, without a command line, as long as its parent does not ask for it.
    """
    daemons = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                before, _, after = (entry / "stat").read_text().rpartition(")")
            except OSError:
                continue
            state, above = after.split()[:2]
            program = before.partition("(")[2]
            if int(above) == parent and program in DAEMONS:
                daemons[int(entry.name)] = (DAEMONS[program], state)
    return daemons
