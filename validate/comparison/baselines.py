"""The models a sceptic would ask for first, fitted on the same runs and scored on the same held-out ones.

Each maps the size of a run to one time; all coefficients are fitted to relative errors, since that is what they
are scored by. Where the runs cannot tell two terms apart, the one that grows more slowly is kept: extrapolation
then errs in the baseline's favour.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Point:
    """What the baselines know of a run.

    Attributes
    ----------
    scale
        Amount of work, in any unit that is the same for all points.
    machines
        How many machines share it.
    plain_s
        Time (s) by the plain formula: N·M/(K·B) for each phase, and the nominal compute time.
    """

    scale: float
    machines: float
    plain_s: float


@dataclass(frozen=True, kw_only=True)
class FittedBaseline:
    """A baseline with its coefficients (name → value); `predict` gives the time (s) of a point."""

    name: str
    predict: Callable[[Point], float]
    coefficients: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Name and coefficients."""
        return {"name": self.name, "coefficients": dict(self.coefficients)}


def plain(points: Sequence[Point], times: Sequence[float]) -> FittedBaseline:
    """N·M/(K·B) with nominal rates; nothing is fitted."""
    return FittedBaseline(name="plain N·M/(K·B)", predict=lambda p: p.plain_s)


def plain_scaled(points: Sequence[Point], times: Sequence[float]) -> FittedBaseline:
    """The plain formula times one factor, the geometric mean of measured ÷ formula (an effective bandwidth)."""
    factor = float(np.exp(np.mean(np.log(np.asarray(times) / [p.plain_s for p in points]))))
    return FittedBaseline(
        name="plain, scaled", predict=lambda p: factor * p.plain_s, coefficients={"factor": factor}
    )


def constant(points: Sequence[Point], times: Sequence[float]) -> FittedBaseline:
    """The same time always: the geometric mean of the measured ones."""
    value = float(np.exp(np.mean(np.log(times))))
    return FittedBaseline(name="constant", predict=lambda p: value, coefficients={"time_s": value})


def ernest(points: Sequence[Point], times: Sequence[float]) -> FittedBaseline:
    """Ernest's four terms by non-negative least squares.

    time = θ₀ + θ₁·scale/machines + θ₂·log(machines) + θ₃·machines (Venkataraman et al. 2016, "Ernest: efficient
    performance prediction for large-scale advanced analytics", NSDI, section 3.1).
    """
    terms: dict[str, Callable[[Point], float]] = {
        "1": lambda p: 1.0,
        "scale/machines": lambda p: p.scale / p.machines,
        "log(machines)": lambda p: float(np.log(p.machines)),
        "machines": lambda p: p.machines,
    }
    return _nonnegative("Ernest", terms, points, times)


def universal_scalability_law(points: Sequence[Point], times: Sequence[float]) -> FittedBaseline:
    """Gunther's law: the capacity of p machines relative to one is p / (1 + σ(p−1) + κp(p−1)).

    The time of a work `scale` is then scale·(1 + σ(p−1) + κp(p−1)) / (λp), linear in 1/λ, σ/λ and κ/λ, which are
    not negative (Gunther 2008, "A general theory of computational scalability based on rational functions",
    arXiv:0808.1431, eq. 6).
    """
    terms: dict[str, Callable[[Point], float]] = {
        "1/λ": lambda p: p.scale / p.machines,
        "σ/λ": lambda p: p.scale * (p.machines - 1) / p.machines,
        "κ/λ": lambda p: p.scale * (p.machines - 1),
    }
    return _nonnegative("Universal Scalability Law", terms, points, times)


BASELINES = (plain, plain_scaled, ernest, universal_scalability_law, constant)


def fit_baselines(points: Sequence[Point], times: Sequence[float]) -> tuple[FittedBaseline, ...]:
    """Every baseline fitted to the same points.

    Raises
    ------
    ValueError
        If there is no point, not one time per point, or a time is not positive.
    """
    if not points or len(points) != len(times) or not all(t > 0 for t in times):
        raise ValueError(
            f"{len(points)} points with times {list(times)}: one positive time per point is needed"
        )
    return tuple(fit(points, times) for fit in BASELINES)


def _nonnegative(
    name: str,
    terms: Mapping[str, Callable[[Point], float]],
    points: Sequence[Point],
    times: Sequence[float],
) -> FittedBaseline:
    relative = np.array([[term(p) for term in terms.values()] for p in points]) / np.asarray(times)[:, None]
    columns = _independent_columns(relative)
    solution, _ = nnls(relative[:, columns], np.ones(len(times)))
    coefficients = dict.fromkeys(terms, 0.0)
    for column, value in zip(columns, solution, strict=True):
        coefficients[list(terms)[column]] = float(value)
    return FittedBaseline(
        name=name,
        predict=lambda p: sum(coefficients[term] * value(p) for term, value in terms.items()),
        coefficients=coefficients,
    )


def _independent_columns(matrix: Array) -> list[int]:
    """The columns that are no linear combination of those before them."""
    columns: list[int] = []
    for column in range(matrix.shape[1]):
        if np.linalg.matrix_rank(matrix[:, [*columns, column]], tol=1e-9 * np.abs(matrix).max()) > len(
            columns
        ):
            columns.append(column)
    return columns
