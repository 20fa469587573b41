"""The least-squares problem of a fit, and its solution: coefficients and the model's own error, in turn."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from psmodel.calibration import COEFFICIENTS, Calibration
from psmodel.scenario import Scenario
from validate.fitting.model_response import Forward, scales, with_values
from validate.fitting.noise import Block, Noise
from validate.fitting.observables import tolerance
from validate.fitting.probe_rates import Probe

Array = NDArray[np.float64]
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


@dataclass(frozen=True, kw_only=True)
class FitData:
    """The measurements as the fit sees them: one scenario and one block for each group of repetitions.

    Attributes
    ----------
    cells
        Index of the scenario and name of the signal of each residual.
    probes
        What else was measured, by coefficient.
    """

    scenarios: tuple[Scenario, ...]
    noise: Noise
    cells: tuple[tuple[int, str], ...]
    probes: Mapping[str, Probe]

    def block(self, index: int) -> Block:
        """The repetitions of a scenario."""
        return self.noise.blocks[index]

    def errors(self, cells: Iterable[tuple[int, str]], calibration: Calibration, forward: Forward) -> Array:
        """Predicted minus measured, on the signals' own scales; shape (cells,)."""
        return np.array(
            [forward(self.scenarios[i], calibration)[name] - self.block(i).mean[name] for i, name in cells]
        )

    def mean_noise(self, cells: Iterable[tuple[int, str]]) -> Array:
        """Standard deviation of each mean that is no error of the model: noise, and what is too small to matter."""
        noises = []
        for i, name in cells:
            block = self.block(i)
            noise = block.noise[name] / math.sqrt(block.runs)
            noises.append(math.hypot(noise, tolerance(block.mean, name)))
        return np.array(noises)


@dataclass(frozen=True, kw_only=True)
class Solution:
    """What a fit has found.

    Attributes
    ----------
    misfit
        Standard deviation of the model's own error, by signal.
    jacobian
        Of the standardised residuals by the coefficients in units of their scales.
    freedom
        Degrees of freedom that the coefficients leave.
    """

    names: tuple[str, ...]
    calibration: Calibration
    misfit: dict[str, float]
    jacobian: Array
    freedom: int
    converged: bool
    message: str


class _Problem:
    """Residuals of data and of expectations; a point is the coefficients in units of their scales."""

    def __init__(self, data: FitData, names: tuple[str, ...], start: Calibration, forward: Forward) -> None:
        self._data, self._names, self._start, self._forward = data, names, start, forward
        self._unit = unit = scales(names)
        self.lower = np.array([COEFFICIENTS[n].lower for n in names]) / unit
        self.upper = np.array([COEFFICIENTS[n].upper for n in names]) / unit
        observations = [
            data.probes.get(n, Probe(value=COEFFICIENTS[n].usual, deviation=COEFFICIENTS[n].spread))
            for n in names
        ]
        self.expected = np.array([probe.value for probe in observations]) / unit
        self.spread = np.array([probe.deviation for probe in observations]) / unit

    def at(self, point: Array) -> Calibration:
        return with_values(self._names, point * self._unit, self._start)

    def residuals(self, point: Array, deviation: Array) -> Array:
        of_data = self._data.errors(self._data.cells, self.at(point), self._forward) / deviation
        return np.concatenate([of_data, (point - self.expected) / self.spread])

    def slopes(self, point: Array, deviation: Array) -> Array:
        at = self.at(point)
        of = [self._forward.jacobian(scenario, at, self._names) for scenario in self._data.scenarios]
        rows = [of[i][name] for i, name in self._data.cells]
        of_data = np.array(rows).reshape(len(rows), len(self._names)) / deviation[:, None]
        return np.concatenate([of_data, np.diag(1 / self.spread)])

    def minimum(self, point: Array, deviation: Array) -> OptimizeResult:
        return least_squares(
            self.residuals,
            np.clip(point, self.lower, self.upper),
            jac=self.slopes,
            args=(deviation,),
            bounds=(self.lower, self.upper),
            loss="soft_l1",
            f_scale=_OUTLIER,
            xtol=1e-5,
            ftol=1e-5,
            max_nfev=60,
        )

    def freedom(self, point: Array, deviation: Array) -> float:
        """Degrees of freedom left; coefficients that only the expectation decides take none from the data."""
        jacobian = self.slopes(point, deviation)
        variance = np.diag(np.linalg.inv(jacobian.T @ jacobian)) if self._names else np.empty(0)
        return max(1.0, len(self._data.cells) - float((1 - variance / self.spread**2).sum()))


def solve(data: FitData, names: tuple[str, ...], start: Calibration, forward: Forward) -> Solution:
    """The coefficients `names` that explain the data best, from `start`, which also has the others' values."""
    problem = _Problem(data, names, start, forward)
    noise, signal = data.mean_noise(data.cells), [name for _, name in data.cells]
    misfit = dict.fromkeys(signal, float(np.median(noise)))
    calibration, converged, message = start, True, "nothing to estimate"
    freedom, point = float(len(data.cells)), problem.expected.copy()
    for _ in range(_PASSES if names else 1):
        deviation = np.hypot(noise, [misfit[s] for s in signal])
        if names:
            result = problem.minimum(point, deviation)
            point = result.x
            calibration, converged, message = problem.at(point), bool(result.success), str(result.message)
        freedom = problem.freedom(point, deviation)
        misfit = misfits(data.errors(data.cells, calibration, forward), noise, signal, freedom)
    deviation = np.hypot(noise, [misfit[s] for s in signal])
    return Solution(
        names=names,
        calibration=calibration,
        misfit=misfit,
        jacobian=problem.slopes(point, deviation),
        freedom=round(freedom),
        converged=converged,
        message=message,
    )


def misfits(errors: Array, noise: Array, signal: Sequence[str], freedom: float) -> dict[str, float]:
    """Standard deviation of the model's own error by signal: what the noise of the means leaves unexplained.

    Parameters
    ----------
    errors, noise, signal
        Of each residual: its value, the standard deviation of its mean, and whose it is; shape (residuals,).
    freedom
        Degrees of freedom of all residuals.
    """
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
