"""Faults that happen while a testbed starts: it is started again, and the runs are made."""

import re
import signal
import time
from dataclasses import dataclass, replace

from benchmarks.faults.cases import GCS, RAYLET
from benchmarks.faults.course import Course, FaultRow
from benchmarks.faults.victims import NotFound, kill

_SAYS = re.compile(r"^(Ray .*did not start.*|Ray does not .*); it is tried again$", re.MULTILINE)
_WITHIN_S = 240.0


@dataclass(frozen=True, kw_only=True)
class Start:
    """Who is killed as soon as it is there."""

    name: str
    victim: tuple[str, ...]


STARTS = [
    Start(name="the GCS killed while Ray starts", victim=GCS),
    Start(name="the raylet killed while Ray starts", victim=RAYLET),
]


def meet(course: Course, start: Start) -> FaultRow:
    """Start a command, kill that process, and see that it is said and that runs are made all the same."""
    root = course.start()
    end = time.monotonic() + _WITHIN_S
    while True:
        try:
            kill(*start.victim)(root)
            break
        except NotFound:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
    began = time.monotonic()
    while (match := _SAYS.search(course.said())) is None and time.monotonic() < end:
        time.sleep(0.1)
    noticed = None if match is None else time.monotonic() - began
    course.at_work()
    row = course.end_by(start.name, [signal.SIGINT])
    return replace(row, noticed_s=noticed, sentence="nothing" if match is None else match[0])
