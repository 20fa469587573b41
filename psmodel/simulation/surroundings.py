"""What all workers of a simulation share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import simpy

from psmodel.network.hosts import Host
from psmodel.network.network import FluidNetwork
from psmodel.scenario import Scenario
from psmodel.service_demands import Demands
from psmodel.simulation.coordinator import Coordinator
from psmodel.simulation.monitor import Monitor
from psmodel.simulation.shard import Shard

if TYPE_CHECKING:
    from psmodel.simulation.messages.exchange import Exchange


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all workers of a simulation share.

    Attributes
    ----------
    shards
        Those that hold something.
    iterations
        How many each worker does; infinite for workers that go on until nobody looks any more.
    update_cost
        One iterator per shard that gives the random part of the next update's service time, s.
    outstanding
        Called with +1 when a push starts and with −1 when it has been applied.
    exchange
        What carries their messages, if those are not simulated one by one.
    """

    env: simpy.Environment
    scenario: Scenario
    demands: Demands
    network: FluidNetwork
    shards: list[Shard]
    coordinator: Coordinator
    monitor: Monitor
    iterations: float
    update_cost: list[Iterator[float]]
    outstanding: Callable[[int], None]
    exchange: "Exchange | None" = None

    def trace_transfer(
        self, name: str, worker: int, shard: Shard, begin: float, src: Host, dst: Host
    ) -> None:
        """A transfer that ends now, on both links that it took."""
        if src is not dst:
            for link in (src.up, dst.down):
                self.monitor.span(
                    link.name, name, begin, self.env.now, overlapping=True, worker=worker, shard=shard.index
                )

    def trace_iteration(self, worker: int, row: str, iteration: int) -> None:
        """An iteration of a worker that ends now, phase by phase, in its row."""
        monitor, i = self.monitor, (worker, iteration)
        edges = [getattr(monitor, name)[i] for name in ("start", "pulled", "computed", "pushed", "released")]
        for name, begin, end in zip(("pull", "compute", "push", "wait"), edges, edges[1:], strict=False):
            if end > begin:
                monitor.span(row, name, float(begin), float(end), iteration=iteration)
