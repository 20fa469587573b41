"""Waits with an end: work runs in a thread of its own while the waiting thread watches the testbed.

A call into Ray may never return once a process of Ray's has died, whatever time-out it was given. So nobody of
ours waits inside such a call.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakSet

T = TypeVar("T")
EVERY_S = 0.25
"""How often to look around; a look reads some files below /proc."""


def guarded(
    work: Callable[[], T],
    look: Callable[[], None],
    *,
    every_s: float = EVERY_S,
    lasting: threading.Event | None = None,
) -> T:
    """What `work` returns or raises, unless `look`, called now and then meanwhile, raises first.

    Then `work` is left to itself, in a thread that does not keep the process alive.

    Parameters
    ----------
    lasting
        The thread goes on until this is set: children that are to die with their parent (prctl(2),
        PR_SET_PDEATHSIG) die with the thread that started them.
    """
    outcome: list[tuple[Any, BaseException | None]] = []

    def body() -> None:
        try:
            outcome.append((work(), None))
        except BaseException as error:  # handed to the caller, whatever it is
            outcome.append((None, error))
        if lasting is not None:
            lasting.wait()

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    try:
        while True:
            thread.join(every_s)
            if outcome:
                break
            look()
    except BaseException:
        _silence(thread)
        raise
    result, error = outcome[0]
    if error is not None:
        raise error
    value: T = result
    return value


_SILENCED: WeakSet[threading.Thread] = WeakSet()


def _silence(thread: threading.Thread) -> None:
    """Ray does not log from that thread any more: what it waits for is ended under its hands."""
    _SILENCED.add(thread)
    for handler in logging.getLogger("ray").handlers:
        handler.addFilter(_is_heard)


def _is_heard(_record: logging.LogRecord) -> bool:
    return threading.current_thread() not in _SILENCED


def bounded(work: Callable[[], object], seconds: float) -> bool:
    """Whether `work` came to an end, well or not, within that time."""

    def body() -> None:
        with contextlib.suppress(Exception):
            work()

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
