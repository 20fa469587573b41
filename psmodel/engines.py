"""Who does many tasks at once: the processes of this machine, or an engine that another package brings.

Whoever brings one says so by an entry point of the group ``psmodel.engines``, under the engine's name: a function from
an address (or None) to its `Engine`. `psmodel` thus never imports it.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from psmodel.errors import BadInput, CannotRun
from psmodel.wording import excerpt

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

PROCESSES = "processes"
"""Name of the engine that is always there."""
_ENTRY_POINTS = "psmodel.engines"
_AHEAD = 4
"""Tasks that are handed out for each that is worked on."""
Work = Callable[[Any], Any]


class EngineLost(CannotRun):
    """What does the tasks has broken down; the results that it gave are as good as any."""


class Crew(Protocol):
    """An engine that has one kind of work to do.

    Attributes
    ----------
    here
        Whether its tasks take this machine's memory.
    """

    here: bool

    @property
    def slots(self) -> int:
        """Tasks that are worked on at once, at least 1."""
        ...

    def results(self, items: Iterator[Any]) -> Iterator[Any]:
        """What the work gives for each item, as it is ready; few more items are taken than are worked on.

        Raises
        ------
        EngineLost
            If it breaks down.
        """
        ...


class Engine(Protocol):
    """See the module."""

    def begin(self, context: Any) -> None:
        """Go on in a process of its own, if it wants one; `context` is that of the command."""
        ...

    def running(self, work: Work) -> AbstractContextManager[Crew]:
        """A crew for this work, which is a function of one item that can be sent to another process.

        Raises
        ------
        CannotRun
            If it does not start.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Processes:
    """So many processes of this machine; with one there is no other than this."""

    count: int

    def begin(self, context: Any) -> None:
        """They want none."""

    @contextmanager
    def running(self, work: Work) -> Iterator[Crew]:
        """See `Engine`. A script that calls this needs the usual ``if __name__ == "__main__":``."""
        if self.count == 1:
            yield _Alone(work)
            return
        # Imported here: one process, as of most commands, starts faster without them.
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool

        # Spawned, not forked: a fork copies the threads' locks of whatever the caller runs (JAX, Arrow, a GUI).
        with ProcessPoolExecutor(
            self.count, multiprocessing.get_context("spawn"), initializer=_start, initargs=(work,)
        ) as pool:
            try:
                yield _Pool(pool, self.count)
            except BrokenProcessPool:
                raise EngineLost(
                    "a process that computes died (memory used up, or a script without "
                    '`if __name__ == "__main__":`)'
                ) from None
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


class _Alone:
    here, slots = True, 1

    def __init__(self, work: Work) -> None:
        self._work = work

    def results(self, items: Iterator[Any]) -> Iterator[Any]:
        return map(self._work, items)


class _Pool:
    here = True

    def __init__(self, pool: "ProcessPoolExecutor", slots: int) -> None:
        self._pool, self.slots = pool, slots

    def results(self, items: Iterator[Any]) -> Iterator[Any]:
        from concurrent.futures import FIRST_COMPLETED, wait

        pending: set[Future[Any]] = set()
        while True:
            pending |= {
                self._pool.submit(_answer, item) for item in islice(items, _AHEAD * self.slots - len(pending))
            }
            if not pending:
                return
            finished, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()


class _Worker:
    """What a process of the pool was started with."""

    work: Work


def _start(work: Work) -> None:
    _Worker.work = staticmethod(work)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    import multiprocessing.connection

    # The processes of a pool whose owner is killed wait for work for ever, for each holds the pipe open.
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _answer(item: Any) -> Any:
    return _Worker.work(item)


def names() -> tuple[str, ...]:
    """All engines: processes, and those that packages bring."""
    return (PROCESSES, *sorted(entry_points(group=_ENTRY_POINTS).names - {PROCESSES}))


def brought(name: str, address: str | None) -> Engine:
    """The engine of that name that a package brings.

    Raises
    ------
    BadInput
        If there is none, or its address is missing.
    CannotRun
        If it is not installed as a whole.
    """
    entries = entry_points(group=_ENTRY_POINTS, name=name)
    if not entries:
        raise BadInput(
            f"--engine {excerpt(name)}: there is no such engine; choose one of {', '.join(names())}"
        )
    entry = next(iter(entries))
    try:
        make: Callable[[str | None], Engine] = entry.load()
    except ImportError as error:
        raise CannotRun(f"--engine {name} cannot be loaded: {error}") from None
    return make(address)
