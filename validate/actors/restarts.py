"""A shard and a worker that die when they are planned to, and go on from what they have on disk.

Ray starts them anew, and sends each call that a dead actor had not answered again (``max_task_retries``): to a shard
updates, to a worker the whole of its run. A shard goes on from its last checkpoint, which has its name only once it is
whole (rename(2)); a journal of all updates tells which of them are lost. A worker goes on where it was: it writes down
what it has got through. Before its update is computed it begins the iteration anew; afterwards it pushes to those
shards that have not applied its update yet. What a shard has already is not added twice.
"""

import os
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from validate.actors.mortality import Mortality, PlannedDeaths, Restart, sleep_until
from validate.actors.shard import ParameterServerShard, burn
from validate.actors.worker import INSTANTS, Job, WorkerActor

_ROW = 5
"""Numbers of an update in the journal, as in `ParameterServerShard.finish`."""
_START, _PULLED, _COMPUTED, _SUBMITTED, _PUSHED, _RELEASED = range(len(INSTANTS))


class _Folder:
    """A shard's journal and its checkpoint."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journal = os.open(path / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

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

    `version` counts what was ever applied, so that what workers have read stays older than what comes later.

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
        self._checkpoint_s = plan.checkpoint_s
        self._life, self._folder = Mortality(plan), _Folder(Path(plan.folder))
        self._lock = threading.Lock()
        self._present: set[tuple[int, int]] = set()
        if (began_ns := self._life.began_ns) is not None:
            self._return(update_cost)
            self._keep_checkpoints(began_ns)

    def _return(self, update_cost: list[float] | None) -> None:
        """Be what the last checkpoint says."""
        died_ns, restarts = self._life.repair(), self._life.restarts
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
        self._life.back(died_ns, first_lost=first, end_lost=len(journal))

    def begin(self) -> None:
        """The run begins: from now on checkpoints are made, and the first death draws near."""
        if self._life.began_ns is not None:
            return  # it died before it could say that it has begun
        self._life.begin()
        self._keep_checkpoints(self._life.began_ns or 0)

    def _keep_checkpoints(self, began_ns: int) -> None:
        if self._checkpoint_s is not None:
            period_ns = round(self._checkpoint_s * 1e9)
            threading.Thread(target=self._checkpoint, args=(began_ns, period_ns), daemon=True).start()

    def _checkpoint(self, began_ns: int, period_ns: int) -> None:
        """Keep a checkpoint at every multiple of the period; one that falls into a call, once that has ended."""
        last = self.version
        while True:
            sleep_until(began_ns + ((time.monotonic_ns() - began_ns) // period_ns + 1) * period_ns)
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
        """As of any shard; an update that it has, and that is sent again since somebody died, is not added twice."""
        with self._lock:
            if (worker, iteration) in self._present:
                return
            super().update_parameters(update, version_read, worker, iteration, layer)
            self._folder.add(self._log[-1])
            self._present.add((worker, iteration))

    def has(self, worker: int, iteration: int) -> bool:
        """Whether it has a worker's update of an iteration."""
        return (worker, iteration) in self._present

    def finish(self) -> tuple[NDArray[np.int64], float, float]:
        """As of any shard; it does not die any more."""
        self._life.spare()
        return super().finish()

    def restarts(self) -> list[Restart]:
        """Its deaths, in their order."""
        return self._life.restarts


class RestartableWorker(WorkerActor):
    """A worker with planned deaths, whose updates are all ones; without layers, and without prefetching.

    Parameters
    ----------
    coordinators
        The one there is, in a list: a handle by itself is an argument that Ray might not have any more at a restart.
    plan
        When it dies.
    """

    def __init__(
        self,
        index: int,
        job: Job,
        compute_times: NDArray[np.float64],
        shards: list[Any],
        coordinators: list[Any],
        plan: PlannedDeaths,
    ) -> None:
        super().__init__(index, job, compute_times, shards, *coordinators)
        self._life = Mortality(plan)
        self._make_update()
        if self._life.began_ns is not None:
            self._life.back(self._life.repair())

    def run(self) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """As of any worker; Ray calls it again when it is back."""
        job = self._job
        count = len(self._compute_times)
        instants = np.zeros((count, len(INSTANTS)), np.int64)
        if self._life.began_ns is None:
            ray.get([shard.clock.remote() for shard in self._shards])
            ray.get(self._coordinator.start.remote())
            self._life.begin()
        for number, column, instant in self._life.numbers("instants"):
            instants[number, column] = instant
        iteration = int((instants[:, _RELEASED] > 0).sum())
        resumes = bool(self._life.restarts)
        while iteration < count:
            row = instants[iteration]
            if row[_COMPUTED] == 0:
                self._compute(iteration, row)
                resumes = False
            elif resumes:
                self._versions = self._life.numbers("versions")[-1]
            if row[_PUSHED] == 0:
                self._push_missing(iteration, row, resumes=resumes)
            resumes = False
            if job.in_step:
                ray.get(self._coordinator.finished.remote(iteration + 1, self._index))
            self._mark(iteration, row, _RELEASED)
            iteration += 1
        self._life.spare()
        return instants, np.tile(self._update[self._first], (count, 1))

    def _mark(self, iteration: int, row: NDArray[np.int64], column: int) -> None:
        """It has got so far, now."""
        row[column] = time.monotonic_ns()
        self._life.note("instants", iteration, column, int(row[column]))

    def _compute(self, iteration: int, row: NDArray[np.int64]) -> None:
        """From the start of an iteration until its update is there."""
        if row[_START] == 0:
            self._mark(iteration, row, _START)
        if self._job.pull != "none":
            replies = self._pull()
            self._mark(iteration, row, _PULLED)
            parts = [part.view(self._parameters.dtype) for _, part in replies]
            np.concatenate(parts, out=self._parameters)
            self._versions = [version for version, _ in replies]
            del replies, parts
        else:
            self._mark(iteration, row, _PULLED)
        if (seconds := self._compute_times[iteration]) > 0:
            (burn if self._job.burn else time.sleep)(seconds)
        self._make_update()
        if self._job.compress_times[0] > 0:
            burn(self._job.compress_times[0])
        self._life.note("versions", *self._versions)
        self._mark(iteration, row, _COMPUTED)

    def _push_missing(self, iteration: int, row: NDArray[np.int64], *, resumes: bool) -> None:
        """Push to all shards, or to those that have not applied the update before."""
        has = [False] * len(self._shards)
        if resumes:
            has = ray.get([shard.has.remote(self._index, iteration) for shard in self._shards])
        if self._job.push == "none":
            has = [True] * len(self._shards)
        refs: list[Any] = []
        for shard, (part, where), version, there in zip(
            self._shards, self._parts[0], self._versions, has, strict=True
        ):
            if not there:
                refs.append(self._push_to(shard, part, version, iteration, where, refs))
        self._mark(iteration, row, _SUBMITTED)
        ray.get(refs)
        self._mark(iteration, row, _PUSHED)

    def restarts(self) -> list[Restart]:
        """Its deaths, in their order."""
        return self._life.restarts
