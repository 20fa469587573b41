"""Commands that make runs one after the other, struck by faults and ended at random."""

import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.faults.cases import LOCAL, NETNS
from benchmarks.faults.course import Case, Course, FaultRow
from benchmarks.faults.ends import ENDS, INNER, end_now
from benchmarks.faults.victims import NotFound, find
from benchmarks.soak.resources import Holding, holding

Testbed = Literal["local", "netns"]
CASES: dict[Testbed, list[Case]] = {"local": LOCAL, "netns": NETNS}
_ROUND: tuple[tuple[Testbed, bool, float], ...] = (
    ("local", True, 150.0),
    ("netns", True, 150.0),
    ("local", False, 300.0),
    ("netns", False, 300.0),
)
"""Commands that follow each other: testbed, whether faults happen to the runs, and for how many seconds it makes some.

A fault often costs the process that makes the runs; what grows in one is seen where none happens. A short soak has all
of them too, each for less time.
"""
_STRUCK = 0.5
"""Share of the runs that a fault happens to, of a command to which faults happen."""
_REPETITIONS = 500
"""More than a command makes in its time."""


@dataclass(frozen=True, kw_only=True)
class RunSample:
    """What a command held while one of its runs was at work.

    Attributes
    ----------
    at_s
        Since the soak began.
    command
        Number of the command; each has a testbed.
    runs
        Since the process that makes the runs started, which is started anew when a testbed is lost.
    """

    testbed: Testbed
    at_s: float
    command: int
    runs: int
    holding: Holding


@dataclass(frozen=True, kw_only=True)
class Strike:
    """A fault or an end, what was said of it, and how many measurements the store then had."""

    at_s: float
    ended: bool
    row: FaultRow
    stored: int


def soak(seconds: float, seed: int) -> Iterator[RunSample | Strike]:
    """Commands on the testbeds in turn, until the time is over."""
    chance, began = random.Random(seed), time.monotonic()
    share = min(1.0, seconds / sum(length for _, _, length in _ROUND))
    for command, (testbed, struck, length) in enumerate(itertools.cycle(_ROUND)):
        if time.monotonic() - began >= seconds:
            return
        for event in _command(testbed, command, chance, _STRUCK if struck else 0.0, share * length):
            yield replace(event, at_s=time.monotonic() - began)


def _command(
    testbed: Testbed, command: int, chance: random.Random, struck: float, seconds: float
) -> Iterator[RunSample | Strike]:
    course = Course(testbed, repetitions=_REPETITIONS)
    began, maker, runs = time.monotonic(), 0, 0
    try:
        while time.monotonic() - began < seconds:
            root = course.next_run()
            inner = find(root, *INNER)
            maker, runs = inner, runs + 1 if inner == maker else 1
            belongings = holding(root, course.folder)
            yield RunSample(testbed=testbed, at_s=0.0, command=command, runs=runs, holding=belongings)
            if chance.random() < struck:
                try:
                    row = course.befall(chance.choice(CASES[testbed]), root)
                except NotFound:
                    continue  # the run was over sooner
                yield Strike(at_s=0.0, ended=False, row=row, stored=len(course.stored()))
        course.next_run()
        row = end_now(course, chance.choice([end for end in ENDS if end.after_s is None]))
        yield Strike(at_s=0.0, ended=True, row=row, stored=len(course.stored()))
    finally:
        course.close()
