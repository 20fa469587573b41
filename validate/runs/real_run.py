"""Runs a scenario on a testbed: real actors, real calls; gives the record of what happened."""

import math
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psmodel.errors import CannotRun
from psmodel.results import Array, Outage
from psmodel.scenario import Scenario
from psmodel.scenario.features import model_only
from psmodel.units import format_time
from validate.actors.clocks import Track
from validate.actors.dtypes import epsilon
from validate.actors.mortality import Restart
from validate.actors.presence import ProcessReport
from validate.machine.computing import compute_by, with_compute_on
from validate.machine.environment import Load, Watch, processes_of, this_machine
from validate.machine.open_links import is_open, require_links
from validate.measurements.measurement import Instants, Measurement, Updates
from validate.runs.allowance import NoTime
from validate.runs.disturbance import retransmissions, silence
from validate.runs.logs import keep
from validate.runs.planned_deaths import plans, require_possible
from validate.runs.run_actors import Actors, Observation, used
from validate.runs.run_forecast import expected_s
from validate.testbeds.base import Testbed, host_names, require_iterations
from validate.testbeds.ended_logs import remove_ended
from validate.testbeds.patience import EVERY_S, bounded, guarded
from validate.testbeds.vigil import RunFailed, Signs, TestbedLost, Vigil, start_limit, upper_limit

__all__ = ["Observation", "RunFailed", "TestbedLost", "run"]

_LOOKS_AFTER_ERROR = 8
_LOOKS_AT_DOORS = 28
"""Of other machines only ports can be asked, once a second; three refusals say that a host's Ray has ended."""
_KILL_S = 5.0


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
    logs: Path | None = None,
    at_most_s: float | None = None,
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
    logs
        Folder to keep the log of a process in that died of the run.
    at_most_s
        Seconds after which it has to be over.

    Raises
    ------
    BadInput
        If the scenario does not say how many iterations.
    CannotRun
        If the testbed cannot host the scenario; `NoTime` if it is predicted to take longer than `at_most_s`.
    RunFailed
        If an actor died or stopped for good, Ray broke off the run, or it took 10 times as long as predicted.
    TestbedLost
        If no other run can be made on this testbed either.
    """
    require_iterations(scenario)
    spent = compute_by(scenario)
    scenario = with_compute_on(scenario, spent)
    if unreal := model_only(scenario):
        raise CannotRun(f"scenario {scenario.name} has {unreal[0]}, which the model has but no testbed makes")
    require_possible(scenario, testbed)
    require_links(scenario, testbed.name)
    placement = testbed.prepare(scenario)
    links_probed, scenario = is_open(scenario), placement.scenario or scenario
    if at_most_s is not None and expected_s(scenario) > at_most_s:
        raise NoTime(
            f"scenario {scenario.name} takes {format_time(expected_s(scenario))} or more, and --max-duration leaves "
            f"{format_time(at_most_s)}"
        )
    goodput = testbed.link_goodput() if link_goodput is None else link_goodput
    rates = [math.inf] if scenario.bandwidth is None else [rate for _, rate in scenario.bandwidth]
    signs = testbed.signs()
    vigil = Vigil(signs, f"scenario {scenario.name} on {testbed.name}", slowest_rate=min(rates))
    try:
        most_s = math.inf if at_most_s is None else at_most_s
        with plans(scenario, repetition) as deaths:
            actors = partial(
                Actors, scenario, placement, repetition=repetition, compute_by=spent, deaths=deaths
            )
            watch = _watched(actors, vigil, on_observation, observe_every_s, most_s)
    except RunFailed as failed:
        raise _with_log(failed, signs, logs) from None
    finally:
        vigil.close()
        remove_ended(signs.logs(""))

    instants, updates, outages, uncertainty_s = _timed(scenario, watch)
    return Measurement(
        run_id=uuid.uuid4().hex,
        scenario=scenario,
        testbed=testbed.name,
        suite=suite,
        part=part,
        repetition=repetition,
        compute_by=spent,
        environment=this_machine(),
        link_goodput=dict(goodput),
        load=watch.load,
        clock_uncertainty_s=uncertainty_s,
        sums_ok=_sums_ok(scenario, watch),
        suspect=(
            *watch.load.suspicions(networked=scenario.placement != "single-host"),
            *vigil.suspicions(),
            *signs.disturbances(),
            *retransmissions(watch.before, watch.after),
            *watch.actors.clock_suspicions(),
            *silence(instants, (updates.begin, updates.end), watch.actors.longest_step_s, outages),
        ),
        started_at=watch.started_at.isoformat(timespec="seconds"),
        duration_s=float(max(instants["released"].max(), updates.end.max(initial=0.0))),
        hosts=watch.hosts,
        instants=Instants(**instants),
        updates=updates,
        links_probed=links_probed,
        outages=outages,
    )


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What a run that finished left in the actors' hands."""

    actors: Actors
    started_at: datetime
    load: Load
    before: Mapping[str, ProcessReport]
    after: Mapping[str, ProcessReport]
    hosts: tuple[tuple[str, str], ...]
    worker_logs: list[tuple[NDArray[np.int64], NDArray[Any]]]
    shard_logs: list[tuple[NDArray[np.int64], float, float]]


