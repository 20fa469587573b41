"""How far predictions were from runs that the fit had not seen, beside the noise and beside other models."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from psmodel.calibration import IDEAL
from validate.comparison import quality
from validate.comparison.rivals import Rivals, values
from validate.fitting import conformal
from validate.fitting.fit import Fit
from validate.fitting.model_response import Forward
from validate.fitting.observables import SCORED, Observed, to_seconds
from validate.measurements.selection import by_scenario, content, labels

OURS, UNFITTED = "psmodel", "psmodel, not fitted"


@dataclass(frozen=True, kw_only=True)
class ComparisonRow:
    """One metric of one scenario; times in s.

    Attributes
    ----------
    scenario, content
        Its name, told apart from others of the same name, and `selection.content`, which tells it from all others.
    runs
        Repetitions; `measured` is their mean, `measured_low` and `measured_high` the extremes.
    predicted, low, high
        By the fitted model, with the 95 % interval in which one more run's value lies.
    covered, covered_80
        How many of the repetitions lie in it, and in the 80 % interval.
    distances
        Of each repetition from the prediction, see `validate.fitting.conformal.score`.
    others
        Other model → its prediction; not every model has one of every scenario.
    outside
        In what the scenario lies outside the calibration runs: then the prediction is an extrapolation.
    """

    scenario: str
    content: str
    metric: str
    runs: int
    measured: float
    measured_low: float
    measured_high: float
    predicted: float
    low: float
    high: float
    covered: int
    covered_80: int
    distances: tuple[float, ...]
    others: Mapping[str, float]
    outside: tuple[str, ...]

    @property
    def error(self) -> float:
        """(predicted − measured) / measured."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True, kw_only=True)
