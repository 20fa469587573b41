"""Choose the runs that narrow the intervals of predictions most for the time they take.

A run's information is JᵀJ, J the model's Jacobian by the coefficients divided by the standard deviation of what is
measured; informations add up, and what is expected of a coefficient beforehand is one more. Runs are chosen one
after the other, each the one that improves the criterion most per second of run time (greedy sequential design:
Fedorov 1972, "Theory of optimal experiments", chapter 4; used for performance models by Venkataraman et al. 2016,
"Ernest", NSDI, section 3.3).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from psmodel.calibration import COEFFICIENTS, Calibration
from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from validate.fitting.model_response import Forward, scales
from validate.fitting.observables import fitted_names, tolerance
from validate.fitting.solution import USUAL_MISFIT

Array = NDArray[np.float64]
SCHEMA_VERSION = 1
Criterion = Literal["predictions", "coefficients"]
_WORTHWHILE = 0.9
"""A run that leaves more of a standard deviation than this tells nothing worth its while."""
SETUP_S = 4.0
"""Seconds that a run takes besides its iterations: actors start and stop."""
USUAL = Calibration(**{name: about.usual for name, about in COEFFICIENTS.items()})


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A run of a design.

    Attributes
    ----------
    cost_s
        Seconds it takes.
    widest
        Largest relative half width of the 95 % interval of a candidate's iteration time once this run and those
        before it have been made, as far as the coefficients decide it.
    """

    scenario: str
    cost_s: float
    widest: float


@dataclass(frozen=True, kw_only=True)
class Design:
    """Runs in the order to make them; `widest_before` is what is known without any."""

    criterion: Criterion
    budget_s: float
    widest_before: float
    choices: tuple[Choice, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def design(
    candidates: Sequence[Scenario],
    budget_s: float,
    *,
    criterion: Criterion = "predictions",
    calibration: Calibration = USUAL,
    runs: Sequence[Scenario] = (),
    forward: Forward | None = None,
) -> Design:
    """Choose runs among the candidates; one may be chosen again.

    Parameters
    ----------
    candidates
        Scenarios that could be run; also those whose iteration times one wants to know.
    budget_s
        Seconds that all runs together may take.
    criterion
        "predictions": smallest mean variance of the candidates' iteration times (I-optimal); "coefficients":
        largest determinant of the information (D-optimal).
    calibration
        Where the model is linearised; by default what is usual.
    runs
        Runs that have been made already.

    Raises
    ------
    BadInput
        If the budget is too small for any of the candidates.
    """
    forward = forward or Forward()
    names = tuple(COEFFICIENTS)
    information = {s: _information(s, calibration, names, forward) for s in {*candidates, *runs}}
    targets = np.array([forward.jacobian(s, calibration, names)["iteration_time_s"] for s in candidates])
    cost = {s: _cost(s, calibration, forward) for s in candidates}
    if min(cost.values()) > budget_s:
        raise BadInput(
            f"--budget {budget_s:g}s is too short for any of these runs; the shortest takes {min(cost.values()):.1f} s"
        )
    spread = np.array([COEFFICIENTS[n].spread for n in names]) / scales(names)
    precision = np.diag(1 / spread**2) + sum(
        (information[s] for s in runs), np.zeros((len(names), len(names)))
    )
    before, seconds_left, choices = _widest(targets, precision), budget_s, []
    while affordable := [s for s in candidates if cost[s] <= seconds_left]:
        now = _value(criterion, targets, precision)
        gains = [(_value(criterion, targets, precision + information[s]) - now) / cost[s] for s in affordable]
        best = affordable[int(np.argmax(gains))]
        precision = precision + information[best]
        seconds_left -= cost[best]
        choices.append(Choice(scenario=best.name, cost_s=cost[best], widest=_widest(targets, precision)))
    return Design(criterion=criterion, budget_s=budget_s, widest_before=before, choices=tuple(choices))


def telling_run(
    coefficient: str,
    names: Sequence[str],
    covariance: Array,
    candidates: Sequence[Scenario],
    calibration: Calibration,
    forward: Forward | None = None,
) -> tuple[Scenario, float] | None:
    """The candidate that would tell a coefficient best.

    Parameters
    ----------
    covariance
        Of the coefficients `names` in units of `model_response.scales`, as a fit has it.

    Returns
    -------
    The scenario and the ratio of the coefficient's standard deviation after one run of it to that before; None if no
    candidate narrows it by a tenth.
    """
    if coefficient not in names or not candidates:
        return None
    forward, index = forward or Forward(), list(names).index(coefficient)
    precision = np.linalg.inv(covariance)
    after = {
        s: np.linalg.inv(precision + _information(s, calibration, names, forward))[index, index]
        for s in candidates
    }
    best = min(after, key=lambda s: after[s])
    ratio = float(np.sqrt(after[best] / covariance[index, index]))
    return (best, ratio) if ratio < _WORTHWHILE else None


def _information(
    scenario: Scenario, calibration: Calibration, names: Sequence[str], forward: Forward
) -> Array:
    values = forward(scenario, calibration)
    slopes = forward.jacobian(scenario, calibration, names)
    rows = []
    for name in fitted_names(scenario):
        if name in slopes:
            rows.append(slopes[name] / np.hypot(USUAL_MISFIT, tolerance(values, name)))
    jacobian = np.array(rows).reshape(len(rows), len(names))
    return np.asarray(jacobian.T @ jacobian)


def _cost(scenario: Scenario, calibration: Calibration, forward: Forward) -> float:
    seconds = float(np.exp(forward(scenario, calibration)["iteration_time_s"]))
    return SETUP_S + scenario.total_iterations * seconds


def _value(criterion: Criterion, targets: Array, precision: Array) -> float:
    """Larger is better."""
    if criterion == "coefficients":
        return float(np.linalg.slogdet(precision)[1])
    return -float(np.einsum("ij,jk,ik->i", targets, np.linalg.inv(precision), targets).mean())


def _widest(targets: Array, precision: Array) -> float:
    variance = np.einsum("ij,jk,ik->i", targets, np.linalg.inv(precision), targets)
    return 1.96 * float(np.sqrt(variance.max()))
