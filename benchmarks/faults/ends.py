"""Ends of the command itself, by signals to it or to the processes below it, and what is to be said of each."""

import re
import signal
import time
from dataclasses import dataclass, replace

from benchmarks.faults.course import Course, FaultRow

INNER = (r"^\S*python\S* -m validate\.runs\.supervised",)
"""Command line of the process that makes the runs."""
HOLDER = ("^unshare",)
_INTERRUPTED = "^exit {}: Error: Interrupted$"
_UNEXPECTED = "^exit 1: Error: The process that makes the runs ended unexpectedly"
_STOPPED = "^exit 1: Error: The process that makes the runs has been stopped for 10 s; it was ended$"


@dataclass(frozen=True, kw_only=True)
class End:
    """Signals that end a command, when they come, and whom they go to (the command itself by default)."""

    name: str
    numbers: tuple[int, ...]
    says: str
    """Regular expression of the sentence that it should end with."""
    to: tuple[str, ...] = ()
    after_s: float | None = None
    """Since the command's start; None: when workers are at work."""


def _interrupts() -> list[End]:
    says, once = _INTERRUPTED.format(130), (signal.SIGINT,)
    return [
        End(name="SIGINT to the command", numbers=once, says=says),
        *(
            End(name=f"SIGINT {after:g} s after the start", numbers=once, says=says, after_s=after)
            for after in (0.3, 2.0, 4.0)
        ),
        End(name="SIGINT twice", numbers=(signal.SIGINT, signal.SIGINT), says=says),
    ]


ENDS = [
    *_interrupts(),
    End(name="SIGTERM to the command", numbers=(signal.SIGTERM,), says=_INTERRUPTED.format(143)),
    End(name="SIGHUP to the command", numbers=(signal.SIGHUP,), says=_INTERRUPTED.format(129)),
    End(name="SIGQUIT to the command", numbers=(signal.SIGQUIT,), says="^killed by SIGQUIT$"),
    End(name="SIGKILL to the command", numbers=(signal.SIGKILL,), says="^killed by SIGKILL$"),
    End(
        name="SIGKILL to the process that makes the runs",
        numbers=(signal.SIGKILL,),
        to=INNER,
        says=_UNEXPECTED,
    ),
    End(
        name="SIGTERM to the process that makes the runs",
        numbers=(signal.SIGTERM,),
        to=INNER,
        says=_INTERRUPTED.format(143),
    ),
    End(
        name="SIGSTOP to the process that makes the runs",
        numbers=(signal.SIGSTOP,),
        to=INNER,
        says=_STOPPED,
    ),
    End(
        name="SIGKILL to the holder of the namespaces",
        numbers=(signal.SIGKILL,),
        to=HOLDER,
        says=_UNEXPECTED,
    ),
    End(
        name="SIGSTOP to the holder of the namespaces",
        numbers=(signal.SIGSTOP,),
        to=HOLDER,
        says=_STOPPED,
    ),
]


def meet(course: Course, end: End) -> FaultRow:
    """Start the command, end it, and see what is said and left."""
    course.end_at_once()
    course.start()
    if end.after_s is None:
        course.at_work()
    else:
        time.sleep(end.after_s)
    return end_now(course, end)


def end_now(course: Course, end: End) -> FaultRow:
    """End a command that is at work, and see what is said and left."""
    row = course.end_by(end.name, end.numbers, to=end.to, pause_s=0.3)
    return row if re.search(end.says, row.sentence) else replace(row, noticed_s=None)
