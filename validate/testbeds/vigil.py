"""Watch a run: whether every process and host that takes part is alive and answers.

On this machine a process is looked at below /proc (proc(5)): it is gone, stopped (state T), or alive. Another
host answers if the port of its raylet accepts a connection (connect(2), not blocking); that costs three empty
packets a second.
"""

import contextlib
import errno
import math
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from psmodel import analytic
from psmodel.calibration import COEFFICIENTS, Calibration
from psmodel.errors import UserError
from psmodel.scenario import Scenario
from validate.testbeds.process_states import UNRESPONSIVE_S, StateWatch, process_state, process_title

STOPPED_S = 1.0
"""A process that was stopped for longer makes the run suspect."""
_ASK_EVERY_S = 1.0
_SCAN_EVERY_S = 1.0
_REFUSALS = 2
_PAUSE_S = 2.0
"""Between two looks: for longer only if this process itself was stopped, which is nobody else's silence."""
_FLOOR_S = 60.0
_TIMES = 10.0
_START_S, _START_EACH_S = 60.0, 10.0


class RunFailed(UserError):
    """The run broke off; the sentence says why.

    Attributes
    ----------
    blamed
        Whose logs may say more, if known.
    """

    def __init__(self, sentence: str, *, blamed: "Vital | None" = None) -> None:
        super().__init__(sentence)
        self.blamed = blamed


class TestbedLost(RunFailed):
    """The run broke off, and no other can be made before the testbed has been started anew."""

    __test__ = False  # no test, whatever pytest thinks of the name


@dataclass(frozen=True, kw_only=True)
class Vital:
    """Something that a run cannot do without.

    Attributes
    ----------
    name
        In a sentence's words.
    logs
        Pattern of the names of its log files.
    host
        Where it is, if the testbed has several.
    """

    name: str
    logs: str
    host: str = ""


@dataclass(frozen=True, kw_only=True)
class Signs:
    """What a testbed needs to be alive.

    Attributes
    ----------
    here
        Whether the actors' processes are this machine's, in this process's own process namespace.
    processes
        Process id → what every run needs.
    doors
        Host → address and port that accept connections as long as it lives.
    queue_bytes
        What may wait at a link before a knock gets its turn.
    scan
        Gives all processes of the testbed, if they are `here`.
    disturbances
        Says what has happened to the links since the scenario was prepared, a sentence each.
    logs
        Gives the folders of Ray's logs on a host, or on all if none is named.
    """

    here: bool = False
    processes: Mapping[int, Vital] = field(default_factory=dict)
    doors: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    queue_bytes: int = 0
    scan: Callable[[], Iterable[int]] = tuple
    disturbances: Callable[[], tuple[str, ...]] = tuple
    logs: Callable[[str], Iterable[Path]] = lambda _host: ()

    def log_files(self, of: Vital) -> list[Path]:
        """Ray's log files of something."""
        return [file for folder in self.logs(of.host) for file in folder.glob(of.logs)]


def upper_limit(scenario: Scenario) -> float:
    """Seconds after which a run is stopped: 10 times its upper prediction, and a minute.

    The upper prediction is the closed form's with every coefficient two standard deviations worse than usual, and the
    time that shards are away.
    """
    worse = {
        name: max(about.lower, min(about.upper, about.usual + sign * 2 * about.spread))
        for name, about in COEFFICIENTS.items()
        for sign in (-1 if name == "goodput_factor" else 1,)
    }
    iteration = analytic.predict(scenario, Calibration(**worse)).metrics.iteration_time_s
    seconds = scenario.total_iterations * iteration
    for failure in scenario.failures:
        count = 1
        if failure.index is None:
            count = scenario.workers if failure.role == "worker" else scenario.shards
        away = count * (failure.repair_time + worse["restart_s"])
        seconds += away if failure.mean_time_between is None else away * seconds / failure.mean_time_between
    return _FLOOR_S + _TIMES * seconds


def start_limit(scenario: Scenario) -> float:
    """Seconds that its actors may take to start: each is a process that has to import Ray."""
    return _START_S + _START_EACH_S * (scenario.workers + scenario.shards)


