"""Which coefficient moved between two stretches of runs of the same scenarios, and by how much.

The model is fitted to the runs before. Then each coefficient alone is moved until the model changes, scenario by
scenario, by as much as the runs did (least squares on differences of logarithms): what the model gets wrong in a
scenario it gets wrong before and after, so that only the noise of the runs counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from psmodel.calibration import COEFFICIENTS, Calibration
from psmodel.scenario import Scenario
from validate.fitting.estimate import fit
from validate.fitting.model_response import Forward, scales, with_values
from validate.fitting.noise import run_to_run
from validate.fitting.observables import fitted_names, signals, tolerance
from validate.measurements.measurement import Measurement
from validate.measurements.selection import by_question, content

LEAST_SHARE = 0.5
"""Part of the change that a coefficient has to explain to be named."""
_AS_WELL = 3.84
"""Sums of squares that differ by less do not tell two coefficients apart (95 % of χ² with one degree of freedom)."""
_STEPS = 5


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A coefficient before and after, with the 95 % interval of the difference.

    Attributes
    ----------
    explains
        Part of the runs' change, in squares, that this coefficient alone explains.
    """

    coefficient: str
    before: float
    after: float
    low: float
    high: float
    explains: float

    @property
    def sentence(self) -> str:
        """By how much it has moved."""
        about = COEFFICIENTS[self.coefficient]
        by = f"{100 * (self.after / self.before - 1):+.0f} %" if self.before > 0 else "from nothing"
        return (
            f"{self.coefficient} ({about.meaning}): {self.before:.3g} to {self.after:.3g} {about.unit}, {by}; alone it "
            f"explains {100 * self.explains:.0f} % of the change"
        )


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """One signal of one scenario: by how much it changed, and the standard deviation of that."""

    scenario: Scenario
    signal: str
    change: float
    deviation: float


def moved(before: Sequence[Measurement], after: Sequence[Measurement], forward: Forward) -> tuple[Moved, ...]:
    """The coefficient that explains the change best, and those that do as well; none if none explains half of it.

    Raises
    ------
    BadInput
        If the runs before cannot be fitted.
    """
    cells = _cells(before, after)
    start = fit(before, mix_machines=True, forward=forward)
    if len(cells) < 2 or not start.names:
        return ()
    total = sum((c.change / c.deviation) ** 2 for c in cells)
    tried = []
    for name in start.names:
        value, left, error = _alone(name, start.calibration, cells, forward)
        tried.append((left, name, value, error))
    best = min(tried)[0]
    excess = max(1.0, best / (len(cells) - 1))
    candidates = []
    for left, name, value, error in sorted(tried):
        was = getattr(start.calibration, name)
        if left <= best + _AS_WELL * excess and left < (1 - LEAST_SHARE) * total:
            reach = float(student.isf(0.025, len(cells) - 1)) * error * math.sqrt(excess)
            candidates.append(
                Moved(
                    coefficient=name,
                    before=was,
                    after=value,
                    low=value - was - reach,
                    high=value - was + reach,
                    explains=1 - left / total,
                )
            )
    return tuple(candidates)


def _cells(before: Sequence[Measurement], after: Sequence[Measurement]) -> list[_Cell]:
    sides = [{content(g[0].asked_for): g for g in by_question(part)} for part in (before, after)]
    common = [key for key in sides[0] if key in sides[1]]
    both_sides = [side[key] for side in sides for key in common]
    noise = run_to_run([[signals(r.scenario, r.metrics) for r in group] for group in both_sides])
    cells = []
    for place, key in enumerate(common):
        one, other = noise.blocks[place], noise.blocks[len(common) + place]
        scenario = sides[0][key][0].scenario
        for name in fitted_names(scenario):
            if name in one.mean and name in other.mean:
                of_noise = math.hypot(
                    one.noise[name] / math.sqrt(one.runs), other.noise[name] / math.sqrt(other.runs)
                )
                deviation = math.hypot(of_noise, tolerance(one.mean, name))
                cells.append(
                    _Cell(
                        scenario=scenario,
                        signal=name,
                        change=other.mean[name] - one.mean[name],
                        deviation=deviation,
                    )
                )
    return cells


def _alone(
    name: str, start: Calibration, cells: Sequence[_Cell], forward: Forward
) -> tuple[float, float, float]:
    """Value of the coefficient at which it alone explains most, the sum of squares that is left, and its error."""
    (unit,) = scales([name])
    deviations = np.array([c.deviation for c in cells])
    changes = np.array([c.change for c in cells])
    origin = np.array([forward(c.scenario, start)[c.signal] for c in cells])

    def left_at(value: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        here = with_values([name], [value], start)
        there = np.array([forward(c.scenario, here)[c.signal] for c in cells])
        return np.asarray((changes - (there - origin)) / deviations)

    value = float(getattr(start, name))
    left = left_at(value)
    information = 0.0
    for _ in range(_STEPS):
        here = with_values([name], [value], start)
        slopes = np.array([forward.jacobian(c.scenario, here, [name])[c.signal][0] for c in cells])
        slopes = slopes / deviations / unit
        information = float(slopes @ slopes)
        if information == 0:
            break
        limits = COEFFICIENTS[name]
        following = float(np.clip(value + float(slopes @ left) / information, limits.lower, limits.upper))
        then = left_at(following)
        if float(then @ then) >= float(left @ left):
            break
        value, left = following, then
    return value, float(left @ left), 1 / math.sqrt(information) if information > 0 else math.inf
