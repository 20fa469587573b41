"""How fast this machine copies memory: one core alone, and more and more of them at once.

NumPy copies one array into another on 1, 2, 4 … up to all cores at once, threads that each have arrays of their own
(a copy holds no lock of the interpreter). What all of them together reach at most is the rate of the memory channels,
which whoever copies shares; STREAM (J. D. McCalpin, "Memory bandwidth and machine balance in current high performance
computers", 1995) measures the same.
"""

import threading
import time
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

from psmodel.limits import machine

ARRAY_BYTES = 32_000_000
"""Each of the two arrays of a core: larger than what a core has of the caches."""
_SECONDS = 0.15


@dataclass(frozen=True, kw_only=True)
class MemoryRates:
    """Bytes copied per second: each byte is read once and written once.

    Attributes
    ----------
    alone
        By one core while the others do nothing.
    together
        By as many at once as copy most in all, which is `cores` of them.
    """

    alone: float
    together: float
    cores: int

    def to_json(self) -> dict[str, Any]:
        """Name → value."""
        return asdict(self)


@cache
def memory_rates() -> MemoryRates:
    """Of this machine, measured once in a process: under a second for up to 16 cores.

    Notes
    -----
    Other work on the machine makes them too low. They hold for arrays that come from memory; what fits into a cache
    is copied faster, and does not share the channels.
    """
    most = machine.cores()
    counts = sorted({1 << power for power in range(most.bit_length()) if 1 << power < most} | {most})
    rates = {count: _rate(count) for count in counts}
    best = max(rates, key=rates.__getitem__)
    return MemoryRates(alone=rates[1], together=rates[best], cores=best)


def _rate(count: int) -> float:
    """Bytes/s of so many threads that copy at once, all of them from the first one's start to the last one's end."""
    arrays = [(np.zeros(ARRAY_BYTES, np.uint8), np.ones(ARRAY_BYTES, np.uint8)) for _ in range(count)]
    ready = threading.Barrier(count + 1)
    copied = [0] * count
    ended = [0.0] * count

    def copy(index: int) -> None:
        target, source = arrays[index]
        np.copyto(target, source)  # now both have their memory
        ready.wait()
        end = time.perf_counter() + _SECONDS
        while time.perf_counter() < end:
            np.copyto(target, source)
            copied[index] += ARRAY_BYTES
        ended[index] = time.perf_counter()

    threads = [threading.Thread(target=copy, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return sum(copied) / (max(ended) - began)
