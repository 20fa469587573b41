"""Processes of this machine, looked at below /proc (proc(5)): whether one is gone, stopped (state T), or alive."""

from pathlib import Path

UNRESPONSIVE_S = 10.0
"""A host or process that has not answered for so long is given up."""


class StateWatch:
    """Processes that are looked at again and again.

    Attributes
    ----------
    stopped_s
        Name → for how long it was stopped before it went on, in all.
    """

    def __init__(self) -> None:
        self.stopped_s: dict[str, float] = {}
        self._stopped_since: dict[int, float] = {}

    def trouble(self, pid: int, name: str, state: str | None, now: float) -> str | None:
        """Why a process in this state (see `process_state`) is to be given up, if it is; `now` in s."""
        if has_ended(state):
            return f"{name} (process {pid}) has died"
        if state in ("T", "t"):
            since = self._stopped_since.setdefault(pid, now)
            if now - since >= UNRESPONSIVE_S:
                return f"{name} (process {pid}) has been stopped for {UNRESPONSIVE_S:.0f} s"
            return None
        since = self._stopped_since.pop(pid, now)
        self.stopped_s[name] = self.stopped_s.get(name, 0.0) + now - since
        return None


def has_ended(state: str | None) -> bool:
    """Whether a process in this state runs no more; its parent may not have asked for it yet."""
    return state in (None, "Z", "X")


def process_state(pid: int) -> str | None:
    """The letter of proc(5), None if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return None


def process_title(pid: int) -> str:
    """How a process calls itself; Ray's are named after the method that they execute."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0].decode(errors="replace")
    except OSError:
        return "a process"
