"""Events that are decided before they happen."""

import simpy

HALTED = -1
"""In place of the number of a flow that stands still."""


class Decided(simpy.Event):
    """An event whose success, once decided, may come after a delay and last of its instant.

    Attributes
    ----------
    flow
        The number of the flow whose end it is, `HALTED` while that stands still; None if it takes no time.
    whole
        The amount of that flow, from its beginning.
    """

    __slots__ = ("flow", "whole")

    def __init__(self, env: simpy.Environment) -> None:
        self.env = env
        self.callbacks = []
        self.flow: int | None = None
        self.whole = 0.0

    def after(self, delay: float, priority: simpy.events.EventPriority = simpy.events.NORMAL) -> "Decided":
        """Let it succeed in `delay` seconds."""
        self._ok = True
        self._value = None
        self.env.schedule(self, priority, delay)
        return self


def succeed_all(events: list[Decided], _: simpy.Event | None = None) -> None:
    """Let events happen one after the other as if each had been scheduled, in a third of the time."""
    for position, event in enumerate(events):
        callbacks = event.callbacks
        assert callbacks is not None
        event.callbacks = None  # type: ignore[assignment]  # as SimPy does
        event._ok, event._value = True, None
        try:
            for callback in callbacks:
                callback(event)
        except BaseException:  # the simulation stops here; it may be run on
            for later in events[position + 1 :]:
                later.after(0.0)
            raise
