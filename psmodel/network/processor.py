"""Processors of threads: one core for each thread, or a host's cores shared."""

from collections.abc import Callable
from typing import Any

import simpy

from psmodel.network.decided import Decided
from psmodel.network.fluid import Link
from psmodel.network.network import FluidNetwork


class _Later(Decided):
    """A call to come. Nobody else waits for it, so that all can share one list of callbacks."""

    __slots__ = ("call",)
    call: Callable[[], Any]

    def __init__(self, env: simpy.Environment) -> None:
        self.env = env
        self.callbacks = _CALL


def _call(later: Any) -> None:
    later.call()


_CALL: list[Callable[[Any], None]] = [_call]


def after(env: simpy.Environment, delay: float, call: Callable[[], Any]) -> None:
    """Call once `delay` seconds have passed; at once if it is 0, without an event."""
    if delay == 0:
        call()
        return
    later = _Later(env)
    later.call = call
    later.after(delay)


def when(event: simpy.Event, call: Callable[[], Any]) -> None:
    """Call when the event happens; at once if it has."""
    if event.callbacks is None:
        call()
    else:
        event.callbacks.append(lambda _: call())


class Processor:
    """Where one host's threads run: each on its own core, or all sharing `cores` (processor sharing).

    What copies takes the `memory` channels too, of which there is one second per second for all.
    """

    def __init__(self, network: FluidNetwork, cores: Link | None, memory: Link | None = None) -> None:
        self._network = network
        self.cores = cores
        self.memory = memory

    def work(self, seconds: float, memory_s: float = 0.0) -> simpy.Event:
        """`seconds` of one thread's work, `memory_s` of them of the memory channels; longer if others are there."""
        copies = self.memory is not None and memory_s > 0
        if seconds == 0 or (self.cores is None and not copies):
            return self._network.env.timeout(seconds)
        path, weights = ([], []) if self.cores is None else ([self.cores], [1.0])
        if self.memory is not None and copies:
            path, weights = [*path, self.memory], [*weights, memory_s / seconds]
        return self._network.flow(path, seconds, max_rate=1.0, weights=weights)

    def stop(self, work: simpy.Event, seconds: float, began: float) -> float:
        """Give up work of `seconds` that began at `began`; gives what is left of it."""
        if isinstance(work, Decided):
            return self._network.stop(work)
        return max(0.0, seconds - (self._network.env.now - began))
