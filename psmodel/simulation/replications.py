"""Independent repetitions of a simulation, on all cores, until their mean is as precise as asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean

from psmodel import output_analysis, simulation
from psmodel.calibration import IDEAL, Calibration
from psmodel.engines import Crew, Engine, Processes
from psmodel.errors import BadInput
from psmodel.limits import budget, machine
from psmodel.results import Metrics, Prediction, SteadyState
from psmodel.scenario import Scenario

PRECISION = 0.01
"""Of a steady state, if none is asked for."""
MOST = 10_000
"""Replications after which a precision is given up."""


def replicate(
    scenario: Scenario,
    calibration: Calibration = IDEAL,
    *,
    replications: int | None = None,
    precision: float | None = None,
    processes: int | None = None,
    engine: Engine | None = None,
    tolerance: float = 0.0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Mean of independent simulations, with the 95 % confidence interval of every metric.

    Parameters
    ----------
    replications
        How many; or else
    precision
        the relative error of the mean iteration time to be reached, say 0.01 (Law 2015, section 9.4.1). Of a
        scenario in its steady state it is each simulation's own, and one is enough.
    processes
        How many to use, by default one per core. The result does not depend on it.
    engine
        Who simulates instead of processes of this machine, see `psmodel.engines`.
    tolerance
        As in `psmodel.simulation.predict`.
    on_progress
        Called with (replications done, replications that it takes as far as is known).

    Raises
    ------
    BadInput
        If the precision is not reached after `MOST` replications.
    CannotRun
        If what simulates breaks down, or has not the memory.
    """
    if not scenario.is_random:
        return simulation.predict(scenario, calibration, tolerance=tolerance).prediction
    if scenario.is_steady and (replications or 1) == 1:
        run = simulation.predict(
            scenario,
            calibration,
            precision=precision or PRECISION,
            tolerance=tolerance,
            on_progress=on_progress,
        )
        return run.prediction
    one = partial(_one, scenario, calibration, precision or PRECISION, tolerance)
    if scenario.is_steady:
        precision = None
    engine = engine or Processes(count=processes or machine.cores())
    with engine.running(one) as crew:
        budget.check(_need(scenario, calibration, replications or 1, crew))
        return _until(crew, replications, precision, on_progress)


_BYTES_PER_REPLICATION = 20_000


def _need(scenario: Scenario, calibration: Calibration, replications: int, crew: Crew) -> budget.Need:
    one = simulation.needed(scenario, calibration)
    here = min(crew.slots, replications) if crew.here else 0
    return replace(
        one,
        what=f"{one.what}, {replications} times" if replications > 1 else one.what,
        fewer=f"{one.fewer}, or replications" if replications > 1 else one.fewer,
        memory_bytes=one.memory_bytes * here + _BYTES_PER_REPLICATION * replications,
        time_s=one.time_s * replications / crew.slots,
    )


def combine(runs: Sequence[Prediction]) -> Prediction:
    """The mean of replications, number by number, with the half widths of the metrics' 95 % confidence intervals."""
    if len(runs) == 1:
        return runs[0]
    means: dict[str, float | None] = {}
    half_widths = {}
    for name in runs[0].metrics.to_json():
        values = [getattr(run.metrics, name) for run in runs]
        if any(value is None for value in values):
            means[name] = None
            continue
        estimate = output_analysis.replications(values)
        means[name], half_widths[name] = estimate.mean, estimate.half_width
    utilisation = _mean([run.utilisation for run in runs])
    classes = [name for name in utilisation if not any(word.isdigit() for word in name.split())]
    return replace(
        runs[0],
        metrics=Metrics(**means),  # type: ignore[arg-type]
        half_widths=half_widths,
        bottleneck=max(classes, key=utilisation.__getitem__) if classes else runs[0].bottleneck,
        ingress_time_per_shard_s=_per_shard(runs),
        utilisation=utilisation,
        queue_length=_queues(runs),
        notes=tuple(dict.fromkeys(note for run in runs for note in run.notes)),
        steady=_steady(runs, half_widths.get("iteration_time_s")),
    )


def _mean(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: fmean(value[name] for value in values) for name in values[0]}


def _queues(runs: Sequence[Prediction]) -> dict[str, float]:
    """Means, but of the longest queue the longest."""
    queues = [run.queue_length for run in runs]
    return {
        name: max(queue[name] for queue in queues) if name.endswith("most") else mean
        for name, mean in _mean(queues).items()
    }


def _per_shard(runs: Sequence[Prediction]) -> tuple[float, ...]:
    return tuple(fmean(times) for times in zip(*(r.ingress_time_per_shard_s for r in runs), strict=True))


def _steady(runs: Sequence[Prediction], half_width: float | None) -> SteadyState | None:
    """How all of them found their steady state; the half width is that of their mean."""
    states = [run.steady for run in runs if run.steady is not None]
    if not states:
        return None
    return replace(
        states[0],
        warmup_iterations=max(state.warmup_iterations for state in states),
        iterations=sum(state.iterations for state in states),
        half_width_s=half_width,
        reached=all(state.reached for state in states),
    )


def _one(
    scenario: Scenario, calibration: Calibration, precision: float, tolerance: float, number: int
) -> tuple[int, Prediction]:
    run = simulation.predict(
        scenario, calibration, replication=number, precision=precision, tolerance=tolerance
    )
    return number, run.prediction


def _until(
    crew: Crew,
    replications: int | None,
    precision: float | None,
    on_progress: Callable[[int, int], None] | None,
) -> Prediction:
    runs: list[Prediction] = []
    while True:
        needed = replications or 1
        if precision is not None:
            times = [r.metrics.iteration_time_s for r in runs]
            needed = output_analysis.replications_needed(times, precision=precision)
        if needed <= len(runs):
            return combine(runs)
        if needed > MOST:
            raise BadInput(
                f"precision = {precision:g} is not reached after {len(runs)} replications; ask for a larger one, "
                "or simulate more iterations"
            )
        fresh: dict[int, Prediction] = {}
        for number, prediction in crew.results(iter(range(len(runs), needed))):
            fresh[number] = prediction
            if on_progress is not None:
                on_progress(len(runs) + len(fresh), needed)
        # In the order of their numbers, not of their ends, so that the mean is the same to the last digit.
        runs += [fresh[number] for number in sorted(fresh)]
