"""Builds a scenario's workers, shards and network, runs them and gathers what they did."""

import math
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import simpy

from psmodel.calibration import IDEAL, Calibration
from psmodel.demands import Demands, demands, rack_rates
from psmodel.draws import compute_times, failure_gaps, update_costs
from psmodel.results import Prediction, Timeline, ingress_per_shard, metrics
from psmodel.scenario import Scenario
from psmodel.scenario.features import alike
from psmodel.scenario.parts import Failure
from psmodel.simulation.coordinator import Coordinator
from psmodel.simulation.fluid import Link
from psmodel.simulation.monitor import Monitor
from psmodel.simulation.network import FluidNetwork, Host, Rack, rare_collections, tolerance_note
from psmodel.simulation.processor import Processor
from psmodel.simulation.shard import Shard
from psmodel.simulation.worker import Worker
from psmodel.trace import Span

_LONG = 1e6
"""Seconds of background traffic that one flow stands for; then another follows."""
_NAMED_UP_TO = 32
"""So many hosts of a role are listed one by one in the results; of more, only the busiest and the mean."""


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """A prediction and the run it comes from.

    Attributes
    ----------
    spans
        What happened when, if a trace was asked for.
    elapsed_s
        Simulated seconds until the last update was applied.
    most_waiting_bytes
        Largest memory that updates waiting at one shard took.
    """

    prediction: Prediction
    timeline: Timeline
    spans: tuple[Span, ...]
    elapsed_s: float
    most_waiting_bytes: float


def _shards_alike(scenario: Scenario, d: Demands) -> bool:
    """Whether the very same happens to shards of one size: then one stands for all of them."""
    return (
        alike(scenario, "shards")
        and d.request == 0
        and not any(any(p.send) for p in d.pushes)
        and d.head_start == 0
    )


def _workers_alike(scenario: Scenario, d: Demands) -> bool:
    """Whether the very same happens to all workers: in step, and never behind each other at a shard."""
    return (
        alike(scenario, "workers")
        and not any(d.reply)
        and not any(any(p.apply) for p in d.pushes)
        and d.head_start == 0
    )


def predict(
    scenario: Scenario,
    calibration: Calibration = IDEAL,
    *,
    replication: int = 0,
    trace: bool = False,
    tolerance: float = 0.0,
) -> Simulation:
    """Simulate a scenario.

    Parameters
    ----------
    replication
        Which independent set of random numbers to use; the same one gives the same result.
    trace
        Keep a span for everything that happened.
    tolerance
        0 for exact transfers; above it, see `FluidNetwork`. The prediction's notes say so.
    """
    if scenario.is_steady:
        scenario = scenario.replace(iterations=1)
    with rare_collections():
        return _Run(scenario, calibration, replication=replication, trace=trace, tolerance=tolerance).result()


