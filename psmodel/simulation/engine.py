"""Builds a scenario's workers, shards and network, runs them and gathers what they did."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import simpy

from psmodel.calibration import IDEAL, Calibration
from psmodel.limits.budget import check
from psmodel.network.hosts import Host
from psmodel.random_streams import compute_times, endless_compute_times, update_costs
from psmodel.results import Array
from psmodel.scenario import Scenario
from psmodel.scenario.features import repeats
from psmodel.service_demands import demands
from psmodel.simulation.bundles import least_need, shards_alike, workers_alike
from psmodel.simulation.collection import SimulationResult, gather
from psmodel.simulation.coordinator import Coordinator
from psmodel.simulation.garbage import rare_collections
from psmodel.simulation.messages import in_rows
from psmodel.simulation.monitor import Monitor
from psmodel.simulation.needs import need
from psmodel.simulation.premises import Premises
from psmodel.simulation.presence import presences
from psmodel.simulation.shard import Shard
from psmodel.simulation.steady import DEFAULT_BUDGET, Budget, settle
from psmodel.simulation.surroundings import Surroundings
from psmodel.simulation.usage import Reading, read
from psmodel.simulation.worker import Worker

if TYPE_CHECKING:
    from psmodel.simulation.messages.exchange import Exchange

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
        self._on_progress = on_progress or (lambda *_: None)
        self._events, self._began = 0, time.monotonic()
        self.demands = demands(scenario, calibration)
        self._replication = replication
        self._env = simpy.Environment()
        self._premises = Premises(self._env, scenario, self.demands, calibration, tolerance=tolerance)
        self._network = self._premises.network
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
        self._coordinator = Coordinator(self._env, scenario)
        # The deaths come first, so that one at 0 s is before all else that happens then.
        self._presences = presences(
            self._network,
            self.monitor,
            scenario,
            replication,
            restart_s=self.demands.restart,
            progress=lambda: self._coordinator.ended,
        )
        self.shards = self._make_shards()
        self._workers = self._make_workers()
        self._premises.disturb()

    def _group_shards(self) -> list[tuple[int, int]]:
        sizes = self.scenario.shard_sizes
        if not shards_alike(self.scenario, self.demands):
            return [(index, 1) for index in range(len(sizes))]
        groups = [list(members) for _, members in groupby(range(len(sizes)), key=sizes.__getitem__)]
        return [(members[0], len(members)) for members in groups]

    def _make_shards(self) -> list[Shard]:
        shards: list[Shard] = []
        for position, (first, count) in enumerate(self._shard_groups):
            host, processor = self._premises.host("shard", first // self.scenario.shards_per_host, count)
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
        times: Sequence[Iterator[float]]
        if scenario.is_steady:
            times = endless_compute_times(scenario, self._replication)
        else:
            iterations = scenario.total_iterations
            times = [iter(row.tolist()) for row in compute_times(scenario, self._replication)]
        costs = update_costs(scenario, self._replication)[: len(self.shards)]
        shards = [shard for shard in self.shards if shard.size > 0]
        costs = [cost for cost, shard in zip(costs, self.shards, strict=True) if shard.size > 0]
        hosts = [
            self._premises.host("worker", index // scenario.workers_per_host, count)
            for index, count in enumerate(self._worker_counts)
        ]
        self._exchange = self._make_exchange(shards, [host for host, _ in hosts], costs)
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
            exchange=self._exchange,
        )
        workers = []
        for index, (count, (host, processor)) in enumerate(zip(self._worker_counts, hosts, strict=True)):
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

    def _make_exchange(
        self, shards: Sequence[Shard], hosts: Sequence[Host], update_cost: Sequence[Iterator[float]]
    ) -> "Exchange | None":
        """What carries the messages in rows of numbers, if that can be and pays."""
        scenario = self.scenario
        if self.monitor.may_trace or self._premises.copies_meet:
            return None
        if not in_rows(scenario, hosts, len(shards)):
            return None
        from psmodel.simulation.messages.exchange import Exchange

        return Exchange(
            self._env,
            network=self._network,
            demands=self.demands,
            monitor=self.monitor,
            shards=shards,
            workers=[*zip(hosts, self._worker_counts, strict=True)],
            scenario=scenario,
            update_cost=update_cost,
        )

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
        exchange = self._exchange
        while not monitor.reached:
            events = self._events + (exchange.events if exchange else 0)
            if budget and budget.is_spent(events=events, records=monitor.records, began=self._began):
                break
            for _ in range(_CHUNK):
                step()
                if monitor.reached:
                    break
            self._events += _CHUNK
            self._on_progress(self.finished, iterations)
        if exchange:
            exchange.report()
        return monitor.reached

    def result(self) -> SimulationResult:
        """All of a finite run, which ends when nothing is under way any more."""
        step, drained = self._env.step, self._drained
        while drained.callbacks is not None:
            for _ in range(_CHUNK):
                step()
                if drained.callbacks is None:
                    break
            self._on_progress(self.finished, self.scenario.total_iterations)
        if self._exchange:
            self._exchange.report()
        return gather(self, self.reading())

    def open(self, iterations: float = math.inf) -> Reading:
        """Keep what happens from now on, of the next `iterations` of each worker."""
        self.monitor.keep_from_now(iterations)
        if self._exchange:
            self._exchange.watch_anew()
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
            cores=self._premises.shared_cores,
            memory=self._premises.shared_memory,
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
