"""Runs a scenario on a testbed: real actors, real calls; gives the record of what happened."""

import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psmodel.draws import compute_times, update_costs
from psmodel.errors import CannotRun, UserError
from psmodel.results import Array
from psmodel.scenario import Scenario
from psmodel.scenario.features import model_only
from validate import clocks
from validate.dtypes import epsilon
from validate.environment import Watch, environment, processes_with
from validate.measurement import ComputeBy, Instants, Measurement, Updates, compute_by, with_compute_on
from validate.testbeds.base import Placement, Testbed, require_iterations


class RunFailed(UserError):
    """The run broke off; the sentence says why."""


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


def run(
    scenario: Scenario,
    testbed: Testbed,
    *,
    repetition: int = 0,
    suite: str | None = None,
    part: str | None = None,
    link_goodput: Mapping[str, float] | None = None,
    on_observation: Callable[[Observation], None] | None = None,
    observe_every_s: float = 1.0,
) -> Measurement:
    """Run a scenario for real on a testbed that has been entered.

    Parameters
    ----------
    repetition
        Chooses the random numbers too, as a simulation's `replication`.
    suite, part
        Kept in the record, see `Measurement`.
    link_goodput
        What the testbed measured before with these links; it measures again if not given.
    on_observation
        Called now and then with what the shards say meanwhile.

    Raises
    ------
    BadInput
        If the scenario does not say how many iterations.
    CannotRun
        If the testbed cannot host the scenario.
    RunFailed
        If Ray broke off the run.
    """
    import ray

    require_iterations(scenario)
    spent = compute_by(scenario)
    scenario = with_compute_on(scenario, spent)
    if unreal := model_only(scenario):
        raise CannotRun(f"scenario {scenario.name} has {unreal[0]}, which the model has but no testbed makes")
    placement = testbed.prepare(scenario)
    goodput = testbed.link_goodput() if link_goodput is None else link_goodput
    actors = _Actors(scenario, placement, repetition=repetition, compute_by=spent)
    try:
        actors.connect()
        started_at = datetime.now(UTC)
        watch = Watch(_ours)
        logs = actors.work(on_observation, observe_every_s)
        load = watch.load()
        finished = ray.get([shard.finish.remote() for shard in actors.shards])
    except ray.exceptions.RayError as error:
        sentence = str(error).strip().splitlines()
        raise RunFailed(
            f"scenario {scenario.name} broke off on {testbed.name}: {sentence[-1] if sentence else error!r}"
        ) from error
    finally:
        actors.kill()

    pushed = np.stack([values for _, values in logs])
    sums_ok = all(
        _sum_ok(scenario, log[:, :2], pushed[:, :, k], least, largest)
        for k, (log, least, largest) in enumerate(finished)
    )
    ticks = np.stack([ns - offset.ns for (ns, _), offset in zip(logs, actors.worker_offsets, strict=True)])
    origin = int(ticks[:, 0, 0].min())
    updates = _updates(
        _used(scenario),
        [log for log, _, _ in finished],
        [offset.ns + origin for offset in actors.shard_offsets],
    )
    offsets = actors.worker_offsets + actors.shard_offsets
    columns: list[Array] = list(np.moveaxis((ticks - origin) * 1e-9, 2, 0))
    return Measurement(
        run_id=uuid.uuid4().hex,
        scenario=scenario,
        testbed=testbed.name,
        suite=suite,
        part=part,
        repetition=repetition,
        compute_by=spent,
        environment=environment(),
        link_goodput=dict(goodput),
        load=load,
        clock_uncertainty_s=2e-9 * max(offset.uncertainty_ns for offset in offsets),
        sums_ok=sums_ok,
        suspect=load.suspicions(networked=scenario.placement != "single-host"),
        started_at=started_at.isoformat(timespec="seconds"),
        duration_s=float(max(columns[-1].max(), updates.end.max(initial=0.0))),
        instants=Instants(**dict(zip(actors.columns, columns, strict=True))),
        updates=updates,
    )


def _ours() -> list[int]:
    """Processes of this run: all that were started with the testbed's token, and this one."""
    token = os.environ.get("RAY_AUTH_TOKEN_PATH", "")
    return list({os.getpid(), *processes_with("RAY_AUTH_TOKEN_PATH", token)})


def _used(scenario: Scenario) -> list[int]:
    """The shards that hold something; the others would never be called."""
    return [k for k, elements in enumerate(scenario.shard_elements) if elements > 0]


