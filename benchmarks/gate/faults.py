"""The faults: what is done to a host of the testbed, and which verdict is the right one."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from validate.testbeds import shaped_links
from validate.testbeds.netns import NetnsTestbed

_SPIN = "import os\nos.sched_setaffinity(0, {0})\nwhile True: pass"
_BUSY_CPU = 0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A kind of fault.

    Attributes
    ----------
    up, down
        What is left of a link's rate; `one_way`: one direction, chosen by chance, gets `up`.
    busy
        Whether another process computes on the only core that the host then has.
    midway
        Whether it comes after the first survey.
    """

    name: str
    up: float = 1.0
    down: float = 1.0
    one_way: bool = False
    busy: bool = False
    midway: bool = False


FAULTS = (
    Fault(name="one link −10 %, one way", up=0.9, one_way=True),
    Fault(name="one link −15 %, one way", up=0.85, one_way=True),
    Fault(name="one link −30 %, one way", up=0.7, one_way=True),
    Fault(name="a busy core on one host", busy=True),
    Fault(name="a host's rate halved midway", up=0.5, down=0.5, midway=True),
)
SOUND = Fault(name="no fault")


@dataclass(frozen=True, kw_only=True)
class FaultCase:
    """A fault on a host, and the aspects of it that the gate should name."""

    fault: Fault
    repeat: int
    host: str
    aspects: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.fault.name} #{self.repeat}"


def case(fault: Fault, repeat: int, hosts: tuple[str, ...]) -> FaultCase:
    """Which host and which direction, by a seed of its own: all hosts in turn, directions by chance."""
    number = FAULTS.index(fault) if fault in FAULTS else len(FAULTS)
    rng = np.random.default_rng([number, repeat])
    host = hosts[repeat % len(hosts)]
    if fault.busy:
        return FaultCase(fault=fault, repeat=repeat, host=host, aspects=("CPU",))
    aspects = (str(rng.choice(["up", "down"])),) if fault.one_way else ("up", "down")
    return FaultCase(fault=fault, repeat=repeat, host=host, aspects=aspects if fault != SOUND else ())


class Injected:
    """Does a case's fault to the testbed, and undoes it."""

    def __init__(self, bed: NetnsTestbed, of: FaultCase, rate: float) -> None:
        self._bed, self._case, self._rate = bed, of, rate
        self._spinning: subprocess.Popen[bytes] | None = None

    def put(self) -> None:
        """The fault is there from now on, also when links are shaped for another run."""
        fault = self._case.fault
        if fault.busy:
            self._make_busy()
            return
        self._bed.rate_factors = self._factors()
        self._shape()

    def take_away(self) -> None:
        """The testbed is sound again."""
        if self._spinning is not None:
            self._spinning.send_signal(signal.SIGKILL)
            self._spinning.wait()
            # Also the processes that were started meanwhile, which have inherited it.
            self._confine(os.sched_getaffinity(0))
        if self._bed.rate_factors:
            self._bed.rate_factors = {}
            self._shape()

    def _factors(self) -> Mapping[str, tuple[float, float]]:
        fault, aspects = self._case.fault, self._case.aspects
        if fault.one_way:
            return {self._case.host: (fault.up, 1.0) if aspects == ("up",) else (1.0, fault.up)}
        return {self._case.host: (fault.up, fault.down)}

    def _shape(self) -> None:
        up, down = self._bed.rate_factors.get(self._case.host, (1.0, 1.0))
        rates = shaped_links.Rates(up=up * self._rate, down=down * self._rate)
        shaped_links.shape({self._case.host: rates}, self._bed.shaping)

    def _make_busy(self) -> None:
        """The host has one core of the machine, and a process that computes has it too."""
        self._confine({_BUSY_CPU})
        host = self._case.host
        self._spinning = subprocess.Popen([*shaped_links.enter(host), sys.executable, "-S", "-c", _SPIN])

    def _confine(self, cpus: set[int]) -> None:
        """All threads of the host's processes may use these only."""
        for pid in self._bed.cluster.host_processes()[self._case.host]:
            for task in Path(f"/proc/{pid}/task").glob("*"):
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(task.name), cpus)
