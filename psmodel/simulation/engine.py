"""Builds a scenario's workers, shards and network, runs them and gathers what they did."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import simpy

from psmodel.calibration import IDEAL, Calibration
from psmodel.limits.budget import check
from psmodel.network.fluid import Link
from psmodel.network.network import FluidNetwork, Host, Rack
from psmodel.network.processor import Processor
from psmodel.random_streams import compute_times, endless_compute_times, failure_gaps, update_costs
from psmodel.results import Array
from psmodel.scenario import Scenario
from psmodel.scenario.features import repeats
from psmodel.service_demands import demands, rack_rates
from psmodel.simulation.bundles import least_need, shards_alike, workers_alike
from psmodel.simulation.collection import SimulationResult, gather
from psmodel.simulation.coordinator import Coordinator
from psmodel.simulation.garbage import rare_collections
from psmodel.simulation.monitor import Monitor
from psmodel.simulation.needs import need
from psmodel.simulation.presence import Deaths, Presence
from psmodel.simulation.shard import Shard
from psmodel.simulation.steady import DEFAULT_BUDGET, Budget, settle
from psmodel.simulation.surroundings import Surroundings
from psmodel.simulation.usage import Reading, read
from psmodel.simulation.worker import Worker

_LONG = 1e6
"""Seconds of background traffic that one flow stands for; then another follows."""
_CHUNK = 1024
"""Events between two looks at the budget."""


def predict(
    scenario: Scenario,
    calibration: Calibration = IDEAL,
    *,
    replication: int = 0,
    trace: bool = False,
    precision: float = 0.01,
    budget: Budget = DEFAULT_BUDGET,
    tolerance: float = 0.0,
    on_progress: Callable[[int, int], None] | None = None,
) -> SimulationResult:
    """Simulate a scenario: the iterations that it gives, or without any its steady state.

    Parameters
    ----------
    replication
        Which independent set of random numbers to use; the same one gives the same result.
    trace
        Keep a span for everything that happened; of a steady state, in a few iterations.
    precision
        Relative half width of the 95 % confidence interval of a steady state's mean iteration time.
    budget
        When to give that precision up.
    tolerance
        0 for exact transfers; above it, see `FluidNetwork`: the prediction's notes then say so.
    on_progress
        Called with (iterations that all workers have finished, iterations that are aimed at).

    Raises
    ------
    CannotRun
        If it takes more memory or time than there is, see `psmodel.limits.budget`.
    """
    run = Run(
        scenario,
        calibration,
        replication=replication,
        trace=trace,
        tolerance=tolerance,
        on_progress=on_progress,
    )
    with rare_collections():
        if scenario.is_steady:
            return settle(run, precision=precision, budget=budget, trace=trace)
        return run.result()


class Run:
    """A simulation under way.

    Attributes
    ----------
    under_way
        Workers that are not at their end, and pushes that are not applied.
    monitor, demands, shards
        What is watched, what one iteration asks of each resource, and the simulated shards.
    """

    def __init__(
        self,
        scenario: Scenario,
        calibration: Calibration,
        *,
        replication: int,
        trace: bool,
        tolerance: float = 0.0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        check(least_need(scenario))
        self.scenario, self.tolerance = scenario, tolerance
        self._on_progress = on_progress or _silent
        self._events, self._began = 0, time.monotonic()
        self.demands = demands(scenario, calibration)
        self._replication = replication
        self._env = simpy.Environment()
        self._network = FluidNetwork(
            self._env,
            propagation_delay=self.demands.propagation_delay,
            head_start=self.demands.head_start,
            crossing=self.demands.crossing,
            tolerance=tolerance,
        )
        self._all_cores = (
            None if scenario.total_cores is None else self._network.add_link("cores", scenario.total_cores)
        )
        self._copies = calibration.memory_s_per_byte > 0
        self._all_memory = self._memory("memory") if scenario.total_cores is not None else None
        self._shared_host: tuple[Host, Processor] | None = None
        self._shard_groups = self._group_shards()
        n = scenario.workers
        self._worker_counts = [n] if workers_alike(scenario, self.demands) else [1] * n
        check(need(scenario, len(self._worker_counts), len(self._shard_groups), trace=trace))
        self.monitor = Monitor(
            scenario,
            self._worker_counts,
            [count for _, count in self._shard_groups],
            trace=trace and (not scenario.is_steady or repeats(scenario)),
        )
        self.monitor.may_trace = trace
        self.under_way = 0
        self._drained = self._env.event()
        self._pairs: dict[tuple[str, int], tuple[Host, Processor]] = {}
        self._racks = self._make_racks()
        self._coordinator = Coordinator(self._env, scenario)
        # The deaths come first, so that one at 0 s is before all else that happens then.
        self._presences = self._make_presences()
        self.shards = self._make_shards()
        self._workers = self._make_workers()
        self._disturb()

    def _group_shards(self) -> list[tuple[int, int]]:
        sizes = self.scenario.shard_sizes
        if not shards_alike(self.scenario, self.demands):
            return [(index, 1) for index in range(len(sizes))]
        groups = [list(members) for _, members in groupby(range(len(sizes)), key=sizes.__getitem__)]
        return [(members[0], len(members)) for members in groups]

    def _processor(self, name: str) -> Processor:
        cores = self.scenario.cores_per_host
        if self._all_cores is not None:
            return Processor(self._network, self._all_cores, self._all_memory)
        return Processor(
            self._network,
            None if cores is None else self._network.add_link(f"{name}.cores", cores),
            self._memory(f"{name}.memory"),
        )

    def _memory(self, name: str) -> Link | None:
        """A machine's memory channels: one second of copying per second, for all who copy."""
        return self._network.add_link(name, 1.0) if self._copies else None

    def _host(self, role: str, index: int, count: int) -> tuple[Host, Processor]:
        d, placement = self.demands, self.scenario.placement
        if placement == "single-host":
            if self._shared_host is None:
                host = self._network.add_host("host", up=d.worker_up, down=d.worker_down)
                self._shared_host = host, self._processor("host")
            return self._shared_host
        key = ("shard" if placement == "colocated" else role, index)
        if key in self._pairs:
            return self._pairs[key]
        up, down = (d.worker_up, d.worker_down) if role == "worker" else (d.shard_up, d.shard_down)
        shares = self.scenario.link_shares
        up, down = (
            rate * shares.get(f"{role}-{index}.{way}", 1.0) for way, rate in (("up", up), ("down", down))
        )
        rack = self._racks[index % len(self._racks)] if self._racks else None
        host = self._network.add_host(f"{role}-{index}", up=up, down=down, count=count, rack=rack)
        pair = self._pairs[key] = host, self._processor(host.name)
        return pair

    def _make_racks(self) -> list[Rack]:
        if self.scenario.racks is None:
            return []
        rates = rack_rates(self.scenario, self.demands.rates)
        return [self._network.add_rack(f"rack-{i}", up=up, down=down) for i, (up, down) in enumerate(rates)]

    def _disturb(self) -> None:
        """Set off the background traffic."""
        links = {link.name: link for link in self._network.links}
        for traffic in self.scenario.background:
            self._env.process(self._flood(links[traffic.link], traffic.rate))

    def _flood(self, link: Link, rate: float) -> Generator[simpy.Event, Any, None]:
        while True:
            yield self._network.flow([link], rate * _LONG, max_rate=rate)

    def _make_presences(self) -> dict[tuple[str, int], Presence]:
        """That of every worker and shard that may die, with its outages set off."""
        scenario, deaths = self.scenario, Deaths(lambda: self._coordinator.ended)
        presences: dict[tuple[str, int], Presence] = {}
        for position, failure in enumerate(scenario.failures):
            count = scenario.workers if failure.role == "worker" else scenario.shards
            for index in range(count) if failure.index is None else [failure.index]:
                key = (failure.role, index)
                if key not in presences:
                    name = f"{failure.role}-{index}"
                    presences[key] = Presence(self._network, self.monitor, name=name, deaths=deaths)
                gaps = failure_gaps(scenario, position, index, self._replication)
                self._env.process(presences[key].outages(position, failure, gaps))
        return presences

    def _make_shards(self) -> list[Shard]:
        shards: list[Shard] = []
        for position, (first, count) in enumerate(self._shard_groups):
            host, processor = self._host("shard", first // self.scenario.shards_per_host, count)
            shards.append(
                Shard(
                    self._env,
                    index=position,
                    member=first,
                    size=self.demands.sizes[first],
                    host=host,
                    processor=processor,
                    quorum=self.scenario.quorum if self.scenario.backup_workers else math.inf,
                    presence=self._presences.get(("shard", first)),
                )
            )
        return shards

    def _make_workers(self) -> list[Worker]:
        scenario = self.scenario
        iterations = math.inf
        times: Sequence[Iterator[float]] = endless_compute_times(scenario, self._replication)
        if not scenario.is_steady:
            iterations = scenario.total_iterations
            times = [iter(row.tolist()) for row in compute_times(scenario, self._replication)]
        costs = update_costs(scenario, self._replication)[: len(self.shards)]
        shards = [shard for shard in self.shards if shard.size > 0]
        costs = [cost for cost, shard in zip(costs, self.shards, strict=True) if shard.size > 0]
        shared = Surroundings(
            env=self._env,
            scenario=scenario,
            demands=self.demands,
            network=self._network,
            shards=shards,
            coordinator=self._coordinator,
            monitor=self.monitor,
            iterations=iterations,
            update_cost=costs,
            outstanding=self._count,
        )
        workers = []
        for index, count in enumerate(self._worker_counts):
            host, processor = self._host("worker", index // scenario.workers_per_host, count)
            worker = Worker(
                shared,
                index=index,
                count=count,
                host=host,
                processor=processor,
                compute_times=times[index],
                presence=self._presences.get(("worker", index)),
            )
            workers.append(worker)
            self._count(1)
            process = worker.start()
            assert process.callbacks is not None
            process.callbacks.append(lambda _: self._count(-1))
        return workers

    def _count(self, change: int) -> None:
        self.under_way += change
        if self.under_way == 0:
            self._drained.succeed()

    @property
    def now(self) -> float:
        """Simulated time, s."""
        return float(self._env.now)

    @property
    def finished(self) -> int:
        """Iterations that every worker has finished."""
        return min(self.monitor.finished)

    def advance(self, iterations: int, budget: Budget | None = None) -> bool:
        """Go on until every worker has finished so many iterations; False if the budget ends before."""
        monitor, step = self.monitor, self._env.step
        monitor.aim_at(iterations)
        while not monitor.reached:
            if budget and budget.is_spent(events=self._events, records=monitor.records, began=self._began):
                return False
            for _ in range(_CHUNK):
                step()
                if monitor.reached:
                    break
            self._events += _CHUNK
            self._on_progress(self.finished, iterations)
        return True

    def result(self) -> SimulationResult:
        """All of a finite run, which ends when nothing is under way any more."""
        step, drained = self._env.step, self._drained
        while drained.callbacks is not None:
            for _ in range(_CHUNK):
                step()
                if drained.callbacks is None:
                    break
            self._on_progress(self.finished, self.scenario.total_iterations)
        return gather(self, self.reading())

    def open(self, iterations: float = math.inf) -> Reading:
        """Keep what happens from now on, of the next `iterations` of each worker."""
        self.monitor.keep_from_now(iterations)
        for shard in self.shards:
            shard.watch_anew()
        return self.reading()

    def reading(self) -> Reading:
        """How busy all have been up to now."""
        return read(
            self.now,
            self.shards,
            self._workers,
            links=self.scenario.placement != "single-host",
            cores=self._all_cores or (self._shared_host[1].cores if self._shared_host else None),
            memory=self._all_memory or (self._shared_host[1].memory if self._shared_host else None),
        )

    def state(self) -> Array:
        """Pushes under way, calls at each shard, and how long each worker has been in its iteration, s."""
        monitor = self.monitor
        rows = zip(monitor.start, monitor.finished, strict=True)
        starts = np.array([row[count] if count < len(row) else np.nan for row, count in rows])
        within = np.nan_to_num(self.now - starts)
        return np.concatenate([[self.under_way], [s.calls for s in self.shards], within])

    def alike(self) -> dict[str, tuple[int, int]]:
        """Row of a trace → the first and the number of those that it stands for, where it is more than one."""
        rows: dict[str, tuple[int, int]] = {}
        for index, (worker, count) in enumerate(zip(self._workers, self._worker_counts, strict=True)):
            names = (f"worker-{index}", worker.host.up.name, worker.host.down.name)
            rows |= dict.fromkeys(names, (index, count))
        for shard, (first, count) in zip(self.shards, self._shard_groups, strict=True):
            names = (f"shard-{shard.index}", shard.host.up.name, shard.host.down.name)
            rows |= dict.fromkeys(names, (first, count))
        return {row: members for row, members in rows.items() if members[1] > 1}


def _silent(*_: int) -> None:
    """Nobody wants to know how far it is."""