class Vigil:
    """Looks after a testbed, and the actors of one run on it.

    Parameters
    ----------
    signs
        The testbed's.
    what
        The run, in a sentence's words.
    slowest_rate
        Of a link, bytes/s: how long a knock may have to wait behind what is being transferred.
    clock
        Seconds, monotonic.
    """

    def __init__(
        self,
        signs: Signs,
        what: str,
        *,
        slowest_rate: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._signs, self.what, self._clock = signs, what, clock
        self._looked, self._paused = clock(), 0.0
        patience = UNRESPONSIVE_S + signs.queue_bytes / slowest_rate
        self._doors = [_Door(host, place, self._looked, patience) for host, place in signs.doors.items()]
        self._actors: dict[int, Vital] = {}
        self._met = not signs.here
        self._scanned = self._looked
        self._states = StateWatch()
        self._until = (float("inf"), "")

    @property
    def sees_processes(self) -> bool:
        """Whether the actors' processes are this machine's."""
        return self._signs.here

    def meet(self, actors: Mapping[int, str]) -> None:
        """From now on these processes belong to it, id → name; those of other machines cannot be looked at."""
        self._met = True
        if self._signs.here:
            self._actors = {pid: Vital(name=name, logs=f"*[-_]{pid}.*") for pid, name in actors.items()}

    def limit(self, seconds: float, why: str) -> None:
        """From now on it may go on for so long."""
        self._until = (self._now() + seconds, why)

    def _now(self) -> float:
        clock = self._clock()
        pause = clock - self._looked
        self._looked = clock
        if pause > _PAUSE_S:
            self._paused += pause
        return clock - self._paused

    def look(self) -> None:
        """Look once at all of it.

        Raises
        ------
        TestbedLost
            If a host, a raylet or the GCS is gone or does not answer.
        RunFailed
            If an actor is gone or stopped for good, or time is up.
        """
        now = self._now()
        for error, processes in ((TestbedLost, self._signs.processes), (RunFailed, self._actors)):
            for pid, vital in processes.items():
                if (reason := self._process(pid, vital.name, now)) is not None:
                    raise error(f"{self.what} broke off: {reason}", blamed=vital)
        if not self._met and now - self._scanned >= _SCAN_EVERY_S:
            self._scan(now)
        for door in self._doors:
            if (reason := door.look(now)) is not None:
                raylet = Vital(name=door.host, logs="raylet.*", host=door.host)
                silent = [other for other in self._doors if other.silent(now)]
                if len(silent) == len(self._doors) > 1:
                    # Not all of them at once: what they have in common is the way to them.
                    reason = f"none of the {len(silent)} other hosts has answered the head for {UNRESPONSIVE_S:.0f} s"
                    raylet = Vital(name="the head", logs="raylet.*")
                raise TestbedLost(f"{self.what} broke off: {reason}", blamed=raylet)
        end, why = self._until
        if now > end:
            raise RunFailed(f"{self.what} was stopped: {why}")

    def _scan(self, now: float) -> None:
        """Look for processes that were stopped before they said who they are."""
        self._scanned = now
        for pid in self._signs.scan():
            if process_state(pid) in ("T", "t"):
                title = process_title(pid)
                if (reason := self._process(pid, title, now)) is not None:
                    self._actors[pid] = Vital(name=title, logs=f"*[-_]{pid}.*")
                    raise RunFailed(f"{self.what} broke off: {reason}", blamed=self._actors[pid])

    def _process(self, pid: int, name: str, now: float) -> str | None:
        return self._states.trouble(pid, name, process_state(pid), now)

    def kill(self) -> None:
        """End the actors' processes, also those that are stopped."""
        for pid in self._actors:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Hang up on the hosts."""
        for door in self._doors:
            door.close()

    def suspicions(self) -> tuple[str, ...]:
        """What was seen that a good run does not have, a sentence each."""
        return tuple(
            f"{name} was stopped for {seconds:.1f} s"
            for name, seconds in self._states.stopped_s.items()
            if seconds >= STOPPED_S
        )


class _Door:
    """A port that is knocked at again and again, without waiting for the answer to the last knock."""

    def __init__(self, host: str, place: tuple[str, int], now: float, patience_s: float) -> None:
        self.host, self._place, self._patience_s = host, place, patience_s
        self._answered = self._knocked = now
        self._waiting: list[tuple[float, socket.socket]] = []
        self._refused = 0

    def look(self, now: float) -> str | None:
        """Why the host is to be given up, if it is."""
        if now - self._knocked >= _ASK_EVERY_S:
            self._knock(now)
        still = []
        for since, knocking in self._waiting:
            if self._answers(knocking, now) or now - since > self._patience_s:
                knocking.close()
            else:
                still.append((since, knocking))
        self._waiting = still
        if self._refused > _REFUSALS:
            return f"Ray on host {self.host} has ended"
        if now - self._answered > self._patience_s:
            return f"host {self.host} has stopped answering for {self._patience_s:.0f} s"
        return None

    def silent(self, now: float) -> bool:
        """Whether it is as good as given up; hosts that fall silent together are asked up to a second apart."""
        return now - self._answered > self._patience_s - 2 * _ASK_EVERY_S

    def _knock(self, now: float) -> None:
        self._knocked = now
        family = socket.AF_INET6 if ":" in self._place[0] else socket.AF_INET
        knocking = socket.socket(family, socket.SOCK_STREAM)
        knocking.setblocking(False)
        if knocking.connect_ex(self._place) in (0, errno.EINPROGRESS):
            self._waiting.append((now, knocking))
        else:
            knocking.close()

    def _answers(self, knocking: socket.socket, now: float) -> bool:
        _, ready, _ = select.select([], [knocking], [], 0)
        if not ready:
            return False
        error = knocking.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error in (0, errno.ECONNREFUSED):
            self._answered = now
            self._refused = 0 if error == 0 else self._refused + 1
        return True

    def close(self) -> None:
        for _, knocking in self._waiting:
            knocking.close()
        self._waiting = []
