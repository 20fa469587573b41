"""Independent repetitions of a simulation, on all cores, until their mean is as precise as asked."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

from psmodel import output_analysis, simulation
from psmodel.calibration import IDEAL, Calibration
from psmodel.errors import BadInput
from psmodel.results import Metrics, Prediction
from psmodel.scenario import Scenario

MOST = 10_000
"""Replications after which a precision is given up."""


def replicate(
    scenario: Scenario,
    calibration: Calibration = IDEAL,
    *,
    replications: int | None = None,
    precision: float | None = None,
    processes: int | None = None,
    tolerance: float = 0.0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Mean of independent simulations, with the 95 % confidence interval of every metric.

    Parameters
    ----------
    replications
        How many; or else
    precision
        the relative error of the mean iteration time to be reached, say 0.01 (Law 2015, section 9.4.1).
    processes
        How many to use, by default one per core. The result does not depend on it.
    tolerance
        As in `psmodel.simulation.predict`.
    on_progress
        Called with (replications done, replications that it takes as far as is known).

    Raises
    ------
    BadInput
        If the precision is not reached after `MOST` replications.
    """
    if not scenario.is_random:
        return simulation.predict(scenario, calibration, tolerance=tolerance).prediction
    count = processes or len(os.sched_getaffinity(0))
    one = partial(_one, scenario, calibration, tolerance)
    if count == 1:
        return _until(lambda numbers: map(one, numbers), replications, precision, on_progress)
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        return _until(lambda numbers: pool.map(one, numbers), replications, precision, on_progress)


def combine(runs: Sequence[Prediction]) -> Prediction:
    """The mean of replications, metric by metric, with the half widths of its 95 % confidence intervals."""
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
    return replace(runs[0], metrics=Metrics(**means), half_widths=half_widths)  # type: ignore[arg-type]


def _one(scenario: Scenario, calibration: Calibration, tolerance: float, number: int) -> Prediction:
    return simulation.predict(scenario, calibration, replication=number, tolerance=tolerance).prediction


def _until(
    run: Callable[[range], Iterable[Prediction]],
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
        for prediction in run(range(len(runs), needed)):
            runs.append(prediction)
            if on_progress is not None:
                on_progress(len(runs), needed)