def _with_log(failed: RunFailed, signs: Signs, logs: Path | None) -> RunFailed:
    """The same failure, with the name of the log that was kept of it, if there is one."""
    blamed = failed.blamed
    if logs is None or blamed is None:
        return failed
    path = keep(logs, blamed.name, signs.log_files(blamed))
    return failed if path is None else type(failed)(f"{failed}; log: {path}", blamed=blamed)


def _timed(scenario: Scenario, watch: _Seen) -> tuple[dict[str, Array], Updates, tuple[Outage, ...], float]:
    """Instants, updates and outages on one clock, in s since the first worker started; how far clocks may be apart."""
    actors = watch.actors
    ticks = np.stack(
        [track.ours(ns) for (ns, _), track in zip(watch.worker_logs, actors.worker_clocks, strict=True)]
    )
    origin = int(ticks[:, 0, 0].min())
    updates = _updates(
        used(scenario),
        [log for log, _, _ in watch.shard_logs],
        actors.shard_clocks,
        origin,
    )
    columns: list[Array] = list(np.moveaxis((ticks - origin) * 1e-9, 2, 0))
    tracks = actors.worker_clocks + actors.shard_clocks
    uncertainty_s = 2e-9 * max(track.uncertainty_ns for track in tracks)
    return dict(zip(actors.columns, columns, strict=True)), updates, _outages(actors, origin), uncertainty_s


def _outages(actors: Actors, origin: int) -> tuple[Outage, ...]:
    """All deaths in the order of their time, in s since the run's origin (ns on the driver's clock)."""
    clocks = {f"worker-{i}": track for i, track in enumerate(actors.worker_clocks)}
    clocks |= {f"shard-{k}": of for k, of in zip(used(actors.scenario), actors.shard_clocks, strict=True)}
    outages = []
    for process, restarts in actors.restarts.items():
        for restart in restarts:
            instants = clocks[process].ours(np.array([restart.died_ns, restart.back_ns])) - origin
            died, back = (instants * 1e-9).tolist()
            loss = restart.end_lost - restart.first_lost
            outages.append(Outage(process=process, died_s=died, back_s=back, updates_lost=loss))
    return tuple(sorted(outages, key=lambda outage: outage.died_s))


def _sums_ok(scenario: Scenario, watch: _Seen) -> bool:
    """Whether every shard holds what was pushed to it."""
    pushed = np.stack([values for _, values in watch.worker_logs])
    restarts = watch.actors.restarts
    return all(
        _sum_ok(
            scenario, log[:, :2], _missing(len(log), restarts.get(f"shard-{k}", ())), pushed[:, :, n], *limits
        )
        for n, (k, (log, *limits)) in enumerate(zip(used(scenario), watch.shard_logs, strict=True))
    )


def _missing(updates: int, restarts: Sequence[Restart]) -> NDArray[np.bool_]:
    """Whether each update of a shard's log was lost when it died, shape (updates,)."""
    missing = np.zeros(updates, np.bool_)
    for restart in restarts:
        missing[restart.first_lost : restart.end_lost] = True
    return missing


