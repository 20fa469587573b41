"""Planned deaths of an actor's process, and what of it outlives them: a folder of its own on its host's disk.

The process kills itself (SIGKILL) when the simulation's process dies; Ray starts it anew and calls the constructor
again, which waits for as long as the repair takes. Each death and return stands in the folder. SIGKILL loses nothing
that was handed to the kernel (write(2)).
"""

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class PlannedDeaths:
    """When one process dies.

    Attributes
    ----------
    folder
        Where what has to outlive it lies; it is there, is the process's own, and is called like it: ``shard-0``.
    gaps_s
        From the start of the run to the first death, and from each return to the next one; none: it does not die, but
        remembers what others, who do, may ask it for again.
    repair_s
        From a death until it is started anew.
    checkpoint_s
        Shards: between two checkpoints; None: none is made.
    """

    folder: str
    gaps_s: tuple[float, ...] = ()
    repair_s: float = 0.0
    checkpoint_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Restart:
    """A death and what followed; instants (ns) on the process's clock.

    Attributes
    ----------
    first_lost, end_lost
        Which updates of a shard are lost, counted from its first: from the one to before the other.
    """

    died_ns: int
    back_ns: int
    first_lost: int
    end_lost: int


class Mortality:
    """The deaths of one process: those in its folder, and the next one.

    Attributes
    ----------
    path
        Its folder.
    """

    def __init__(self, plan: PlannedDeaths) -> None:
        self._plan = plan
        self.path = Path(plan.folder)
        self._end, self._spared = threading.Lock(), False

    def numbers(self, name: str) -> list[list[int]]:
        """The lines of a file of the folder; none if there is no such file."""
        file = self.path / name
        if not file.exists():
            return []
        return [[int(word) for word in line.split()] for line in file.read_text().splitlines()]

    def note(self, name: str, *numbers: int) -> None:
        """Add a line to a file of the folder, in one call to the kernel."""
        file = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, (" ".join(map(str, numbers)) + "\n").encode())
        finally:
            os.close(file)

    @property
    def began_ns(self) -> int | None:
        """When the run began, if it has."""
        lines = self.numbers("began")
        return lines[0][0] if lines else None

    @property
    def restarts(self) -> list[Restart]:
        """The deaths from which it is back."""
        return [
            Restart(died_ns=died, back_ns=back, first_lost=first, end_lost=end)
            for died, back, first, end in self.numbers("restarts")
        ]

    def begin(self) -> None:
        """The run begins, and the first death draws near."""
        began_ns = time.monotonic_ns()
        self.note("began", began_ns)
        self._draw_near(began_ns)

    def repair(self) -> int:
        """Wait until it may be started anew; when it died.

        Raises
        ------
        RuntimeError
            If it was not planned to die.
        """
        deaths = self.numbers("deaths")
        if len(deaths) != len(self.restarts) + 1:
            raise RuntimeError(f"{self.path.name.replace('-', ' ')} has died without being planned to")
        time.sleep(self._plan.repair_s)
        return deaths[-1][0]

    def back(self, died_ns: int, *, first_lost: int = 0, end_lost: int = 0) -> None:
        """It is back, and the next death draws near."""
        back_ns = time.monotonic_ns()
        self.note("restarts", died_ns, back_ns, first_lost, end_lost)
        self._draw_near(back_ns)

    def spare(self) -> None:
        """It does not die any more."""
        with self._end:
            self._spared = True

    def _draw_near(self, since_ns: int) -> None:
        number = len(self.restarts)
        if number < len(self._plan.gaps_s):
            dies_ns = since_ns + round(self._plan.gaps_s[number] * 1e9)
            threading.Thread(target=self._die, args=(dies_ns,), daemon=True).start()

    def _die(self, at_ns: int) -> None:
        sleep_until(at_ns)
        with self._end:
            if not self._spared:
                self.note("deaths", time.monotonic_ns())
                os.kill(os.getpid(), signal.SIGKILL)


def sleep_until(instant_ns: int) -> None:
    """Sleep until an instant of this host's monotonic clock."""
    while (left := instant_ns - time.monotonic_ns()) > 0:
        time.sleep(left * 1e-9)
