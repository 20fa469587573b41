"""Clocks of different hosts: when instants may be compared as they are, and what to subtract where not.

Phases of a worker and updates of a shard are intervals within one process and need no common clock. The
ingress time runs from an instant on a worker to one on a shard. On one host both read CLOCK_MONOTONIC, one
clock for all its processes and network namespaces. A host with a clock of its own (another boot) is asked for
the time over and over; the round trip that took least bounds its offset to half that round trip, as NTP does
(RFC 5905, section 8: offset = ((T2 − T1) + (T3 − T4)) / 2 with T2 = T3).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ROUND_TRIPS = 25


@dataclass(frozen=True, kw_only=True)
class ClockReading:
    """What a process says of its clock: instants with the same `clock` are of one clock."""

    clock: str
    ns: int


@dataclass(frozen=True, kw_only=True)
class Offset:
    """How far another clock is ahead of ours, and how far that may be wrong; both 0 where it is the same one."""

    ns: int
    uncertainty_ns: int


@cache
def _name() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    # A time namespace (time_namespaces(7)) shifts CLOCK_MONOTONIC of the processes in it.
    namespace = Path("/proc/self/ns/time")
    return f"{boot} {namespace.readlink() if namespace.exists() else ''}"


def read() -> ClockReading:
    """This process's clock, now."""
    return ClockReading(clock=_name(), ns=time.monotonic_ns())


def offset(ask: Callable[[], ClockReading]) -> Offset:
    """Offset of the clock that `ask` reads, wherever that runs."""
    best = Offset(ns=0, uncertainty_ns=2**62)
    for _ in range(_ROUND_TRIPS):
        begin = time.monotonic_ns()
        reading = ask()
        received = time.monotonic_ns()
        if reading.clock == _name():
            return Offset(ns=0, uncertainty_ns=0)
        half = (received - begin + 1) // 2
        if half < best.uncertainty_ns:
            best = Offset(ns=reading.ns - (begin + received) // 2, uncertainty_ns=half)
    return best
