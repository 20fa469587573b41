"""What a scenario's times should be before it is run: by a fit's prediction, or by a baseline."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from psmodel.scenario import Scenario
from validate.fitting.fit import Fit
from validate.fitting.model_response import Forward
from validate.fitting.observables import NEGLIGIBLE, RECOVERY, to_seconds

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
    negligible
        Part of the expected time that is no concern whatever the margin; large where the time is a tiny part of the
        iteration.
    turns
        Workers whose streams may go one after the other over a link instead of sharing it: TCP does not share fairly.
        The last then ends when it would, but the mean of N workers falls to (N + 1)/2N of that of a fair share, and
        is not faster for it.
    outside
        In what the scenario lies outside the calibration of the fit that expects this: then it is an extrapolation.
    """

    centre: float
    shared: float
    noise: float
    freedom: float
    negligible: float = 0.0
    turns: int = 1
    outside: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """The expected time (s)."""
        return to_seconds(self.centre)

    def _spread(self, runs: int) -> float:
        return max(_LEAST_SPREAD, math.hypot(self.shared, self.noise / math.sqrt(runs)))

    def _slack(self, margin: float) -> tuple[float, float]:
        """How far below and above the centre a mean may be before it is anybody's concern."""
        above = math.log1p(max(margin, self.negligible))
        return above + math.log(2 * self.turns / (self.turns + 1)), above

    def p_value(self, mean: float, runs: int, margin: float) -> float:
        """Probability of a mean of `runs` logarithms at least so far off, beyond a relative margin, if all is well."""
        below, above = self._slack(margin)
        off = mean - self.centre
        excess = max(0.0, off - above, -off - below)
        return float(2 * student.sf(excess / self._spread(runs), self.freedom))

    def interval(self, runs: int, level: float, margin: float) -> tuple[float, float]:
        """Times (s) between which the mean lies with probability 1 − level; those with a p-value of at least it."""
        half = float(student.isf(level / 2, self.freedom)) * self._spread(runs)
        below, above = self._slack(margin)
        return to_seconds(self.centre - half - below), to_seconds(self.centre + half + above)


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


def turns(workers: int, metric: str) -> int:
    """`Expectation.turns` of a metric: a mean over workers of what they wait for the links that they share."""
    return workers if metric in ("pull_time_s", "push_time_s") else 1


def negligible(centres: Mapping[str, float], metric: str) -> float:
    """`Expectation.negligible` of a metric among those that are judged (logarithms, as `signals` gives them).

    A baseline holds no iteration time of workers in step: there the sum of the phases, which it exceeds, stands for it.
    """
    times = {name: to_seconds(value) for name, value in centres.items()}
    iteration = times.get("iteration_time_s", sum(times.values()))
    return NEGLIGIBLE * iteration / math.exp(centres[metric])


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
            negligible=negligible(centre, name),
            turns=turns(scenario.workers, name),
            outside=fit.region.outside(scenario),
        )
    return expectations


Expectations = Mapping[str, Mapping[str, Expectation]]
"""`selection.content` of a scenario → metric → what is expected."""
