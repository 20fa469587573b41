"""Estimate the model's coefficients from measurements, by nonlinear least squares.

The residuals are differences of logarithms (relative errors) between the simulation and the mean of a scenario's
repetitions, each divided by its standard deviation: the run-to-run noise of that mean, and the model's own error,
which is estimated along with the coefficients, as in a random-effects analysis. What is expected of a coefficient
before anything is measured (`psmodel.calibration.Coefficient.usual` and `spread`), or by probes of links and memory
(`validate.fitting.probe_rates`), enters as one residual more: it decides what the runs leave open, and next to nothing
where they speak (maximum a posteriori estimate: Gelman et al. 2013, "Bayesian data analysis", section 13.2).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import t as student

from psmodel.calibration import COEFFICIENTS, IDEAL, Calibration
from psmodel.errors import BadInput
from psmodel.region import Region
from psmodel.scenario import Scenario
from validate.fitting.fit import Fit, Residual, impersonal
from validate.fitting.model_response import Forward, scales, with_values
from validate.fitting.noise import Block, Noise, run_to_run
from validate.fitting.observables import Observed, fitted_names, signals, tolerance
from validate.fitting.probe_rates import Probe, probes
from validate.measurements.selection import by_scenario, content, labels

Array = NDArray[np.float64]
WIDEST = 0.5
"""A coefficient whose 95 % interval is wider than ± this part of its size (or usual value) is not identified."""
_ENTANGLED = 0.7
_OUTLIER = 3.0
"""Residuals beyond so many standard deviations pull linearly instead of quadratically (soft L1 loss)."""
_PASSES = 3
"""Estimates of coefficients and of the model's own error, in turn."""
_SHARED = 4.0
"""A signal's own misfit counts like its scenarios, that of all signals like so many more."""
USUAL_MISFIT, _USUAL_WEIGHT = 0.03, 4.0
"""Model error expected before anything is measured, and how many residuals that expectation counts like: as many
coefficients as a few scenarios can bear make these fit far better than any other will."""
_LEAST_MISFIT = 1e-3
_NO_EFFECT = 1e-6
"""Relative change of a signal by a coefficient of usual size that is rounding."""


@dataclass(frozen=True, kw_only=True)
class _Data:
    """The measurements as the fit sees them: one scenario and one block for each group of repetitions."""

    scenarios: tuple[Scenario, ...]
    noise: Noise
    cells: tuple[tuple[int, str], ...]
    """Index of the scenario and name of the signal of each residual."""
    probes: Mapping[str, Probe]
    """What else was measured, by coefficient."""

    def block(self, index: int) -> Block:
        return self.noise.blocks[index]


@dataclass(frozen=True, kw_only=True)
class _Solution:
    names: tuple[str, ...]
    calibration: Calibration
    misfit: dict[str, float]
    jacobian: Array
    """Of the standardised residuals by the coefficients in units of their scales."""
    freedom: int
    converged: bool
    message: str


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
    solution = _solve(data, affecting, start, forward)
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
    data: "_Data", names: tuple[str, ...], start: Calibration, forward: Forward
) -> tuple[str, ...]:
    """The coefficients on which any of the signals depends."""
    slopes = [forward.jacobian(scenario, start, names) for scenario in data.scenarios]
    size = np.abs([slopes[i][name] for i, name in data.cells]).max(axis=0, initial=0.0)
    return tuple(name for name, s in zip(names, size, strict=True) if s > _NO_EFFECT)


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


def _group(observed: Sequence[Observed]) -> _Data:
    groups = by_scenario(observed)
    scenarios = tuple(runs[0].scenario for runs in groups)
    noise = run_to_run([[signals(r.scenario, r.metrics) for r in runs] for runs in groups])
    cells = tuple(
        (index, name)
        for index, (scenario, block) in enumerate(zip(scenarios, noise.blocks, strict=True))
        for name in fitted_names(scenario)
        if name in block.mean
    )
    return _Data(scenarios=scenarios, noise=noise, cells=cells, probes=probes(observed))


def _errors(
    data: _Data, cells: Iterable[tuple[int, str]], calibration: Calibration, forward: Forward
) -> Array:
    return np.array(
        [forward(data.scenarios[i], calibration)[name] - data.block(i).mean[name] for i, name in cells]
    )