class Score:
    """Errors of a model over the rows that it has a prediction of, or those among them of one metric.

    Attributes
    ----------
    mape, largest
        Mean and largest absolute relative error.
    values
        Number of rows.
    quality, bias
        The word for such a mean error, and to which side the predictions lie (`validate.comparison.quality`).
    """

    model: str
    metric: str
    mape: float
    largest: float
    values: int
    quality: str
    bias: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Predictions of held-out runs, scored; `calibration` are the same of the runs that were fitted, not scored.

    Attributes
    ----------
    scores
        Of every model: for each metric, and for all of them together (metric "all").
    coverage
        Share of held-out values inside their 95 % prediction interval.
    coverage_80
        The same for the 80 % interval.
    noise
        Metric → coefficient of variation of one run among its repetitions: no model can do better on a single run.
    """

    rows: tuple[ComparisonRow, ...]
    calibration: tuple[ComparisonRow, ...]
    scores: tuple[Score, ...]
    coverage: float | None
    coverage_80: float | None
    noise: Mapping[str, float]

    def score(self, model: str = OURS, metric: str = "all") -> Score:
        """The score of a model."""
        return next(s for s in self.scores if (s.model, s.metric) == (model, metric))

    @property
    def best_baseline(self) -> Score | None:
        """The baseline with the smallest mean error over all metrics, of those that predict as many rows as ours."""
        baselines = [s for s in self.scores if s.metric == "all" and s.model not in (OURS, UNFITTED)]
        whole = [s for s in baselines if s.values == len(self.rows)]
        return min(whole, key=lambda s: s.mape, default=None)

    @property
    def scenarios(self) -> int:
        """How many scenarios were scored."""
        return len({row.content for row in self.rows})

    @property
    def factor(self) -> float | None:
        """Our mean error as a part of the best baseline's; below 1 ours is better."""
        best = self.best_baseline
        return None if best is None or best.mape == 0 else self.score().mape / best.mape

    @property
    def calibration_curve(self) -> tuple[tuple[float, float], ...]:
        """Level of an interval and the share of held-out values inside it."""
        distances = np.array([d for r in self.rows for d in r.distances])
        return tuple(
            (level, float((distances <= factor).mean())) for level, factor in conformal.factors().items()
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        best = self.best_baseline
        return {
            "rows": [asdict(r) | {"error": r.error, "outside": list(r.outside)} for r in self.rows],
            "calibration": [
                asdict(r) | {"error": r.error, "outside": list(r.outside)} for r in self.calibration
            ],
            "scores": [asdict(s) for s in self.scores],
            "coverage": self.coverage,
            "coverage_80": self.coverage_80,
            "calibration_curve": [list(point) for point in self.calibration_curve] if self.rows else [],
            "noise": dict(self.noise),
            "best_baseline": None if best is None else best.model,
            "factor": self.factor,
        }


def compare(
    fit: Fit,
    held_out: Iterable[Observed],
    *,
    calibration_runs: Iterable[Observed],
    forward: Forward | None = None,
    rivals: Rivals | None = None,
) -> Comparison:
    """Score a fit, the un-fitted model and the baselines on runs that none of them has seen.

    Parameters
    ----------
    calibration_runs
        What the fit was made from; the baselines are fitted to the very same runs.
    forward
        The model; the simulation if none is given.
    rivals
        The baselines fitted to these runs, if they have been already.
    """
    forward = forward or Forward()
    calibration_groups, held_out_groups = by_scenario(calibration_runs), by_scenario(held_out)
    rivals = rivals or Rivals(calibration_groups)
    names = labels([runs[0].scenario for runs in (*calibration_groups, *held_out_groups)])
    rows: list[ComparisonRow] = []
    calibration: list[ComparisonRow] = []
    for metric in SCORED:
        for groups, target in ((calibration_groups, calibration), (held_out_groups, rows)):
            for runs in groups:
                row = _row(fit, runs, metric, forward, rivals, names)
                if row is not None:
                    target.append(row)
    return Comparison(
        rows=tuple(rows),
        calibration=tuple(calibration),
        scores=_scores(rows),
        coverage=sum(r.covered for r in rows) / sum(r.runs for r in rows) if rows else None,
        coverage_80=sum(r.covered_80 for r in rows) / sum(r.runs for r in rows) if rows else None,
        noise=_noise([*calibration_groups, *held_out_groups]),
    )


def _row(
    fit: Fit,
    runs: Sequence[Observed],
    metric: str,
    forward: Forward,
    rivals: Rivals,
    names: Mapping[str, str],
) -> ComparisonRow | None:
    scenario = runs[0].scenario
    times = values(runs, metric)
    if not times or min(times) <= 0:
        return None
    interval = fit.predict(scenario, forward)[metric]
    unfitted = to_seconds(forward(scenario, IDEAL)[metric])
    factors = conformal.factors()
    low, high = conformal.stretched(interval, factors[0.95])
    distances = tuple(conformal.score(interval, v) for v in times)
    return ComparisonRow(
        scenario=names[content(scenario)],
        content=content(scenario),
        metric=metric,
        runs=len(times),
        measured=float(np.mean(times)),
        measured_low=min(times),
        measured_high=max(times),
        predicted=interval.predicted,
        low=low,
        high=high,
        covered=sum(low <= v <= high for v in times),
        covered_80=sum(d <= factors[0.8] for d in distances),
        distances=distances,
        others={UNFITTED: unfitted} | rivals.predict(scenario, metric),
        outside=fit.region.outside(scenario),
    )


def _scores(rows: Sequence[ComparisonRow]) -> tuple[Score, ...]:
    scores = []
    for metric in (*dict.fromkeys(r.metric for r in rows), "all"):
        selection = [r for r in rows if metric in (r.metric, "all")]
        # A model that is no use for some scenarios is scored on the others.
        errors = {OURS: [r.error for r in selection]} if selection else {}
        for name in dict.fromkeys(name for r in selection for name in r.others):
            errors[name] = [r.others[name] / r.measured - 1 for r in selection if name in r.others]
        scores += [_score(name, metric, of) for name, of in errors.items()]
    return tuple(scores)


def _score(model: str, metric: str, errors: Sequence[float]) -> Score:
    mape = float(np.mean(np.abs(errors)))
    return Score(
        model=model,
        metric=metric,
        mape=mape,
        largest=float(np.abs(errors).max()),
        values=len(errors),
        quality=quality.word(mape),
        bias=quality.direction(errors),
    )


def _noise(groups: Sequence[Sequence[Observed]]) -> dict[str, float]:
    """Coefficient of variation of one run, pooled over all scenarios that were repeated."""
    deviations = {}
    for metric in SCORED:
        squares, freedom = 0.0, 0
        for runs in groups:
            times = values(runs, metric)
            if len(times) > 1 and min(times) > 0:
                squares += float(np.var(np.array(times) / np.mean(times))) * len(times)
                freedom += len(times) - 1
        if freedom:
            deviations[metric] = float(np.sqrt(squares / freedom))
    return deviations
