"""Estimate the model's coefficients from measurements, by nonlinear least squares.

The residuals are differences of logarithms (relative errors) between the simulation and the mean of a scenario's
repetitions, each divided by its standard deviation: the run-to-run noise of that mean, and the model's own error,
which is estimated along with the coefficients, as in a random-effects analysis.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import t as student

from psmodel.calibration import COEFFICIENTS, IDEAL, Calibration
from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from validate.fit_record import Fit, Residual
from validate.forward import Forward, scales, with_values
from validate.noise import Block, Noise, run_to_run
from validate.region import Region
from validate.signals import Observed, fitted_names, signals

Array = NDArray[np.float64]
WIDEST = 0.5
"""A coefficient whose 95 % interval is wider than ± this part of its size (or start value) is not identified."""
_ENTANGLED, _ANYTHING = 0.7, 10.0
_OUTLIER = 3.0
"""Residuals beyond so many standard deviations pull linearly instead of quadratically (soft L1 loss)."""
_PASSES = 3
"""Estimates of coefficients and of the model's own error, in turn."""
_SHARED = 4.0
"""A signal's own misfit counts like its scenarios, that of all signals like so many more."""
_LEAST_MISFIT = 1e-3


@dataclass(frozen=True, kw_only=True)
class _Data:
    """The measurements as the fit sees them: one scenario and one block for each group of repetitions."""

    scenarios: tuple[Scenario, ...]
    noise: Noise
    cells: tuple[tuple[int, str], ...]
    """Index of the scenario and name of the signal of each residual."""

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
        Coefficients to estimate; all of them if none are given.
    fixed
        Values of the others, and of those that turn out not to be identified.
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
    names = tuple(COEFFICIENTS) if free is None else tuple(dict.fromkeys(free))
    _check(observed, names, mix_machines)
    forward = forward or Forward()
    data = _group(observed)
    start = with_values(names, scales(names), fixed)
    unidentified: dict[str, str] = {}
    while True:
        solution = _solve(data, names, start, forward, passes=1)
        culprit = _unidentified(solution)
        if culprit is None:
            solution = _solve(data, names, solution.calibration, forward, passes=_PASSES)
            culprit = _unidentified(solution)
        if culprit is None:
            break
        name, reason = culprit
        unidentified[name] = reason
        names = tuple(n for n in names if n != name)
        start = with_values([name], [getattr(fixed, name)], solution.calibration)
    return _record(data, solution, unidentified, observed, forward, seed)


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
    groups: dict[Hashable, list[Observed]] = {}
    for run in observed:
        groups.setdefault(run.scenario, []).append(run)
    scenarios = tuple(runs[0].scenario for runs in groups.values())
    noise = run_to_run([[signals(r.scenario, r.metrics) for r in runs] for runs in groups.values()])
    cells = tuple(
        (index, name)
        for index, (scenario, block) in enumerate(zip(scenarios, noise.blocks, strict=True))
        for name in fitted_names(scenario)
        if name in block.mean
    )
    return _Data(scenarios=scenarios, noise=noise, cells=cells)


def _errors(
    data: _Data, cells: Iterable[tuple[int, str]], calibration: Calibration, forward: Forward
) -> Array:
    return np.array(
        [forward(data.scenarios[i], calibration)[name] - data.block(i).mean[name] for i, name in cells]
    )


def _mean_noise(data: _Data, cells: Iterable[tuple[int, str]]) -> Array:
    return np.array([data.block(i).noise[name] / np.sqrt(data.block(i).runs) for i, name in cells])


def _solve(
    data: _Data, names: tuple[str, ...], start: Calibration, forward: Forward, *, passes: int
) -> _Solution:
    noise, signal = _mean_noise(data, data.cells), [name for _, name in data.cells]
    unit = scales(names)
    lower = np.array([COEFFICIENTS[n].lower for n in names]) / unit
    upper = np.array([COEFFICIENTS[n].upper for n in names]) / unit
    freedom = len(data.cells) - len(names)
    misfit = dict.fromkeys(signal, float(np.median(noise)))
    calibration, converged, message = start, True, "nothing to estimate"

    def at(point: Array) -> Calibration:
        return with_values(names, point * unit, start)

    def slopes(calibration: Calibration, deviation: Array) -> Array:
        of = [forward.jacobian(scenario, calibration, names) for scenario in data.scenarios]
        rows = [of[i][name] for i, name in data.cells]
        return np.array(rows).reshape(len(rows), len(names)) / deviation[:, None]

    for _ in range(passes if names else 1):
        deviation = np.hypot(noise, [misfit[s] for s in signal])
        if names:
            values = np.array([getattr(calibration, n) for n in names]) / unit
            found = least_squares(
                lambda p, d=deviation: _errors(data, data.cells, at(p), forward) / d,
                np.clip(values, lower, upper),
                jac=lambda p, d=deviation: slopes(at(p), d),
                bounds=(lower, upper),
                loss="soft_l1",
                f_scale=_OUTLIER,
                xtol=1e-6,
                ftol=1e-6,
                max_nfev=60,
            )
            calibration, converged, message = at(found.x), bool(found.success), str(found.message)
        misfit = _misfit(_errors(data, data.cells, calibration, forward), noise, signal, max(freedom, 1))
    deviation = np.hypot(noise, [misfit[s] for s in signal])
    return _Solution(
        names=names,
        calibration=calibration,
        misfit=misfit,
        jacobian=slopes(calibration, deviation),
        freedom=freedom,
        converged=converged,
        message=message,
    )


