"""Estimate memory and time of an answer before it starts: refuse what does not fit, announce what takes long."""

import os
from dataclasses import dataclass
from pathlib import Path

from psmodel.errors import CannotRun
from psmodel.limits import machine
from psmodel.units import format_size

SHARE = 0.5
"""Of the memory that this process may have (and of the disk that is free), which one answer may take."""
_LITTLE = 1e6
"""So many bytes are always there; to look would take as long as a small simulation."""
LONG_S = 60.0
"""An answer that takes longer is announced."""
MOST_S = 86_400.0
"""An answer that takes longer is refused."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """A rough estimate of what something takes; from counts and measured costs of one unit of work.

    Attributes
    ----------
    what
        In words that begin a sentence, like ``simulating 5 workers``.
    fewer
        What there should be fewer of.
    """

    what: str
    fewer: str
    memory_bytes: float
    time_s: float = 0.0
    disk_bytes: float = 0.0

    @property
    def is_long(self) -> bool:
        """Whether it takes more than a minute."""
        return self.time_s > LONG_S

    def __str__(self) -> str:
        return f"{self.what} takes about {spell(self.time_s)}; fewer {self.fewer} take less"


def check(need: Need, *, folder: Path | None = None) -> None:
    """Refuse what does not fit.

    Raises
    ------
    CannotRun
        With one sentence that says what would help.
    """
    if need.memory_bytes > _LITTLE and need.memory_bytes > (free := SHARE * machine.available_memory()):
        raise CannotRun(
            f"{need.what} takes about {format_size(need.memory_bytes)} of memory, more than {format_size(free)}, "
            f"half of what is available; ask for fewer {need.fewer}"
        )
    if folder is not None and need.disk_bytes > 0:
        about = os.statvfs(folder)
        room = SHARE * about.f_bavail * about.f_frsize
        if need.disk_bytes > room:
            raise CannotRun(
                f"{need.what} takes about {format_size(need.disk_bytes)} of disk, more than {format_size(room)}, "
                f"half of what is free in {folder}; ask for fewer {need.fewer}"
            )
    if need.time_s > MOST_S:
        raise CannotRun(f"{need.what} takes about {spell(need.time_s)}; ask for fewer {need.fewer}")


def spell(seconds: float) -> str:
    """A long time as people say it.

    >>> spell(90), spell(7200), spell(1e9)
    ('2 min', '2 h', '32 years')
    """
    for length, name in ((365 * 86_400.0, "years"), (86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * length or (name == "min" and seconds >= length):
            return f"{seconds / length:.0f} {name}"
    return f"{seconds:.0f} s"