class _Run:
    def __init__(
        self,
        scenario: Scenario,
        calibration: Calibration,
        *,
        replication: int,
        trace: bool,
        tolerance: float = 0.0,
    ) -> None:
        self._scenario = scenario
        self._demands = demands(scenario, calibration)
        self._replication = replication
        self._env = simpy.Environment()
        self._network = FluidNetwork(
            self._env,
            propagation_delay=self._demands.propagation_delay,
            head_start=self._demands.head_start,
            tolerance=tolerance,
        )
        self._tolerance = tolerance
        self._all_cores = (
            None if scenario.total_cores is None else self._network.add_link("cores", scenario.total_cores)
        )
        self._shared_host: tuple[Host, Processor] | None = None
        self._shard_groups = self._group_shards()
        n = scenario.workers
        self._worker_counts = [n] if _workers_alike(scenario, self._demands) else [1] * n
        self._monitor = Monitor(
            scenario, self._worker_counts, [count for _, count in self._shard_groups], trace=trace
        )
        self._outstanding = 0
        self._drained = self._env.event()
        self._pairs: list[tuple[Host, Processor]] = []
        self._racks = self._make_racks()
        self._shards = self._make_shards()
        self._workers = self._make_workers()
        self._disturb()

    def _group_shards(self) -> list[tuple[int, int]]:
        sizes = self._scenario.shard_sizes
        if not _shards_alike(self._scenario, self._demands):
            return [(index, 1) for index in range(len(sizes))]
        groups = [list(members) for _, members in groupby(range(len(sizes)), key=sizes.__getitem__)]
        return [(members[0], len(members)) for members in groups]

    def _processor(self, name: str) -> Processor:
        cores = self._scenario.cores_per_host
        if self._all_cores is not None:
            return Processor(self._network, self._all_cores)
        return Processor(self._network, None if cores is None else self._network.add_link(name, cores))

    def _host(self, role: str, index: int, count: int) -> tuple[Host, Processor]:
        d, placement = self._demands, self._scenario.placement
        if placement == "single-host":
            if self._shared_host is None:
                host = self._network.add_host("host", up=d.worker_up, down=d.worker_down)
                self._shared_host = host, self._processor("host.cores")
            return self._shared_host
        if placement == "colocated" and role == "worker" and index < len(self._pairs):
            return self._pairs[index]
        up, down = (d.worker_up, d.worker_down) if role == "worker" else (d.shard_up, d.shard_down)
        rack = self._racks[index % len(self._racks)] if self._racks else None
        host = self._network.add_host(f"{role}-{index}", up=up, down=down, count=count, rack=rack)
        pair = host, self._processor(f"{host.name}.cores")
        if role == "shard":
            self._pairs.append(pair)
        return pair

    def _make_racks(self) -> list[Rack]:
        if self._scenario.racks is None:
            return []
        rates = rack_rates(self._scenario, self._demands)
        return [self._network.add_rack(f"rack-{i}", up=up, down=down) for i, (up, down) in enumerate(rates)]

    def _disturb(self) -> None:
        """Set off the background traffic and the shards' failures."""
        links = {link.name: link for link in self._network.links}
        for traffic in self._scenario.background:
            self._env.process(self._flood(links[traffic.link], traffic.rate))
        for failure, index, gaps in self._failures("shard"):
            self._env.process(self._outages(self._shards[index], failure, gaps))

    def _flood(self, link: Link, rate: float) -> Generator[simpy.Event, Any, None]:
        while True:
            yield self._network.flow([link], rate * _LONG, max_rate=rate)

    def _outages(
        self, shard: Shard, failure: Failure, gaps: Iterator[float]
    ) -> Generator[simpy.Event, Any, None]:
        for gap in gaps:
            yield self._env.timeout(gap)
            away = failure.repair_time
            if failure.checkpoint_interval is not None:
                away += self._env.now % failure.checkpoint_interval
            shard.die(away)
            self._monitor.span(
                f"shard-{shard.index}", "away", self._env.now, self._env.now + away, overlapping=True
            )
            yield self._env.timeout(away)

    def _failures(self, role: str) -> Iterator[tuple[Failure, int, Iterator[float]]]:
        """Each way in which a host of a role may die: the host's index, and the times between its deaths."""
        count = self._scenario.workers if role == "worker" else self._scenario.shards
        for position, failure in enumerate(self._scenario.failures):
            if failure.role == role:
                for index in range(count) if failure.index is None else [failure.index]:
                    yield failure, index, failure_gaps(self._scenario, position, index, self._replication)

    def _make_shards(self) -> list[Shard]:
        shards: list[Shard] = []
        for position, (first, count) in enumerate(self._shard_groups):
            if position % self._scenario.shards_per_host:
                host, processor = shards[-1].host, shards[-1].processor
            else:
                host, processor = self._host("shard", first // self._scenario.shards_per_host, count)
            shards.append(
                Shard(
                    self._env,
                    index=position,
                    member=first,
                    size=self._demands.sizes[first],
                    host=host,
                    processor=processor,
                    quorum=self._scenario.quorum if self._scenario.backup_workers else math.inf,
                )
            )
        return shards

    def _make_workers(self) -> list[Worker]:
        scenario = self._scenario
        coordinator = Coordinator(self._env, scenario)
        times = compute_times(scenario, self._replication)
        costs = update_costs(scenario, self._replication)[: len(self._shards)]
        failures: defaultdict[int, list[tuple[Failure, Iterator[float]]]] = defaultdict(list)
        for failure, index, gaps in self._failures("worker"):
            failures[index].append((failure, gaps))
        workers = []
        for index, count in enumerate(self._worker_counts):
            host, processor = self._host("worker", index, count)
            worker = Worker(
                self._env,
                index=index,
                count=count,
                host=host,
                processor=processor,
                shards=self._shards,
                scenario=scenario,
                demands=self._demands,
                network=self._network,
                coordinator=coordinator,
                monitor=self._monitor,
                compute_times=times[index].tolist(),
                update_cost=costs,
                failures=failures[index],
                outstanding=self._count,
            )
            workers.append(worker)
            self._count(1)
            process = self._env.process(worker.run())
            assert process.callbacks is not None
            process.callbacks.append(lambda _: self._count(-1))
        return workers

    def _count(self, change: int) -> None:
        self._outstanding += change
        if self._outstanding == 0:
            self._drained.succeed()

    def result(self) -> Simulation:
        self._env.run(self._drained)
        elapsed = float(self._env.now)
        timeline = self._monitor.timeline()
        usage = self._usage(elapsed)
        classes = {name: max(values) for name, values in usage.items() if values}
        named = {
            f"{role} {index} {what}": value
            for (role, what), values in ((tuple(k.split(" ", 1)), v) for k, v in usage.items())
            if 1 < len(values) <= _NAMED_UP_TO
            for index, value in enumerate(values)
        }
        queues = [s.response_sum_s / elapsed if elapsed > 0 else 0.0 for s in self._shards]
        pulled = self._scenario.workers * self._scenario.total_bytes
        pushed = self._scenario.workers * sum(self._scenario.pushed_sizes)
        prediction = Prediction(
            scenario=self._scenario.name,
            method="simulate",
            metrics=metrics(timeline),
            bottleneck=max(classes, key=classes.__getitem__),
            bounds=(),
            notes=() if self._tolerance == 0 else (tolerance_note(self._tolerance),),
            ingress_time_per_shard_s=tuple(ingress_per_shard(timeline).tolist())
            if self._scenario.push != "none"
            else (),
            utilisation=classes | named,
            queue_length={
                "shard mean": float(np.mean(queues)),
                "shard most": float(max(s.longest_queue for s in self._shards)),
            },
            bytes_per_iteration={
                "push": float(pushed) if self._scenario.push != "none" else 0.0,
                "pull": float(pulled) if self._scenario.pull != "none" else 0.0,
            },
        )
        return Simulation(
            prediction=prediction,
            timeline=timeline,
            spans=tuple(self._monitor.spans),
            elapsed_s=elapsed,
            most_waiting_bytes=max(s.most_waiting_bytes for s in self._shards),
        )

    def _usage(self, elapsed: float) -> Mapping[str, list[float]]:
        """Utilisation of each resource over the whole run, by class, one value per simulated host."""

        def share(seconds: float) -> float:
            return seconds / elapsed if elapsed > 0 else 0.0

        usage: dict[str, list[float]] = {}
        if self._scenario.placement != "single-host":
            usage |= {
                "shard ingress": [s.host.down.utilisation(elapsed) for s in self._shards],
                "shard egress": [s.host.up.utilisation(elapsed) for s in self._shards],
                "worker ingress": [w.host.down.utilisation(elapsed) for w in self._workers],
                "worker egress": [w.host.up.utilisation(elapsed) for w in self._workers],
            }
        usage |= {
            "shard CPU": [share(s.busy_s) for s in self._shards],
            "worker CPU": [share(w.busy_s) for w in self._workers],
        }
        shared = self._all_cores or (self._shared_host and self._shared_host[1].cores)
        if shared is not None:
            usage["host cores"] = [shared.utilisation(elapsed)]
        return usage