def _misfit(errors: Array, noise: Array, signal: Sequence[str], freedom: int) -> dict[str, float]:
    """Standard deviation of the model's own error by signal: what the noise of the means leaves unexplained."""
    excess = errors**2 * len(errors) / freedom - noise**2
    shared = float(excess.mean())
    of = {name: excess[[s == name for s in signal]] for name in signal}
    return {
        name: float(np.sqrt(max(_LEAST_MISFIT**2, (_SHARED * shared + e.sum()) / (_SHARED + len(e)))))
        for name, e in of.items()
    }


def _unidentified(solution: _Solution) -> tuple[str, str] | None:
    """The coefficient that the runs tell least about, and why, if they do not tell enough."""
    names, jacobian = solution.names, solution.jacobian
    if not names:
        return None
    size = np.array(
        [max(1.0, getattr(solution.calibration, n) / s) for n, s in zip(names, scales(names), strict=True)]
    )
    width = float(student.ppf(0.975, max(solution.freedom, 1)))
    scaled = jacobian * size
    _, singular, rotation = np.linalg.svd(scaled, full_matrices=True)
    inverse = np.zeros(len(names))
    # Directions that no residual sees at all have a singular value that is rounding error.
    tiny = 1e-9 * max(1.0, float(singular.max(initial=0.0)))
    inverse[: len(singular)] = np.where(singular > tiny, 1 / np.maximum(singular, tiny), 1 / tiny)
    inverse[len(singular) :] = 1 / tiny
    half_width = width * np.sqrt((rotation.T**2 * inverse**2).sum(axis=1))
    if solution.freedom >= 1 and half_width.max() <= WIDEST:
        return None
    worst = int(np.argmax(half_width))
    alone = width / max(float(np.linalg.norm(scaled[:, worst])), 1e-300)
    if alone > 1 / tiny * WIDEST or not scaled[:, worst].any():
        return names[worst], "it has no effect on these runs"
    if solution.freedom < 1:
        return names[worst], f"there are only {jacobian.shape[0]} residuals for {len(names)} coefficients"
    if alone > WIDEST:
        return names[worst], (
            f"its effect is lost in the noise: known to ±{alone:.0%} of its usual size even if all others were known"
        )
    covariance = (rotation.T * inverse**2) @ rotation
    correlation = np.abs(covariance[worst]) / np.sqrt(np.diag(covariance) * covariance[worst, worst])
    correlation[worst] = 0.0
    other, strongest = names[int(np.argmax(correlation))], float(correlation.max())
    if strongest < _ENTANGLED:
        return names[worst], f"these runs tell it only to ±{half_width[worst]:.0%} of its usual size"
    known = "nothing" if half_width[worst] > _ANYTHING else f"±{half_width[worst]:.0%} of its usual size"
    return names[worst], (
        f"these runs tell only its combination with {other} (correlation {strongest:.3f}); by itself: {known}"
    )


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
        max(len(every) - len(solution.names), 1),
    )
    near = [
        name
        for name in solution.names
        if min(
            getattr(calibration, name) - COEFFICIENTS[name].lower,
            COEFFICIENTS[name].upper - getattr(calibration, name),
        )
        <= 1e-4 * COEFFICIENTS[name].start
    ]
    gram = solution.jacobian.T @ solution.jacobian
    covariance = np.linalg.inv(gram) if solution.names else np.empty((0, 0))
    environment: dict[str, Any] = observed[0].environment.to_json()
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
                scenario=data.scenarios[i].name,
                signal=name,
                measured=data.block(i).mean[name],
                predicted=data.block(i).mean[name] + float(error),
                runs=data.block(i).runs,
            )
            for (i, name), error in zip(every, errors, strict=True)
        ),
        region=Region.of(data.scenarios),
        environment=environment,
        runs=len(observed),
        converged=solution.converged,
        message=solution.message,
        seed=seed,
    )
