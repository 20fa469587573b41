"""The model as a function of its coefficients: signals of a scenario, and their derivatives."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from psmodel.calibration import COEFFICIENTS, IDEAL, Calibration
from psmodel.results import Metrics
from psmodel.scenario import Scenario
from psmodel.scenario.features import repeats
from psmodel.simulation import predict as simulate
from psmodel.simulation.replications import combine
from validate.fitting.observables import RECOVERY, RESOLUTION_S, signals

Array = NDArray[np.float64]
Predictor = Callable[[Scenario, Calibration], Metrics]
_COARSE_STEP = 0.1
"""Step of the derivative for scenarios out of step, where the order of events can change and a mean then jumps."""
_REPLICATIONS = 2
"""Suites repeat a run twice, with the same random numbers as the simulation's first two replications."""
_STEP = 1e-4
"""Step of a derivative, relative to a coefficient's scale: small against kinks, large against rounding."""


def shortest(scenario: Scenario) -> Scenario:
    """The fewest iterations that have the same mean: workers in step repeat the first one exactly."""
    if not repeats(scenario):
        return scenario
    return scenario.replace(iterations=1, warmup=min(1, scenario.warmup or 0))


def simulated(scenario: Scenario, calibration: Calibration) -> Metrics:
    """The simulation's metrics, without iterations that repeat each other; of a few replications if chance enters."""
    case, replications = shortest(scenario), _REPLICATIONS if scenario.is_random else 1
    runs = [simulate(case, calibration, replication=number).prediction for number in range(replications)]
    return combine(runs).metrics


def scales(names: Sequence[str]) -> Array:
    """Typical magnitude of each coefficient, shape (len(names),): what it is measured in during a fit."""
    return np.array([COEFFICIENTS[name].usual for name in names])


def with_values(
    names: Sequence[str], values: Sequence[float] | Array, base: Calibration = IDEAL
) -> Calibration:
    """`base` with some coefficients changed, each kept inside its allowed range."""
    seconds = {
        name: float(np.clip(value, COEFFICIENTS[name].lower, COEFFICIENTS[name].upper))
        for name, value in zip(names, values, strict=True)
    }
    return Calibration(**{name: seconds.get(name, getattr(base, name)) for name in COEFFICIENTS})


def _with_recovery(
    scenario: Scenario, calibration: Calibration, values: Mapping[str, float]
) -> Mapping[str, float]:
    """With the time of a recovery, also where by these coefficients all is over before the planned death."""
    if not scenario.failures or RECOVERY in values:
        return values
    repair = fmean(failure.repair_time for failure in scenario.failures)
    return {**values, RECOVERY: math.log(repair + calibration.restart_s + RESOLUTION_S)}


class Forward:
    """Signals as a function of some coefficients, remembering what it has computed.

    Parameters
    ----------
    predictor
        Gives a scenario's metrics; the simulation if none is given.
    """

    def __init__(self, predictor: Predictor = simulated) -> None:
        self._predictor = predictor
        self._cache: dict[tuple[Scenario, Calibration], Mapping[str, float]] = {}

    def __call__(self, scenario: Scenario, calibration: Calibration) -> Mapping[str, float]:
        """All signals of a scenario."""
        key = scenario, calibration
        if key not in self._cache:
            self._cache[key] = _with_recovery(
                scenario, calibration, signals(scenario, self._predictor(scenario, calibration))
            )
        return self._cache[key]

    def jacobian(
        self, scenario: Scenario, calibration: Calibration, names: Sequence[str]
    ) -> dict[str, Array]:
        """Signal → derivatives by each coefficient in units of its `scales`, shape (len(names),)."""
        here = self(scenario, calibration)
        reordered = any(about.reorders and getattr(calibration, n) > 0 for n, about in COEFFICIENTS.items())
        jumpy = reordered and scenario.mode != "bsp"
        columns = []
        for name, scale in zip(names, scales(names), strict=True):
            value = getattr(calibration, name)
            step = (_COARSE_STEP if jumpy else _STEP) * max(scale, value)
            if value + step > COEFFICIENTS[name].upper:
                step = -step
            there = self(scenario, with_values([name], [value + step], calibration))
            columns.append({signal: (there[signal] - here[signal]) / step * scale for signal in here})
        return {signal: np.array([c[signal] for c in columns]) for signal in here}
