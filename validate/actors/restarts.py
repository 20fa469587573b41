"""A shard that dies when it is planned to, and that Ray starts anew: from its last checkpoint, which is on disk.

All of it lies in one folder, which outlives the process: when the run began, each death and return, the checkpoint,
and a journal of the updates that were applied (where, from whom, when), so that those that are lost can be counted.
SIGKILL loses nothing that was handed to the kernel (write(2)); a checkpoint has its name only once it is whole
(rename(2)).

Ray sends each call that a dead actor had not answered again (``max_task_retries``). What the checkpoint has already is
not added twice.
"""

import os
import signal
import threading
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validate.actors.shard import ParameterServerShard

_ROW = 5
"""Numbers of an update in the journal, as in `ParameterServerShard.finish`."""


@dataclass(frozen=True, kw_only=True)
class PlannedDeaths:
    """When one shard dies.

    Attributes
    ----------
    folder
        Where what has to outlive it lies, on its own host; there, and its own.
    gaps_s
        From the start of the run to the first death, and from each return to the next one.
    repair_s
        From a death until it is started anew.
    checkpoint_s
        Between two checkpoints.
    """

    folder: str
    gaps_s: tuple[float, ...]
    repair_s: float
    checkpoint_s: float


@dataclass(frozen=True, kw_only=True)
class Restart:
    """A death and what followed; instants (ns) on the shard's clock.

    Attributes
    ----------
    first_lost, end_lost
        Which rows of the journal are lost: from the first to before the end.
    """

    died_ns: int
    back_ns: int
    first_lost: int
    end_lost: int


