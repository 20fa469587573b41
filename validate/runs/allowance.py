"""What runs may take of a cluster that others use too: time in all, and bandwidth on average."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from psmodel.errors import CannotRun
from psmodel.units import format_time


class NoTime(CannotRun):
    """The time that runs may take is over, or too short for the next one."""


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """Limits of a command; without any, nothing is held back.

    Attributes
    ----------
    max_bandwidth
        Bytes/s that the busiest link may carry on average over a run and the pause after it.
    max_duration_s
        Seconds from the making of this until the last run has to be over.
    """

    max_bandwidth: float | None = None
    max_duration_s: float | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    began: float = field(default=-1.0)

    def __post_init__(self) -> None:
        if self.began < 0:
            object.__setattr__(self, "began", self.clock())

    def left_s(self) -> float | None:
        """Seconds that are left.

        Raises
        ------
        NoTime
            If none are.
        """
        if self.max_duration_s is None:
            return None
        left = self.began + self.max_duration_s - self.clock()
        if left <= 0:
            raise NoTime(f"--max-duration {format_time(self.max_duration_s)} is over")
        return left

    def pause(self, busiest_bytes: float, since: float) -> None:
        """Wait until what the busiest link has carried `since` then is no more than the limit on average.

        Raises
        ------
        NoTime
            If that would take longer than is left.
        """
        if self.max_bandwidth is None:
            return
        seconds = since + busiest_bytes / self.max_bandwidth - self.clock()
        if seconds <= 0:
            return
        left = self.left_s()
        if left is not None and left < seconds:
            self.sleep(left)
            raise NoTime(
                f"--max-duration ends in the pause of {format_time(seconds)} that --max-bandwidth needs after a run"
            )
        self.sleep(seconds)
