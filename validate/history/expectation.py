"""What a scenario's times should be before it is run: by a fit's prediction, or by a baseline."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from psmodel.scenario import Scenario
from validate.fitting.fit import Fit
from validate.fitting.model_response import Forward
from validate.fitting.observables import RECOVERY, to_seconds

_LEAST_SPREAD = 1e-3
"""Repetitions that happen to be equal do not make an expectation exact."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What the logarithm of a time (s) is expected to be; Student's t with so many degrees of `freedom`.

    Attributes
    ----------
    centre
        As `validate.fitting.observables.signals` gives it.
    shared
        Standard deviation of what all runs of the scenario have in common: the model's error, or the baseline's mean.
    noise
        Standard deviation of one run.
    """

    centre: float
    shared: float
    noise: float
    freedom: float

    @property
    def seconds(self) -> float:
        """The expected time (s)."""
        return to_seconds(self.centre)

    def _spread(self, runs: int) -> float:
        return max(_LEAST_SPREAD, math.hypot(self.shared, self.noise / math.sqrt(runs)))

    def p_value(self, mean: float, runs: int, margin: float) -> float:
        """Probability of a mean of `runs` logarithms at least so far off, beyond a relative margin, if all is well."""
        excess = max(0.0, abs(mean - self.centre) - math.log1p(margin))
        return float(2 * student.sf(excess / self._spread(runs), self.freedom))

    def interval(self, runs: int, level: float, margin: float) -> tuple[float, float]:
        """Times (s) between which the mean lies with probability 1 − level; those with a p-value of at least it."""
        half = float(student.isf(level / 2, self.freedom)) * self._spread(runs) + math.log1p(margin)
        return to_seconds(self.centre - half), to_seconds(self.centre + half)


def judged(scenario: Scenario) -> tuple[str, ...]:
    """The metrics that a run of the scenario is judged by: its phases; out of step the iteration and the ingress too;
    where somebody dies, by the iteration and the recovery.

    Compute time is judged where the host's cores have to compute; slept, it says nothing of a machine.
    """
    if scenario.failures:
        # In which phase a death falls is a matter of milliseconds.
        return ("iteration_time_s", RECOVERY)
    names = []
    if scenario.pull != "none":
        names.append("pull_time_s")
    if scenario.compute_on == "cpu" and scenario.compute.expected() > 0:
        names.append("compute_time_s")
    if scenario.push == "fire-and-forget":
        names.append("ingress_time_s")
    elif scenario.push != "none":
        names.append("push_time_s")
    if scenario.mode != "bsp":
        names.append("iteration_time_s")
    return tuple(names)


def by_fit(fit: Fit, scenario: Scenario, forward: Forward) -> dict[str, Expectation]:
    """Metric → what the fitted model predicts, with the uncertainty of its coefficients and its own error.

    `Fit.predict` gives the same as an interval for one more run, by draws; here the sum of variances, to first order.
    """
    centre = forward(scenario, fit.calibration)
    slopes = forward.jacobian(scenario, fit.calibration, fit.names)
    covariance = np.array(fit.covariance).reshape(len(fit.names), -1)
    expectations = {}
    for name in judged(scenario):
        slope = slopes[name]
        variance = float(slope @ covariance @ slope) if fit.names else 0.0
        expectations[name] = Expectation(
            centre=centre[name],
            shared=math.sqrt(variance + fit.misfit.get(name, 0.0) ** 2),
            noise=fit.noise.get(name, 0.0),
            freedom=fit.degrees_of_freedom,
        )
    return expectations


Expectations = Mapping[str, Mapping[str, Expectation]]
"""`selection.content` of a scenario → metric → what is expected."""
