"""The metrics of a run that a fit compares with the model's, and the scale on which it compares them."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

from psmodel.results import Metrics
from psmodel.scenario import Scenario

RESOLUTION_S = 1e-4
"""Times are compared as log(time + this): shorter ones are not told apart, and a time of 0 has a logarithm."""
WAIT = "wait_share"
"""Share of the iteration spent waiting for the others; compared as it is, since it may well be 0."""
NEGLIGIBLE = 0.005
"""Errors of a phase smaller than this part of the iteration are no concern: a tiny phase need not be fitted well."""
RECOVERY = "recovery_time_s"
SCORED = ("pull_time_s", "push_time_s", "iteration_time_s", "ingress_time_s", RECOVERY)
"""Metrics that predictions are judged by."""


class MachineFacts(Protocol):
    """Where a measurement was taken."""

    @property
    def fingerprint(self) -> str:
        """Equal for runs of one machine."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Name → value."""
        ...


class Observed(Protocol):
    """What the fit needs of a stored measurement."""

    @property
    def scenario(self) -> Scenario:
        """What was run."""
        ...

    @property
    def metrics(self) -> Metrics:
        """What came out."""
        ...

    @property
    def environment(self) -> MachineFacts:
        """Where it ran."""
        ...

    @property
    def link_goodput(self) -> Mapping[str, float]:
        """Bytes/s that a plain TCP stream reached over each kind of link; empty where there are none."""
        ...


def signals(scenario: Scenario, metrics: Metrics) -> dict[str, float]:
    """Name → value of everything that is compared: logarithms of times, and `WAIT`; noise is additive in all."""
    names = ["iteration_time_s", "compute_time_s"]
    if scenario.pull != "none":
        names.append("pull_time_s")
    if scenario.push != "none":
        names += ["push_time_s", "ingress_time_s"]
    if scenario.failures:
        names.append(RECOVERY)
    metric_values = {name: getattr(metrics, name) for name in names}
    values = {
        name: math.log(value + RESOLUTION_S) for name, value in metric_values.items() if value is not None
    }
    if metrics.wait_time_s is not None:
        iteration = metrics.iteration_time_s
        values[WAIT] = metrics.wait_time_s / iteration if iteration > 0 else 0.0
    return values


def tolerance(values: Mapping[str, float], name: str) -> float:
    """The error of a signal that is no concern, on its own scale: `NEGLIGIBLE` of the iteration, among `values`."""
    if name == WAIT:
        return NEGLIGIBLE
    return NEGLIGIBLE * math.exp(values["iteration_time_s"] - values[name])


def fitted_names(scenario: Scenario) -> tuple[str, ...]:
    """The signals a fit uses: the phases, which do not overlap, so that their errors are independent.

    A push that nobody waits for tells nothing of when it arrives, and workers out of step wait inside their
    phases; there the ingress time and the iteration as a whole say what the phases do not.
    """
    if scenario.failures:
        # In which phase a death falls is a matter of milliseconds, and the phases follow from it.
        return (RECOVERY,)
    names = ["compute_time_s", WAIT]
    if scenario.pull != "none":
        names.append("pull_time_s")
    if scenario.push != "none":
        names.append("push_time_s")
    if scenario.push == "fire-and-forget":
        names += ["ingress_time_s", "iteration_time_s"]
    return tuple(names)


def to_seconds(log_time: float) -> float:
    """The time that a signal stands for; that of a time of 0 is 0, without the dust of a difference."""
    return max(0.0, RESOLUTION_S * math.expm1(log_time - math.log(RESOLUTION_S)))
