"""Estimate the model's coefficients from measurements, by nonlinear least squares.

The residuals are differences of logarithms (relative errors) between the simulation and the mean of a scenario's
repetitions, each divided by its standard deviation: the run-to-run noise of that mean, and the model's own error,
which is estimated along with the coefficients, as in a random-effects analysis. What is expected of a coefficient
before anything is measured (`psmodel.calibration.Coefficient.usual` and `spread`), or by probes of links and memory
(`validate.fitting.probe_rates`), enters as one residual more: it decides what the runs leave open, and next to nothing
where they speak (maximum a posteriori estimate: Gelman et al. 2013, "Bayesian data analysis", section 13.2).
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import t as student

from psmodel.calibration import COEFFICIENTS, IDEAL, Calibration
from psmodel.errors import BadInput
from psmodel.region import Region
from validate.fitting.fit import Fit, Residual, impersonal
from validate.fitting.model_response import Forward, scales, with_values
from validate.fitting.noise import run_to_run
from validate.fitting.observables import Observed, fitted_names, signals
from validate.fitting.probe_rates import probes
from validate.fitting.solution import FitData, Solution, misfits, solve
from validate.measurements.selection import by_scenario, content, labels

WIDEST = 0.5
"""A coefficient whose 95 % interval is wider than ± this part of its size (or usual value) is not identified."""
_ENTANGLED = 0.7
_NO_EFFECT = 1e-6
"""Relative change of a signal by a coefficient of usual size that is rounding."""


def fit(
    runs: Iterable[Observed],
    *,
    free: Sequence[str] | None = None,
    fixed: Calibration = IDEAL,
    mix_machines: bool = False,
    forward: Forward | None = None,
    seed: int = 0,
) -> Fit:
    """Estimate calibration coefficients.

    Parameters
    ----------
    runs
        Measurements; those of equal scenario are repetitions.
    free
        Coefficients to estimate; if none are given, all of which the runs can tell something.
    fixed
        Values of the others, and of those that have no effect on the runs.
    mix_machines
        Accept runs from different machines.
    forward
        The model; the simulation if none is given.
    seed
        Of the bootstrap.

    Raises
    ------
    BadInput
        If there are no runs, an unknown coefficient is asked for, or machines are mixed unasked.
    """
    observed = list(runs)
    names, guessed = _default_names(observed) if free is None else (tuple(dict.fromkeys(free)), ())
    _check(observed, names, mix_machines)
    forward = forward or Forward()
    data = _group(observed)
    fixed = with_values(guessed, scales(guessed), fixed)
    start = with_values(names, scales(names), fixed)
    affecting = _affecting(data, names, start, forward)
    unidentified = dict.fromkeys([n for n in names if n not in affecting], "it has no effect on these runs")
    unidentified |= dict.fromkeys(guessed, "only workers out of step tell it; it has its usual value")
    start = with_values(affecting, scales(affecting), fixed)
    solution = solve(data, affecting, start, forward)
    return _record(data, solution, unidentified | _unidentified(solution), observed, forward, seed)


def _default_names(observed: Sequence[Observed]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What to estimate, and what these runs cannot tell although others depend on it: who comes first out of step.

    Without any of that, equal workers out of step would never leave lock-step, as real ones do.
    """
    out_of_step = any(run.scenario.mode != "bsp" for run in observed)
    linked = any(run.scenario.placement != "single-host" for run in observed)
    guessed = tuple(n for n, about in COEFFICIENTS.items() if about.reorders and linked and not out_of_step)
    return tuple(n for n in COEFFICIENTS if n not in guessed), guessed


def _affecting(
    data: FitData, names: tuple[str, ...], start: Calibration, forward: Forward
) -> tuple[str, ...]:
    """The coefficients on which any of the signals depends, or of which something else was measured.

    That a slope is nothing at the start does not make it nothing elsewhere: the memory's channels limit nobody while
    each copy is thought to be slow. What was measured is not put aside for that.
    """
    slopes = [forward.jacobian(scenario, start, names) for scenario in data.scenarios]
    size = np.abs([slopes[i][name] for i, name in data.cells]).max(axis=0, initial=0.0)
    return tuple(n for n, s in zip(names, size, strict=True) if s > _NO_EFFECT or n in data.probes)