def _watched(
    make: Callable[[], Actors],
    vigil: Vigil,
    on_observation: Callable[[Observation], None] | None,
    observe_every_s: float,
    at_most_s: float,
) -> _Seen:
    """Make the actors, let them work, ask them; all of it looked after by the vigil."""
    import ray

    actors: Actors | None = None
    before: Mapping[str, ProcessReport] = {}
    finished = False
    try:
        actors = guarded(make, vigil.look)
        vigil.limit(start := start_limit(actors.scenario), f"its actors had not started after {start:.0f} s")
        before = guarded(actors.connect, vigil.look)
        vigil.meet({of.pid: name for name, of in before.items() if name not in actors.mortal})
        started_at = datetime.now(UTC)
        watch = Watch(_ours)
        limit = upper_limit(actors.scenario)
        if at_most_s < limit:
            vigil.limit(at_most_s, f"--max-duration had left {format_time(at_most_s)} for it")
        else:
            vigil.limit(limit, f"it had not ended after {limit:.0f} s, 10 times its prediction and a minute")
        worker_logs = guarded(partial(actors.work, on_observation, observe_every_s), vigil.look)
        load = watch.load()
        shard_logs, after, names = guarded(
            lambda: (actors.finish(), actors.presence(), host_names()), vigil.look
        )
        finished = True
    except (ray.exceptions.RayError, ConnectionError) as error:
        # Who has died is seen below /proc at about the time when Ray says that somebody has.
        for _ in range(_LOOKS_AFTER_ERROR if vigil.sees_processes else _LOOKS_AT_DOORS):
            vigil.look()
            time.sleep(EVERY_S)
        raise RunFailed(f"{vigil.what} broke off: {_in_a_sentence(error)}") from error
    finally:
        if actors is not None:
            bounded(actors.kill, _KILL_S)
        if not finished:
            vigil.kill()
    return _Seen(
        actors=actors,
        started_at=started_at,
        load=load,
        before=before,
        after=after,
        hosts=tuple((actor, names.get(of.node, of.node)) for actor, of in after.items()),
        worker_logs=worker_logs,
        shard_logs=shard_logs,
    )


def _in_a_sentence(error: Exception) -> str:
    """What Ray says, whose messages are several lines with the point in the last or in a list."""
    text = str(error).strip()
    fields = dict(re.findall(r"^\s*(class_name|pid): (\S+)$", text, re.MULTILINE))
    if fields.keys() == {"class_name", "pid"}:
        return f"{fields['class_name']} (process {fields['pid']}) has died"
    return text.splitlines()[-1].removeprefix("RuntimeError: ").partition(". ")[0] if text else repr(error)


def _ours() -> list[int]:
    """Processes of this run: all that belong to the testbed's directory, and this one."""
    directory = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "")).parent
    return list({os.getpid(), *processes_of(directory)})


def _updates(
    shards: Sequence[int], logs: Sequence[NDArray[np.int64]], tracks: Sequence[Track], origin: int
) -> Updates:
    """The logs of these shards as one table, instants in s from the run's origin (ns on the driver's clock)."""
    table = np.concatenate(logs)
    counts = [len(log) for log in logs]
    since = np.concatenate([track.ours(log[:, 3:]) for log, track in zip(logs, tracks, strict=True)]) - origin
    return Updates(
        shard=np.repeat(np.array(shards), counts),
        worker=table[:, 0],
        iteration=table[:, 1],
        staleness=table[:, 2],
        begin=np.asarray(since[:, 0] * 1e-9, np.float64),
        end=np.asarray(since[:, 1] * 1e-9, np.float64),
    )


def _sum_ok(
    scenario: Scenario,
    order: NDArray[np.int64],
    missing: NDArray[np.bool_],
    pushed: NDArray[Any],
    least: float,
    largest: float,
) -> bool:
    """Whether every push was applied once, and the parameters are exactly what those give that are not lost.

    All elements of an update are equal, so those of a shard are; added up in the order of application and in
    the parameters' own type, the result is exact for every type, however it rounds. Layers of one update may be
    applied between those of another, so that with layers the sum may round differently; and if updates also depend on
    the parameters (affine), those may differ by layer, so that nothing is said of them. With backup workers so
    many updates of each iteration are applied as it waits for.
    """
    applied = [(int(w), int(i)) for w, i in order[~missing]]
    every = {*applied, *((int(w), int(i)) for w, i in order[missing])}
    total = pushed.dtype.type(0)
    for position in applied:
        total += pushed[position]
    if scenario.push == "none":
        complete = not applied
    else:
        counts = np.bincount([i for _, i in every], minlength=scenario.total_iterations)
        complete = len(set(applied)) == len(applied) and bool((counts == scenario.quorum).all())
    if scenario.layers and scenario.update_rule == "affine":
        return complete
    exact = 0.0 if not scenario.layers else scenario.workers * len(applied) * epsilon(pushed.dtype)
    return complete and all(
        abs(value - float(total)) <= exact * abs(float(total)) for value in (least, largest)
    )
