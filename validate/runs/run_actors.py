"""The actors of one run: start them, query them, collect their logs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psmodel.random_streams import compute_times, update_costs
from psmodel.scenario import Scenario
from validate.actors import clocks
from validate.actors.mortality import PlannedDeaths, Restart
from validate.actors.presence import ProcessReport
from validate.machine.computing import ComputeBy
from validate.testbeds.base import Placement


@dataclass(frozen=True, kw_only=True)
class Observation:
    """The state of a run while it goes on.

    Attributes
    ----------
    elapsed_s
        Since the workers were told to start.
    applied
        Updates applied, shape (shards that hold something,); `planned` is what each will have in the end.
    parameters
        First and last parameter of each of them.
    """

    elapsed_s: float
    applied: tuple[int, ...]
    planned: int
    parameters: tuple[tuple[float, float], ...]


def used(scenario: Scenario) -> list[int]:
    """The shards that hold something; the others would never be called."""
    return [k for k, elements in enumerate(scenario.shard_elements) if elements > 0]


class Actors:
    """The actors of one run."""

    def __init__(
        self,
        scenario: Scenario,
        placement: Placement,
        *,
        repetition: int,
        compute_by: ComputeBy,
        deaths: Mapping[str, PlannedDeaths],
    ) -> None:
        import ray

        from validate.actors.shard import CoordinatorActor
        from validate.actors.worker import INSTANTS

        self.columns = INSTANTS
        self.scenario = scenario
        times_by_worker = compute_times(scenario, repetition)
        updates = (1 + bool(deaths)) * scenario.workers * scenario.total_iterations  # some more than once
        costs: list[list[float] | None] = [None] * scenario.shards
        if scenario.update_cost.is_random or scenario.update_cost.expected() > 0:
            costs = [list(islice(c, updates)) for c in update_costs(scenario, repetition)]
        self.longest_step_s = max(float(times_by_worker.max()), *(max(c or [0.0]) for c in costs))
        self._deaths = deaths
        self.restarts: dict[str, list[Restart]] = {}
        self.shards = [self._shard(k, placement.shard_options[k], costs[k]) for k in used(scenario)]
        slack = scenario.staleness_bound or 0
        coordinator = ray.remote(CoordinatorActor).options(**placement.coordinator_options)
        mortal = [
            shard for shard, k in zip(self.shards, used(scenario), strict=True) if f"shard-{k}" in deaths
        ]
        self._coordinator = coordinator.remote(scenario.workers, slack, scenario.quorum, mortal)
        job = _job(scenario, compute_by)
        self._workers = [
            self._worker(index, options, job, times)
            for index, (times, options) in enumerate(
                zip(times_by_worker, placement.worker_options, strict=True)
            )
        ]
        self._offsets: list[tuple[clocks.Offset, int]] = []
        self.worker_clocks: list[clocks.Track] = []
        self.shard_clocks: list[clocks.Track] = []

    def _shard(self, k: int, options: Mapping[str, Any], costs: list[float] | None) -> Any:
        """The actor of a shard."""
        import ray

        from validate.actors.restarts import RestartableShard
        from validate.actors.shard import ParameterServerShard

        scenario = self.scenario
        decompress = (
            scenario.compression.decompress_time / scenario.total_elements if scenario.compression else 0.0
        )
        if (plan := self._deaths.get(f"shard-{k}")) is not None:
            mortal = ray.remote(RestartableShard).options(**options, **_retried(plan))
            return mortal.remote(scenario.shard_elements[k], scenario.dtype, costs, decompress, plan)
        quorum = scenario.quorum if scenario.backup_workers else None
        shard = ray.remote(ParameterServerShard).options(**options)
        return shard.remote(scenario.shard_elements[k], scenario.dtype, costs, quorum, decompress)

    def _worker(self, index: int, options: Mapping[str, Any], job: Any, times: NDArray[np.float64]) -> Any:
        """The actor of a worker."""
        import ray

        from validate.actors.restarts import RestartableWorker
        from validate.actors.worker import WorkerActor

        if (plan := self._deaths.get(f"worker-{index}")) is not None:
            mortal = ray.remote(RestartableWorker).options(**options, **_retried(plan))
            return mortal.remote(index, job, times, self.shards, [self._coordinator], plan)
        worker = ray.remote(WorkerActor).options(**options)
        return worker.remote(index, job, times, self.shards, self._coordinator)

    @property
    def mortal(self) -> set[str]:
        """Names, as in `presence`, of the workers and shards that will die."""
        return {process.replace("-", " ") for process, plan in self._deaths.items() if plan.gaps_s}

    def connect(self) -> dict[str, ProcessReport]:
        """Wait until all are there, and see how their clocks stand; who is where, by name."""
        there = self.presence()
        self._offsets = self._clocks()
        return there

    def _clocks(self) -> list[tuple[clocks.Offset, int]]:
        """Of workers and shards, in this order: how far each is ahead of ours, and what it says about now."""
        import ray

        def ask(actor: Any) -> clocks.ClockReading:
            reading: clocks.ClockReading = ray.get(actor.clock.remote())
            return reading

        read = []
        for actor in (*self._workers, *self.shards):
            offset = clocks.offset(partial(ask, actor))
            read.append((offset, time.monotonic_ns() + offset.ns))
        return read

    def _tracks(self) -> tuple[list[clocks.Track], list[clocks.Track]]:
        """Of the clocks of workers and of shards, from `connect` until now."""
        tracks = [
            clocks.Track(before=before, after=after, begin_ns=begin, end_ns=end)
            for (before, begin), (after, end) in zip(self._offsets, self._clocks(), strict=True)
        ]
        return tracks[: len(self._workers)], tracks[len(self._workers) :]

    def clock_suspicions(self) -> tuple[str, ...]:
        """A sentence for each host whose clock drifted too fast."""
        tracks = [(f"worker {i}", track) for i, track in enumerate(self.worker_clocks)]
        tracks += [
            (f"shard {k}", track) for k, track in zip(used(self.scenario), self.shard_clocks, strict=True)
        ]
        return tuple(sentence for name, track in tracks for sentence in track.suspicions(f"{name}'s host"))

    def presence(self) -> dict[str, ProcessReport]:
        """Actor's name → its process and what TCP did on its host."""
        import ray

        actors = {f"worker {i}": worker for i, worker in enumerate(self._workers)}
        actors |= {f"shard {k}": shard for k, shard in zip(used(self.scenario), self.shards, strict=True)}
        actors["the coordinator"] = self._coordinator
        answers = ray.get([actor.presence.remote() for actor in actors.values()])
        return dict(zip(actors, answers, strict=True))

    def work(
        self, on_observation: Callable[[Observation], None] | None, every_s: float
    ) -> list[tuple[NDArray[np.int64], NDArray[Any]]]:
        """All workers' loops; what each of them logged."""
        import ray

        began = time.monotonic()
        running = [worker.run.remote() for worker in self._workers]
        pending, timeout = running, None if on_observation is None else every_s
        while pending:
            # One at a time: an error is then seen at once, while the others wait for the failed worker.
            ready, pending = ray.wait(pending, num_returns=1, timeout=timeout)
            ray.get(ready)
            if not ready and on_observation is not None:
                on_observation(self._observe(time.monotonic() - began))
        logs: list[tuple[NDArray[np.int64], NDArray[Any]]] = ray.get(running)
        return logs

    def finish(self) -> list[tuple[NDArray[np.int64], float, float]]:
        """What each shard logged, and its least and largest parameter; how the clocks stand is seen once more."""
        import ray

        self.worker_clocks, self.shard_clocks = self._tracks()
        logs: list[tuple[NDArray[np.int64], float, float]] = ray.get(
            [shard.finish.remote() for shard in self.shards]
        )
        actors = {f"worker-{i}": worker for i, worker in enumerate(self._workers)}
        actors |= {f"shard-{k}": shard for k, shard in zip(used(self.scenario), self.shards, strict=True)}
        self.restarts = {
            process: ray.get(actor.restarts.remote())
            for process, actor in actors.items()
            if process in self._deaths
        }
        return logs

    def _observe(self, elapsed_s: float) -> Observation:
        import ray

        states = ray.get([shard.observe.remote() for shard in self.shards])
        pushing = self.scenario.push != "none"
        return Observation(
            elapsed_s=elapsed_s,
            applied=tuple(int(s["version"]) for s in states),
            planned=self.scenario.quorum * self.scenario.total_iterations if pushing else 0,
            parameters=tuple((s["first"], s["last"]) for s in states),
        )

    def kill(self) -> None:
        """End their processes."""
        import ray

        for actor in (*self._workers, *self.shards, self._coordinator):
            ray.kill(actor)


def _retried(plan: PlannedDeaths) -> dict[str, int]:
    """Ray's options of an actor that dies so: it is started again, and asked again what it has not answered."""
    return {"max_restarts": len(plan.gaps_s), "max_task_retries": -1}


def _job(scenario: Scenario, compute_by: ComputeBy) -> Any:
    from validate.actors.worker import Job

    elements = tuple(scenario.layer_elements[k] for k in used(scenario))
    layers = [sum(column) for column in zip(*elements, strict=True)]
    compress = scenario.compression.compress_time if scenario.compression else 0.0
    return Job(
        layer_elements=elements,
        pushed_elements=tuple(tuple(map(scenario.pushed_elements, counts)) for counts in elements),
        compute_shares=tuple(layer.compute_share for layer in scenario.layers) or (0.0,),
        compress_times=tuple(compress * count / scenario.total_elements for count in layers),
        dtype=scenario.dtype,
        update_rule=scenario.update_rule,
        pull=scenario.pull,
        prefetch=scenario.prefetch,
        push=scenario.push,
        max_in_flight_pushes=scenario.max_in_flight_pushes,
        in_step=scenario.mode != "asp",
        burn=compute_by == "burn",
    )
