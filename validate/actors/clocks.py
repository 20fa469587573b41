"""Clocks of different hosts: when instants may be compared as they are, and what to subtract where not.

Phases of a worker and updates of a shard are intervals within one process and need no common clock. The
ingress time runs from an instant on a worker to one on a shard. On one host both read CLOCK_MONOTONIC, one
clock for all its processes and network namespaces. A host with a clock of its own (another boot) is asked for
the time over and over; the round trip that took least bounds its offset to half that round trip, as NTP does
(RFC 5905, section 8: offset = ((T2 − T1) + (T3 − T4)) / 2 with T2 = T3). That is done before a run and after it:
between the two a clock may drift.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_ROUND_TRIPS = 25
_FASTEST_DRIFT = 5e-4
"""NTP slews a clock by no more than this (RFC 5905, section 11.3: 500 ppm)."""


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


@dataclass(frozen=True, kw_only=True)
class Track:
    """How far another clock was ahead of ours before a run and after it.

    Attributes
    ----------
    begin_ns, end_ns
        When that was, on the other clock.
    """

    before: Offset
    after: Offset
    begin_ns: int
    end_ns: int

    @property
    def drift_ns(self) -> int:
        """How much farther ahead it was after the run."""
        return self.after.ns - self.before.ns

    @property
    def uncertainty_ns(self) -> int:
        """How far `ours` may be wrong: by what either offset may be, and by half the drift if it was uneven."""
        return max(self.before.uncertainty_ns, self.after.uncertainty_ns) + abs(self.drift_ns) // 2

    def ours(self, theirs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Instants of the other clock on ours, any shape; between the two offsets on a straight line."""
        if self.drift_ns == 0:
            return theirs - self.before.ns
        share = (theirs - self.begin_ns) / max(1, self.end_ns - self.begin_ns)
        return theirs - self.before.ns - np.rint(share * self.drift_ns).astype(np.int64)

    def suspicions(self, host: str) -> tuple[str, ...]:
        """A sentence if it drifted by more than a clock that is kept by NTP does, beyond what is uncertain."""
        rate = _FASTEST_DRIFT * (self.end_ns - self.begin_ns)
        doubt = self.before.uncertainty_ns + self.after.uncertainty_ns
        if abs(self.drift_ns) <= rate + doubt:
            return ()
        return (
            f"the clock of {host} ran {abs(self.drift_ns) * 1e-6:.3g} ms away from the driver's during the run",
        )


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
