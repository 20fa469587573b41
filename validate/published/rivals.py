"""What others would predict of the published clusters, from the same small sizes."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.optimize import nnls

from validate.comparison.baselines import FittedBaseline, Point, fit_baselines
from validate.published.tables import PublishedRow

Predict = Callable[[PublishedRow], float]
NNLS, RATIO = "NNLS with a delay term", "smaller size × wire ratio"


def fit(small_rows: Sequence[PublishedRow]) -> dict[str, Predict]:
    """Name → prediction (s) of any size, learnt from the fitted sizes of one job, or of one table's synchronisations.

    The plain formula takes what one machine needs as given, and so do those that build on it.
    """
    alone = {row.job: row.step_s for row in small_rows if row.machines == 1}
    points = [_point(row, alone.get(row.job, 0.0)) for row in small_rows]
    fitted_baselines = {
        fitted.name: _by_point(fitted, alone)
        for fitted in fit_baselines(points, [row.step_s for row in small_rows])
    }
    return fitted_baselines | {NNLS: _with_delay(small_rows), RATIO: _wire_ratio(small_rows, alone)}


def _by_point(fitted: FittedBaseline, alone: Mapping[tuple[str, int], float]) -> Predict:
    return lambda row: fitted.predict(_point(row, alone.get(row.job, 0.0)))


def _point(row: PublishedRow, alone_s: float) -> Point:
    # The amount of work grows with the machines, each of which brings its own.
    scale = row.machines * (row.wire_bytes if row.kind == "synchronisation" else 1.0)
    return Point(scale=scale, machines=row.machines, plain_s=alone_s + row.plain_s)


def _terms(row: PublishedRow) -> list[float]:
    return [float(row.kind == "training"), row.communication_s, row.delays_s]


def _with_delay(small_rows: Sequence[PublishedRow]) -> Predict:
    """θ₀ (where something is computed) + θ₁·wire + θ₂·(n − 1)·delay, non-negative, by relative errors."""
    relative = np.array([_terms(row) for row in small_rows]) / np.array([[row.step_s] for row in small_rows])
    solution, _ = nnls(relative, np.ones(len(small_rows)))
    return lambda row: float(np.dot(solution, _terms(row)))


def _wire_ratio(small_rows: Sequence[PublishedRow], alone: Mapping[tuple[str, int], float]) -> Predict:
    """The time of the job's largest fitted size, times the ratio of the nominal times of both sizes."""
    largest = {(row.network, row.job): row for row in sorted(small_rows, key=lambda r: r.machines)}

    def nominal(row: PublishedRow) -> float:
        return alone.get(row.job, 0.0) + row.communication_s

    def predict(row: PublishedRow) -> float:
        base = largest[row.network, row.job]
        return base.step_s * nominal(row) / nominal(base)

    return predict
