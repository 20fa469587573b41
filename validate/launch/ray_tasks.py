"""Tasks on a Ray cluster: the engine ``ray`` of sweeps and replications.

A bounded number of tasks is handed out; one whose host dies is handed to another. The tasks' code travels with them;
hosts need psmodel's dependencies, in the versions that are here, so that a table is the one that this machine makes.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from psmodel.engines import Crew, EngineLost, Work
from psmodel.errors import UserError
from validate.launch import task_end
from validate.testbeds.base import disconnect
from validate.testbeds.cluster_driver import connect
from validate.testbeds.patience import guarded
from validate.testbeds.vigil import Signs, TestbedLost, Vigil

_AHEAD = 3
"""Tasks that are handed out for each CPU of the cluster."""
_TRIES = 5
"""How often a task is handed out again whose host or process has died."""
_WAIT_S = 5.0
_EMPTY_S = 60.0
"""A cluster that has had no CPU for so long is given up."""


@dataclass(frozen=True, kw_only=True)
class RayTasks:
    """See `psmodel.engines.Engine`.

    Attributes
    ----------
    address
        ``host:port`` of the cluster's head, or ``auto``.
    """

    address: str

    def begin(self, context: Any) -> None:
        """Whoever is no command has no process to go on in."""

    @contextmanager
    def running(self, work: Work) -> Iterator[Crew]:
        """Connected to the cluster as long as it lasts."""
        connect(self.address)
        reason: BaseException | None = None
        vigil = None
        try:
            vigil = _vigil()
            yield _RayCrew(work, vigil)
        except TestbedLost as error:
            reason = error
            raise EngineLost(str(error)) from None
        finally:
            if vigil is not None:
                vigil.close()
            disconnect(reason)


def _vigil() -> Vigil:
    """Looks after the head, without which nobody hears of anything."""
    import ray

    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    return Vigil(Signs(doors={host: (host.strip("[]"), int(port))}), f"what was handed to {host}:{port}")


class _RayCrew:
    here = False

    def __init__(self, work: Work, vigil: Vigil) -> None:
        import ray

        self._vigil = vigil
        self._task = ray.remote(num_cpus=1, max_retries=_TRIES)(task_end.answer)
        self._label = uuid.uuid4().hex
        self._work, self._software = ray.put(work), task_end.software()
        self._cpus = 0
        self._empty_since: float | None = None
        guarded(self._count, vigil.look)

    @property
    def slots(self) -> int:
        return max(1, self._cpus)

    def results(self, items: Iterator[Any]) -> Iterator[Any]:
        pending: list[Any] = []
        while True:
            for item in islice(items, max(0, _AHEAD * self.slots - len(pending))):
                pending.append(self._task.remote(self._label, [self._work], self._software, item))
            if not pending:
                return
            # Nobody of ours waits inside a call into Ray, which may never return once a process of it has died.
            answers, pending = guarded(partial(self._answers, pending), self._vigil.look)
            yield from answers
            self._give_up_if_empty()

    def _answers(self, pending: list[Any]) -> tuple[list[Any], list[Any]]:
        """What is ready, waiting a little for the first; and what is not."""
        import ray

        ready, rest = ray.wait(pending, num_returns=1, timeout=_WAIT_S)
        if not ready:
            self._count()
        try:
            return ray.get(ready), rest
        except ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, UserError) else error from None
        except ray.exceptions.RuntimeEnvSetupError as error:
            raise EngineLost(f"psmodel's code cannot be sent to the cluster: {_line(error)}") from None
        except ray.exceptions.RayError as error:
            raise EngineLost(f"a task failed {_TRIES + 1} times: {_line(error)}") from None

    def _count(self) -> None:
        import ray

        self._cpus = int(ray.cluster_resources().get("CPU", 0))

    def _give_up_if_empty(self) -> None:
        if self._cpus > 0:
            self._empty_since = None
            return
        now = time.monotonic()
        self._empty_since = self._empty_since or now
        if now - self._empty_since > _EMPTY_S:
            raise EngineLost(f"the cluster has had no host with a CPU for {_EMPTY_S:.0f} s")


def _line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
