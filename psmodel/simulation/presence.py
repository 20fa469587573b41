"""Processes that die and come back; their transfers stop while they are away."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import simpy

from psmodel.errors import BadInput
from psmodel.network.decided import Decided
from psmodel.network.network import FluidNetwork
from psmodel.random_streams import failure_gaps
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


class Presence:
    """Whether one worker or shard is there.

    Parameters
    ----------
    name
        Its row in a trace.
    deaths
        Counts those of all processes.

    Attributes
    ----------
    away
        Whether it is dead at the moment.
    back
        Happens with its next return.
    on_death
        Called at the instant it dies, once it is away.
    """

    def __init__(self, network: FluidNetwork, monitor: Monitor, *, name: str, deaths: Deaths) -> None:
        self.away = False
        self.back = network.env.event()
        self.on_death: Callable[[], None] | None = None
        self._name = name
        self._network, self._env, self._monitor = network, network.env, monitor
        self._transfers: dict[Decided, None] = {}
        self._until = 0.0
        self._deaths = deaths
        deaths.processes += 1

    def keep(self, transfer: Decided) -> None:
        """It takes part in this transfer, which stands still while it is away."""
        if transfer.flow is None or transfer.callbacks is None:
            return
        self._transfers[transfer] = None
        transfer.callbacks.append(lambda _: self._transfers.pop(transfer))
        if self.away:
            self._network.halt(transfer)

    def outages(
        self, position: int, failure: Failure, gaps: Iterator[float]
    ) -> Generator[simpy.Event, Any, None]:
        """Die and come back as entry `position` of the scenario's failures says; `gaps` are the times between."""
        for gap in gaps:
            if gap > 0:  # what happens at 0 s comes after a death at 0 s
                yield self._env.timeout(gap)
            self._deaths.another(position, failure)
            seconds = failure.repair_time
            if failure.checkpoint_interval is not None:
                seconds += self._env.now % failure.checkpoint_interval
            self._leave(seconds)
            yield self._env.timeout(seconds)
            self._return()

    def _leave(self, seconds: float) -> None:
        now = self._env.now
        self._monitor.span(self._name, "away", now, now + seconds, overlapping=True)
        self._until = max(self._until, now + seconds)
        if self.away:
            return
        self.away = True
        for transfer in self._transfers:
            self._network.halt(transfer)
        if self.on_death is not None:
            self.on_death()

    def _return(self) -> None:
        if not self.away or self._env.now < self._until:
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
    progress: Callable[[], int],
) -> dict[tuple[str, int], Presence]:
    """Role and index → the presence of every worker and shard that may die, with its outages set off.

    `progress` as in `Deaths`.
    """
    deaths = Deaths(progress)
    there: dict[tuple[str, int], Presence] = {}
    for position, failure in enumerate(scenario.failures):
        count = scenario.workers if failure.role == "worker" else scenario.shards
        for index in range(count) if failure.index is None else [failure.index]:
            key = (failure.role, index)
            if key not in there:
                there[key] = Presence(network, monitor, name=f"{failure.role}-{index}", deaths=deaths)
            gaps = failure_gaps(scenario, position, index, replication)
            network.env.process(there[key].outages(position, failure, gaps))
    return there