def _check(observed: Sequence[Observed], names: Sequence[str], mix_machines: bool) -> None:
    if not observed:
        raise BadInput("there are no runs to fit; `psmodel validate run` or `suite` makes some")
    unknown = [name for name in names if name not in COEFFICIENTS]
    if unknown:
        raise BadInput(f"unknown coefficient {unknown[0]!r}; known: {', '.join(COEFFICIENTS)}")
    machines = {run.environment.fingerprint for run in observed}
    if len(machines) > 1 and not mix_machines:
        raise BadInput(
            f"the runs come from {len(machines)} different machines ({', '.join(sorted(machines))}); "
            "fit those of one, or ask for mixing them"
        )


def _group(observed: Sequence[Observed]) -> FitData:
    groups = by_scenario(observed)
    scenarios = tuple(runs[0].scenario for runs in groups)
    noise = run_to_run([[signals(r.scenario, r.metrics) for r in runs] for runs in groups])
    cells = tuple(
        (index, name)
        for index, (scenario, block) in enumerate(zip(scenarios, noise.blocks, strict=True))
        for name in fitted_names(scenario)
        if name in block.mean
    )
    return FitData(scenarios=scenarios, noise=noise, cells=cells, probes=probes(observed))


def _unidentified(solution: Solution) -> dict[str, str]:
    """Coefficient → why these runs do not tell it, of those that they do not."""
    names, jacobian = solution.names, solution.jacobian
    if not names:
        return {}
    size = np.array(
        [max(1.0, getattr(solution.calibration, n) / s) for n, s in zip(names, scales(names), strict=True)]
    )
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    quantile = float(student.ppf(0.975, max(solution.freedom, 1)))
    half_width = quantile * np.sqrt(np.diag(covariance)) / size
    reasons = {}
    for index in np.flatnonzero(half_width > WIDEST):
        alone = quantile / (float(np.linalg.norm(jacobian[:, index])) * size[index])
        correlation = covariance[index] / np.sqrt(np.diag(covariance) * covariance[index, index])
        correlation[index] = 0.0
        other = int(np.argmax(np.abs(correlation)))
        if alone > WIDEST:
            reason = "its effect is lost in the noise, even if all others were known"
        elif abs(correlation[other]) >= _ENTANGLED:
            reason = f"these runs tell only its combination with {names[other]} (correlation {correlation[other]:.2f})"
        else:
            reason = f"these runs tell it only to ±{half_width[index]:.0%} of its usual size"
        reasons[names[index]] = reason
    return reasons


def _record(
    data: FitData,
    solution: Solution,
    unidentified: dict[str, str],
    observed: Sequence[Observed],
    forward: Forward,
    seed: int,
) -> Fit:
    calibration = solution.calibration
    every = [(i, name) for i, block in enumerate(data.noise.blocks) for name in block.mean]
    errors = data.errors(every, calibration, forward)
    freedom = max(solution.freedom, 1)
    # Signals that were not fitted, such as the whole iteration, have their own error all the same.
    misfit = misfits(
        errors,
        data.mean_noise(every),
        [name for _, name in every],
        float(freedom),
    )
    near = [
        name
        for name in solution.names
        if min(
            getattr(calibration, name) - COEFFICIENTS[name].lower,
            COEFFICIENTS[name].upper - getattr(calibration, name),
        )
        <= 1e-4 * COEFFICIENTS[name].usual
    ]
    gram = solution.jacobian.T @ solution.jacobian
    covariance = np.linalg.inv(gram) if solution.names else np.empty((0, 0))
    names = labels(data.scenarios)
    return Fit(
        calibration=calibration,
        names=solution.names,
        covariance=tuple(tuple(float(v) for v in row) for row in covariance),
        degrees_of_freedom=freedom,
        unidentified=unidentified,
        at_bound=tuple(near),
        noise=dict(data.noise.pooled),
        misfit=misfit | solution.misfit,
        residuals=tuple(
            Residual(
                scenario=names[content(data.scenarios[i])],
                signal=name,
                measured=data.block(i).mean[name],
                predicted=data.block(i).mean[name] + float(error),
                runs=data.block(i).runs,
            )
            for (i, name), error in zip(every, errors, strict=True)
        ),
        region=Region.of(data.scenarios),
        environment=impersonal(observed[0].environment),
        runs=len(observed),
        converged=solution.converged,
        message=solution.message,
        seed=seed,
    )