def _mean_noise(data: _Data, cells: Iterable[tuple[int, str]]) -> Array:
    """Standard deviation of each mean that is no error of the model: noise, and what is too small to matter."""
    noises = []
    for i, name in cells:
        block = data.block(i)
        noise = block.noise[name] / math.sqrt(block.runs)
        noises.append(math.hypot(noise, tolerance(block.mean, name)))
    return np.array(noises)


def _solve(data: _Data, names: tuple[str, ...], start: Calibration, forward: Forward) -> _Solution:
    noise, signal = _mean_noise(data, data.cells), [name for _, name in data.cells]
    unit = scales(names)
    lower = np.array([COEFFICIENTS[n].lower for n in names]) / unit
    upper = np.array([COEFFICIENTS[n].upper for n in names]) / unit
    observations = [
        data.probes.get(n, Probe(value=COEFFICIENTS[n].usual, deviation=COEFFICIENTS[n].spread))
        for n in names
    ]
    expected = np.array([probe.value for probe in observations]) / unit
    spread = np.array([probe.deviation for probe in observations]) / unit
    misfit = dict.fromkeys(signal, float(np.median(noise)))
    calibration, converged, message = start, True, "nothing to estimate"
    freedom = float(len(data.cells))

    def at(point: Array) -> Calibration:
        return with_values(names, point * unit, start)

    def residuals(point: Array, deviation: Array) -> Array:
        of_data = _errors(data, data.cells, at(point), forward) / deviation
        return np.concatenate([of_data, (point - expected) / spread])

    def slopes(point: Array, deviation: Array) -> Array:
        of = [forward.jacobian(scenario, at(point), names) for scenario in data.scenarios]
        rows = [of[i][name] for i, name in data.cells]
        of_data = np.array(rows).reshape(len(rows), len(names)) / deviation[:, None]
        return np.concatenate([of_data, np.diag(1 / spread)])

    point = expected.copy()
    for _ in range(_PASSES if names else 1):
        deviation = np.hypot(noise, [misfit[s] for s in signal])
        if names:
            solution = least_squares(
                residuals,
                np.clip(point, lower, upper),
                jac=slopes,
                args=(deviation,),
                bounds=(lower, upper),
                loss="soft_l1",
                f_scale=_OUTLIER,
                xtol=1e-5,
                ftol=1e-5,
                max_nfev=60,
            )
            point = solution.x
            calibration, converged, message = at(point), bool(solution.success), str(solution.message)
        # Coefficients that only the expectation decides take no freedom from the data.
        jacobian = slopes(point, deviation)
        variance = np.diag(np.linalg.inv(jacobian.T @ jacobian)) if names else np.empty(0)
        freedom = max(1.0, len(data.cells) - float((1 - variance / spread**2).sum()))
        misfit = _misfit(_errors(data, data.cells, calibration, forward), noise, signal, freedom)
    deviation = np.hypot(noise, [misfit[s] for s in signal])
    return _Solution(
        names=names,
        calibration=calibration,
        misfit=misfit,
        jacobian=slopes(point, deviation),
        freedom=round(freedom),
        converged=converged,
        message=message,
    )


def _misfit(errors: Array, noise: Array, signal: Sequence[str], freedom: float) -> dict[str, float]:
    """Standard deviation of the model's own error by signal: what the noise of the means leaves unexplained."""
    excess = errors**2 * len(errors) / freedom - noise**2
    # The sampling variance of an excess grows with the fourth power of its noise.
    weight = (USUAL_MISFIT**2 / (USUAL_MISFIT**2 + noise**2)) ** 2
    shared = (_USUAL_WEIGHT * USUAL_MISFIT**2 + weight @ excess) / (_USUAL_WEIGHT + weight.sum())
    misfit = {}
    for name in dict.fromkeys(signal):
        own = np.array([s == name for s in signal])
        total = _SHARED * shared + weight[own] @ excess[own]
        misfit[name] = float(np.sqrt(max(_LEAST_MISFIT**2, total / (_SHARED + weight[own].sum()))))
    return misfit


def _unidentified(solution: _Solution) -> dict[str, str]:
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
    data: _Data,
    solution: _Solution,
    unidentified: dict[str, str],
    observed: Sequence[Observed],
    forward: Forward,
    seed: int,
) -> Fit:
    calibration = solution.calibration
    every = [(i, name) for i, block in enumerate(data.noise.blocks) for name in block.mean]
    errors = _errors(data, every, calibration, forward)
    freedom = max(solution.freedom, 1)
    # Signals that were not fitted, such as the whole iteration, have their own error all the same.
    misfit = _misfit(
        errors,
        _mean_noise(data, every),
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