class _Folder:
    """The files of one shard."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journal = os.open(path / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _numbers(self, name: str) -> list[list[int]]:
        file = self._path / name
        return (
            [[int(word) for word in line.split()] for line in file.read_text().splitlines()]
            if file.exists()
            else []
        )

    def note(self, name: str, *numbers: int) -> None:
        """Add a line of numbers to a file, in one call to the kernel."""
        file = os.open(self._path / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, (" ".join(map(str, numbers)) + "\n").encode())
        finally:
            os.close(file)

    @property
    def began_ns(self) -> int | None:
        """When the run began, if it has."""
        lines = self._numbers("began")
        return lines[0][0] if lines else None

    @property
    def deaths_ns(self) -> list[int]:
        """When it died."""
        return [died for (died,) in self._numbers("deaths")]

    @property
    def restarts(self) -> list[Restart]:
        """The deaths from which it is back."""
        return [
            Restart(died_ns=died, back_ns=back, first_lost=first, end_lost=end)
            for died, back, first, end in self._numbers("restarts")
        ]

    def add(self, row: tuple[int, ...]) -> None:
        """An update was applied."""
        os.write(self._journal, np.array(row, np.int64).tobytes())

    def journal(self) -> NDArray[np.int64]:
        """All updates that were applied, shape (updates, 5)."""
        return np.fromfile(self._path / "journal", np.int64).reshape(-1, _ROW)

    def save(self, parameters: NDArray[Any], applied: int) -> None:
        """Keep a checkpoint, instead of the one before; it is whole or not there."""
        partial = self._path / "checkpoint.partial"
        with partial.open("wb") as file:
            file.write(applied.to_bytes(8, "little"))
            file.write(parameters.view(np.uint8).data)
        partial.replace(self._path / "checkpoint")

    def restore(self, parameters: NDArray[Any]) -> int:
        """Read the last checkpoint into the parameters; how many updates had been applied by then.

        Without one they stay what they are, those of the start.
        """
        file = self._path / "checkpoint"
        if not file.exists():
            return 0
        with file.open("rb") as stream:
            applied = int.from_bytes(stream.read(8), "little")
            stream.readinto(parameters.view(np.uint8).data)
        return applied


class RestartableShard(ParameterServerShard):
    """A shard with planned deaths.

    Ray calls the constructor again after each of them: it then waits for as long as the repair takes, and goes on
    from the last checkpoint. `version` counts what was ever applied, so that what workers have read stays older than
    what comes later.

    Parameters
    ----------
    plan
        When it dies.
    """

    def __init__(
        self,
        elements: int,
        dtype: str,
        update_cost: list[float] | None,
        decompress_s_per_element: float,
        plan: PlannedDeaths,
    ) -> None:
        super().__init__(elements, dtype, update_cost, None, decompress_s_per_element)
        self._plan, self._folder = plan, _Folder(Path(plan.folder))
        self._lock, self._end = threading.Lock(), threading.Lock()
        self._over = False
        self._present: set[tuple[int, int]] = set()
        self._began_ns = self._folder.began_ns
        if self._began_ns is not None:
            self._return(update_cost)
            self._set_off(self._began_ns, time.monotonic_ns())

    def _return(self, update_cost: list[float] | None) -> None:
        """Be what the last checkpoint says."""
        deaths, restarts = self._folder.deaths_ns, self._folder.restarts
        if len(deaths) != len(restarts) + 1:
            raise RuntimeError(f"shard {Path(self._plan.folder).name} has died without being planned to")
        time.sleep(self._plan.repair_s)
        at_checkpoint = self._folder.restore(self.parameters)
        journal = self._folder.journal()
        # Of an older checkpoint the updates that came before an earlier death are lost already.
        first = max([at_checkpoint, *(restart.end_lost for restart in restarts)])
        losses = [range(restart.first_lost, restart.end_lost) for restart in restarts]
        losses.append(range(first, len(journal)))
        self._log = [(w, i, s, begin, end) for w, i, s, begin, end in journal.tolist()]
        self.version = len(journal)
        self._present = {
            (row[0], row[1])
            for number, row in enumerate(self._log)
            if not any(number in numbers for numbers in losses)
        }
        if update_cost is not None:
            self._update_cost = islice(iter(update_cost), self.version, None)
        self._folder.note("restarts", deaths[-1], time.monotonic_ns(), first, len(journal))

    def begin(self) -> None:
        """The run begins: from now on checkpoints are made, and the first death draws near."""
        if self._began_ns is not None:
            return  # it died before it could say that it has begun
        self._began_ns = time.monotonic_ns()
        self._folder.note("began", self._began_ns)
        self._set_off(self._began_ns, self._began_ns)

    def _set_off(self, began_ns: int, back_ns: int) -> None:
        threading.Thread(target=self._checkpoint, args=(began_ns,), daemon=True).start()
        number = len(self._folder.restarts)
        if number < len(self._plan.gaps_s):
            dies_ns = back_ns + round(self._plan.gaps_s[number] * 1e9)
            threading.Thread(target=self._die, args=(dies_ns,), daemon=True).start()

    def _die(self, at_ns: int) -> None:
        _sleep_until(at_ns)
        with self._end:
            if not self._over:
                self._folder.note("deaths", time.monotonic_ns())
                os.kill(os.getpid(), signal.SIGKILL)

    def _checkpoint(self, began_ns: int) -> None:
        """Keep a checkpoint at every multiple of the period; one that falls into a call, once that has ended."""
        period = round(self._plan.checkpoint_s * 1e9)
        last = self.version
        while True:
            _sleep_until(began_ns + ((time.monotonic_ns() - began_ns) // period + 1) * period)
            with self._lock:
                if self.version == last:
                    continue
                parameters, last = self.parameters.copy(), self.version
            self._folder.save(parameters, last)

    def update_parameters(
        self,
        update: NDArray[Any],
        version_read: int,
        worker: int,
        iteration: int,
        layer: tuple[int, int] | None = None,
    ) -> None:
        """As of any shard; an update that it has, and is asked for again since it died, is not added twice."""
        with self._lock:
            if (worker, iteration) in self._present:
                return
            super().update_parameters(update, version_read, worker, iteration, layer)
            self._folder.add(self._log[-1])
            self._present.add((worker, iteration))

    def finish(self) -> tuple[NDArray[np.int64], float, float]:
        """As of any shard; it does not die any more."""
        with self._end:
            self._over = True
        return super().finish()

    def restarts(self) -> list[Restart]:
        """Its deaths, in their order."""
        return self._folder.restarts


def _sleep_until(instant_ns: int) -> None:
    while (left := instant_ns - time.monotonic_ns()) > 0:
        time.sleep(left * 1e-9)
