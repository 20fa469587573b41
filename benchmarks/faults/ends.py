"""Ends of the command itself, by signals to it or to the processes below it."""

import signal
import time
from dataclasses import dataclass

from benchmarks.faults.course import Course, FaultRow

_INNER = (r"^\S*python\S* -m validate\.runs\.supervised",)
_HOLDER = ("^unshare",)


@dataclass(frozen=True, kw_only=True)
class End:
    """Signals that end a command, when they come, and whom they go to (the command itself by default)."""

    name: str
    numbers: tuple[int, ...]
    to: tuple[str, ...] = ()
    after_s: float | None = None
    """Since the command's start; None: when workers are at work."""


ENDS = [
    End(name="SIGINT to the command", numbers=(signal.SIGINT,)),
    End(name="SIGINT 0.3 s after the start", numbers=(signal.SIGINT,), after_s=0.3),
    End(name="SIGINT 2 s after the start", numbers=(signal.SIGINT,), after_s=2.0),
    End(name="SIGINT 4 s after the start", numbers=(signal.SIGINT,), after_s=4.0),
    End(name="SIGINT twice", numbers=(signal.SIGINT, signal.SIGINT)),
    End(name="SIGTERM to the command", numbers=(signal.SIGTERM,)),
    End(name="SIGHUP to the command", numbers=(signal.SIGHUP,)),
    End(name="SIGKILL to the command", numbers=(signal.SIGKILL,)),
    End(name="SIGKILL to the process that makes the runs", numbers=(signal.SIGKILL,), to=_INNER),
    End(name="SIGTERM to the process that makes the runs", numbers=(signal.SIGTERM,), to=_INNER),
    End(name="SIGKILL to the holder of the namespaces", numbers=(signal.SIGKILL,), to=_HOLDER),
]


def meet(course: Course, end: End) -> FaultRow:
    """Start the command, end it, and see what is said and left."""
    course.start()
    if end.after_s is None:
        course.at_work()
    else:
        time.sleep(end.after_s)
    return course.end_by(end.name, end.numbers, to=end.to, pause_s=0.3)
