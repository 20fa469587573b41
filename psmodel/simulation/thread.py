"""A worker's thread: it works on a processor, dies with its process, and then resumes or starts again."""

from collections.abc import Generator
from typing import Any

import simpy

from psmodel.network.processor import Processor
from psmodel.simulation.presence import Presence

Process = Generator[simpy.Event, Any, None]


class Thread:
    """What one SimPy process does on a host.

    Parameters
    ----------
    processor
        Its host's.
    presence
        If it may die: whether it is there.

    Attributes
    ----------
    busy_s
        Seconds of its own work, wherever that takes place.
    begins_anew
        Whether dying now throws what it does away: then whatever it waits for ends in ``simpy.Interrupt``.
    """

    def __init__(self, env: simpy.Environment, processor: Processor, presence: Presence | None) -> None:
        self.busy_s = 0.0
        self.begins_anew = False
        self._env = env
        self._processor = processor
        self._presence = presence
        self._process: simpy.Process | None = None
        self._working = False

    def start(self, process: Process) -> simpy.Process:
        """Let it do this."""
        self._process = self._env.process(process)
        return self._process

    def die(self) -> None:
        """Stop it where it is; it is away."""
        if self.begins_anew or self._working:
            assert self._process is not None
            self._process.interrupt()

    def there(self) -> Process:
        """Until it is not away."""
        while self._presence is not None and self._presence.away:
            yield self._presence.back

    def works(self, seconds: float, processor: Processor | None = None, *, memory_s: float = 0.0) -> Process:
        """It works so long (on its host's processor if no other is given), or waits for what works for it.

        `memory_s` are the seconds of it that take the memory channels too.
        """
        processor = processor or self._processor
        share = memory_s / seconds if seconds > 0 else 0.0
        while seconds > 0:
            if not self.begins_anew:
                yield from self.there()
            began, remaining, self._working = self._env.now, seconds, True
            work = processor.work(seconds, share * seconds)
            try:
                yield work
                remaining = 0.0
            except simpy.Interrupt:
                remaining = processor.stop(work, seconds, began)
                if self.begins_anew:
                    raise
            finally:
                self._working = False
                self.busy_s += seconds - remaining
            seconds = remaining
