"""Processes that die and come back; what was being sent then is sent anew."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

import simpy

from psmodel.errors import BadInput
from psmodel.network.decided import Decided
from psmodel.network.network import FluidNetwork
from psmodel.random_streams import failure_gaps
from psmodel.results import Outage
from psmodel.scenario import Scenario
from psmodel.scenario.parts import Failure
from psmodel.simulation.monitor import Monitor
from psmodel.units import format_time

_MOST_DEATHS = 1_000
"""While no worker ends an iteration; of more a run would hardly come to an end."""


class Deaths:
    """Counts them, so that a run in which nobody gets through ends in a sentence.

    Parameters
    ----------
    progress
        Gives a number that grows whenever a worker ends an iteration.
    """

    def __init__(self, progress: Callable[[], int]) -> None:
        self.processes = 0
        self._progress = progress
        self._progress_seen = self._count = 0

    def another(self, position: int, failure: Failure) -> None:
        """One more, by entry `position` of the scenario's failures."""
        if self._progress() > self._progress_seen:
            self._count, self._progress_seen = 0, self._progress()
        self._count += 1
        if self._count > _MOST_DEATHS + 100 * self.processes and failure.mean_time_between is not None:
            raise BadInput(
                f"failures.{position}.mean_time_between = {format_time(failure.mean_time_between)} is too short: "
                f"{self._count} deaths have come while no worker got to the end of an iteration; it is at least about "
                "as long as an iteration"
            )


class _Checkpoints:
    """How many updates a shard has applied since the last checkpoint of an entry of the scenario's failures."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._last = 0.0
        self._count = 0

    def applied(self, count: int, now: float) -> None:
        """So many more, now."""
        self._count = self.since(now) + count

    def since(self, now: float) -> int:
        """How many, now."""
        last = now // self._interval
        if last > self._last:
            self._last, self._count = last, 0
        return self._count

    def restored(self) -> None:
        """The shard is what it was at its last checkpoint."""
        self._count = 0


class Presence:
    """Whether one worker or shard is there.

    Parameters
    ----------
    name
        Its row in a trace.
    deaths
        Counts those of all processes.
    restart_s
        What starting it anew takes.

    Attributes
    ----------
    away
        Whether it is dead at the moment.
    back
        Happens with its next return.
    on_death
        Called at the instant it dies, once it is away.
    """

    def __init__(
        self, network: FluidNetwork, monitor: Monitor, *, name: str, deaths: Deaths, restart_s: float
    ) -> None:
        self.away = False
        self.back = network.env.event()
        self.on_death: Callable[[], None] | None = None
        self._name = name
        self._network, self._env, self._monitor = network, network.env, monitor
        self._transfers: dict[Decided, None] = {}
        self._outage = Outage(process=name, died_s=0.0, back_s=0.0)
        self._checkpoints: list[_Checkpoints] = []
        self._restart_s = restart_s
        self._deaths = deaths
        deaths.processes += 1

    def keep(self, transfer: Decided) -> None:
        """It receives this transfer, which ends if it dies, and begins anew once it is back."""
        if transfer.triggered or transfer.callbacks is None:
            return  # it takes no time
        self._transfers[transfer] = None
        transfer.callbacks.append(self._forget)
        if self.away:
            self._network.halt(transfer, anew=True)

    def _forget(self, transfer: Any) -> None:
        del self._transfers[transfer]

    def outages(
        self, position: int, failure: Failure, gaps: Iterator[float]
    ) -> Generator[simpy.Event, Any, None]:
        """Die and come back as entry `position` of the scenario's failures says; `gaps` are the times between."""
        checkpoints = None
        if failure.checkpoint_interval is not None and failure.since_checkpoint == "lost":
            checkpoints = _Checkpoints(failure.checkpoint_interval)
            self._checkpoints.append(checkpoints)
        for gap in gaps:
            if gap > 0:  # what happens at 0 s comes after a death at 0 s
                yield self._env.timeout(gap)
            self._deaths.another(position, failure)
            seconds = failure.repair_time + self._restart_s
            if failure.checkpoint_interval is not None and checkpoints is None:
                seconds += self._env.now % failure.checkpoint_interval
            self._leave(seconds, checkpoints)
            yield self._env.timeout(seconds)
            self._return()

    def applied(self, count: int) -> None:
        """A shard has applied so many updates."""
        for checkpoints in self._checkpoints:
            checkpoints.applied(count, self._env.now)

    def _leave(self, seconds: float, checkpoints: _Checkpoints | None) -> None:
        now = self._env.now
        self._monitor.span(self._name, "away", now, now + seconds, overlapping=True)
        if self.away:
            if now + seconds > self._outage.back_s:
                self._monitor.outage(replace(self._outage, back_s=now + seconds), instead_of=self._outage)
                self._outage = replace(self._outage, back_s=now + seconds)
            return
        self.away = True
        loss = 0 if checkpoints is None else checkpoints.since(now)
        for every in self._checkpoints:
            every.restored()
        self._outage = Outage(process=self._name, died_s=now, back_s=now + seconds, updates_lost=loss)
        self._monitor.outage(self._outage)
        for transfer in self._transfers:
            self._network.halt(transfer, anew=True)
        if self.on_death is not None:
            self.on_death()

    def _return(self) -> None:
        if not self.away or self._env.now < self._outage.back_s:
            return  # it is back already, or has died another time meanwhile
        self.away = False
        for transfer in self._transfers:
            self._network.resume(transfer)
        back, self.back = self.back, self._env.event()
        back.succeed()


def presences(
    network: FluidNetwork,
    monitor: Monitor,
    scenario: Scenario,
    replication: int,
    *,
    restart_s: float,
    progress: Callable[[], int],
) -> dict[tuple[str, int], Presence]:
    """Role and index → the presence of every worker and shard that may die, with its outages set off.

    `restart_s` as in `Presence`, `progress` as in `Deaths`.
    """
    deaths = Deaths(progress)
    there: dict[tuple[str, int], Presence] = {}
    for position, failure in enumerate(scenario.failures):
        count = scenario.workers if failure.role == "worker" else scenario.shards
        for index in range(count) if failure.index is None else [failure.index]:
            key = (failure.role, index)
            if key not in there:
                there[key] = Presence(
                    network, monitor, name=f"{failure.role}-{index}", deaths=deaths, restart_s=restart_s
                )
            gaps = failure_gaps(scenario, position, index, replication)
            network.env.process(there[key].outages(position, failure, gaps))
    return there