class _Actors:
    """The actors of one run."""

    def __init__(
        self, scenario: Scenario, placement: Placement, *, repetition: int, compute_by: ComputeBy
    ) -> None:
        import ray

        from validate.server import Coordinator, ParameterServerShard
        from validate.worker import INSTANTS, Worker

        self.columns = INSTANTS
        self._scenario = scenario
        updates = scenario.workers * scenario.total_iterations
        costs: list[list[float] | None] = [None] * scenario.shards
        if scenario.update_cost.is_random or scenario.update_cost.expected() > 0:
            costs = [list(islice(c, updates)) for c in update_costs(scenario, repetition)]
        shard_class, worker_class = ray.remote(ParameterServerShard), ray.remote(Worker)
        quorum = scenario.quorum if scenario.backup_workers else None
        decompress = (
            scenario.compression.decompress_time / scenario.total_elements if scenario.compression else 0.0
        )
        self.shards = [
            shard_class.options(**placement.shard_options[k]).remote(
                scenario.shard_elements[k], scenario.dtype, costs[k], quorum, decompress
            )
            for k in _used(scenario)
        ]
        slack = scenario.staleness_bound or 0
        coordinator = ray.remote(Coordinator).options(**placement.coordinator_options)
        self._coordinator = coordinator.remote(scenario.workers, slack, scenario.quorum)
        job = _job(scenario, compute_by)
        self._workers = [
            worker_class.options(**options).remote(index, job, times, self.shards, self._coordinator)
            for index, (times, options) in enumerate(
                zip(compute_times(scenario, repetition), placement.worker_options, strict=True)
            )
        ]
        self.worker_offsets: list[clocks.Offset] = []
        self.shard_offsets: list[clocks.Offset] = []

    def connect(self) -> None:
        """Wait until all are there, and see how their clocks stand."""
        import ray

        ray.get([actor.clock.remote() for actor in (*self._workers, *self.shards)])

        def ask(actor: Any) -> clocks.Reading:
            reading: clocks.Reading = ray.get(actor.clock.remote())
            return reading

        self.worker_offsets, self.shard_offsets = (
            [clocks.offset(partial(ask, actor)) for actor in actors]
            for actors in (self._workers, self.shards)
        )

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
            done, pending = ray.wait(pending, num_returns=1, timeout=timeout)
            ray.get(done)
            if not done and on_observation is not None:
                on_observation(self._observe(time.monotonic() - began))
        logs: list[tuple[NDArray[np.int64], NDArray[Any]]] = ray.get(running)
        return logs

    def _observe(self, elapsed_s: float) -> Observation:
        import ray

        seen = ray.get([shard.observe.remote() for shard in self.shards])
        pushing = self._scenario.push != "none"
        return Observation(
            elapsed_s=elapsed_s,
            applied=tuple(int(s["version"]) for s in seen),
            planned=self._scenario.quorum * self._scenario.total_iterations if pushing else 0,
            parameters=tuple((s["first"], s["last"]) for s in seen),
        )

    def kill(self) -> None:
        """End their processes."""
        import ray

        for actor in (*self._workers, *self.shards, self._coordinator):
            ray.kill(actor)


def _job(scenario: Scenario, compute_by: ComputeBy) -> Any:
    from validate.worker import Job

    elements = tuple(scenario.layer_elements[k] for k in _used(scenario))
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


def _updates(shards: Sequence[int], logs: Sequence[NDArray[np.int64]], origins: Sequence[int]) -> Updates:
    """The logs of these shards as one table, instants in s from the run's origin in each shard's own clock."""
    table = np.concatenate(logs)
    counts = [len(log) for log in logs]
    since = table[:, 3:] - np.repeat(np.array(origins, np.int64), counts)[:, None]
    return Updates(
        shard=np.repeat(np.array(shards), counts),
        worker=table[:, 0],
        iteration=table[:, 1],
        staleness=table[:, 2],
        begin=np.asarray(since[:, 0] * 1e-9, np.float64),
        end=np.asarray(since[:, 1] * 1e-9, np.float64),
    )


def _sum_ok(
    scenario: Scenario, order: NDArray[np.int64], pushed: NDArray[Any], least: float, largest: float
) -> bool:
    """Whether every push was applied once, and the parameters are exactly what that gives.

    All elements of an update are equal, so those of a shard are; added up in the order of application and in
    the parameters' own type, the result is exact for every type, however it rounds. Layers of one update may be
    applied between those of another, so that with layers the sum may round differently; and if updates also depend on
    the parameters (affine), those may differ by layer, so that nothing is said of them. With backup workers so
    many updates of each iteration are applied as it waits for.
    """
    applied = [(int(w), int(i)) for w, i in order]
    total = pushed.dtype.type(0)
    for position in applied:
        total += pushed[position]
    if scenario.push == "none":
        complete = not applied
    else:
        counts = np.bincount([i for _, i in applied], minlength=scenario.total_iterations)
        complete = len(set(applied)) == len(applied) and bool((counts == scenario.quorum).all())
    if scenario.layers and scenario.update_rule == "affine":
        return complete
    exact = 0.0 if not scenario.layers else scenario.workers * len(applied) * epsilon(pushed.dtype)
    return complete and all(
        abs(value - float(total)) <= exact * abs(float(total)) for value in (least, largest)
    )
