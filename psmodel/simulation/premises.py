"""The machines of a scenario: hosts, their processors and links, racks, and the traffic of others."""

from collections.abc import Generator
from typing import Any

import simpy

from psmodel.calibration import Calibration
from psmodel.network.fluid import Link
from psmodel.network.hosts import Host, Rack
from psmodel.network.network import FluidNetwork
from psmodel.network.processor import Processor
from psmodel.scenario import Scenario
from psmodel.service_demands import Demands, rack_rates

_LONG = 1e6
"""Seconds of background traffic that one flow stands for; then another follows."""


class Premises:
    """Hosts, made as they are asked for.

    Attributes
    ----------
    network
        What connects them.
    copies_meet
        Whether there are memory channels for which processes may have to wait.
    """

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        demands: Demands,
        calibration: Calibration,
        *,
        tolerance: float,
    ) -> None:
        self._env, self._scenario, self._demands = env, scenario, demands
        self.network = FluidNetwork(
            env,
            propagation_delay=demands.propagation_delay,
            head_start=demands.head_start,
            crossing=demands.crossing,
            tolerance=tolerance,
        )
        self._all_cores = (
            None if scenario.total_cores is None else self.network.add_link("cores", scenario.total_cores)
        )
        self.copies_meet = False
        self._copies = calibration.memory_s_per_byte > 0
        self._all_memory = self._memory("memory") if scenario.total_cores is not None else None
        self._shared_host: tuple[Host, Processor] | None = None
        self._pairs: dict[tuple[str, int], tuple[Host, Processor]] = {}
        self._racks = self._make_racks()

    @property
    def shared_cores(self) -> Link | None:
        """Cores that all processes share, if they do."""
        return self._all_cores or (self._shared_host[1].cores if self._shared_host else None)

    @property
    def shared_memory(self) -> Link | None:
        """Memory channels that all processes share, if they do."""
        return self._all_memory or (self._shared_host[1].memory if self._shared_host else None)

    def _processor(self, name: str, *, shared: bool) -> Processor:
        cores = self._scenario.cores_per_host
        if self._all_cores is not None:
            return Processor(self.network, self._all_cores, self._all_memory)
        return Processor(
            self.network,
            None if cores is None else self.network.add_link(f"{name}.cores", cores),
            # Who copies alone never waits for the memory's channels.
            self._memory(f"{name}.memory") if shared else None,
        )

    def _memory(self, name: str) -> Link | None:
        """A machine's memory channels: one second of copying per second, for all who copy."""
        if not self._copies:
            return None
        self.copies_meet = True
        return self.network.add_link(name, 1.0)

    def host(self, role: str, index: int, count: int) -> tuple[Host, Processor]:
        """A host of `count` shards or workers to which the same happens, and its processor."""
        d, placement = self._demands, self._scenario.placement
        if placement == "single-host":
            if self._shared_host is None:
                host = self.network.add_host("host", up=d.worker_up, down=d.worker_down)
                self._shared_host = host, self._processor("host", shared=True)
            return self._shared_host
        key = ("shard" if placement == "colocated" else role, index)
        if key in self._pairs:
            return self._pairs[key]
        up, down = (d.worker_up, d.worker_down) if role == "worker" else (d.shard_up, d.shard_down)
        shares = self._scenario.link_shares
        up, down = (
            rate * shares.get(f"{role}-{index}.{way}", 1.0) for way, rate in (("up", up), ("down", down))
        )
        rack = self._racks[index % len(self._racks)] if self._racks else None
        host = self.network.add_host(f"{role}-{index}", up=up, down=down, count=count, rack=rack)
        pair = self._pairs[key] = host, self._processor(host.name, shared=self._is_shared(role))
        return pair

    def _is_shared(self, role: str) -> bool:
        """Whether several processes share a host of this role's."""
        scenario = self._scenario
        if scenario.placement == "colocated":
            return True
        return (scenario.workers_per_host if role == "worker" else scenario.shards_per_host) > 1

    def _make_racks(self) -> list[Rack]:
        if self._scenario.racks is None:
            return []
        rates = rack_rates(self._scenario, self._demands.rates)
        return [self.network.add_rack(f"rack-{i}", up=up, down=down) for i, (up, down) in enumerate(rates)]

    def disturb(self) -> None:
        """Set off the background traffic."""
        links = {link.name: link for link in self.network.links}
        for traffic in self._scenario.background:
            self._env.process(self._flood(links[traffic.link], traffic.rate))

    def _flood(self, link: Link, rate: float) -> Generator[simpy.Event, Any, None]:
        while True:
            yield self.network.flow([link], rate * _LONG, max_rate=rate)
