"""How far predictions were from runs that the fit had not seen, beside the noise and beside other models."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from psmodel.calibration import IDEAL
from psmodel.scenario import Scenario
from validate.baselines import Point, fit_baselines, plain
from validate.fit_record import Fit
from validate.forward import Forward
from validate.signals import SCORED, Observed, to_seconds

OURS, UNFITTED = "psmodel", "psmodel, not fitted"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric of one scenario; times in s.

    Attributes
    ----------
    runs
        Repetitions; `measured` is their mean, `measured_low` and `measured_high` the extremes.
    predicted, low, high
        By the fitted model, with the 95 % interval in which one more run's value lies.
    covered
        How many of the repetitions lie in the interval.
    others
        Other model → its prediction.
    outside
        In what the scenario lies outside the calibration runs: then the prediction is an extrapolation.
    """

    scenario: str
    metric: str
    runs: int
    measured: float
    measured_low: float
    measured_high: float
    predicted: float
    low: float
    high: float
    covered: int
    others: Mapping[str, float]
    outside: tuple[str, ...]

    @property
    def error(self) -> float:
        """(predicted − measured) / measured."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True, kw_only=True)
class Score:
    """Mean and largest absolute relative error of a model over all rows, or those of one metric."""

    model: str
    metric: str
    mape: float
    largest: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Predictions of held-out runs, scored; `calibration` are the same of the runs that were fitted, not scored.

    Attributes
    ----------
    scores
        Of every model: for each metric, and for all of them together (metric "all").
    coverage
        Share of held-out values inside their 95 % prediction interval.
    noise
        Metric → coefficient of variation of one run among its repetitions: no model can do better on a single run.
    """

    rows: tuple[Row, ...]
    calibration: tuple[Row, ...]
    scores: tuple[Score, ...]
    coverage: float | None
    noise: Mapping[str, float]

    def score(self, model: str = OURS, metric: str = "all") -> Score:
        """The score of a model."""
        return next(s for s in self.scores if (s.model, s.metric) == (model, metric))

    @property
    def best_baseline(self) -> Score | None:
        """The baseline with the smallest mean error over all metrics."""
        baselines = [s for s in self.scores if s.metric == "all" and s.model not in (OURS, UNFITTED)]
        return min(baselines, key=lambda s: s.mape, default=None)

    @property
    def factor(self) -> float | None:
        """Our mean error as a part of the best baseline's; below 1 ours is better."""
        best = self.best_baseline
        return None if best is None or best.mape == 0 else self.score().mape / best.mape

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
) -> Comparison:
    """Score a fit, the un-fitted model and the baselines on runs that none of them has seen.

    Parameters
    ----------
    calibration_runs
        What the fit was made from; the baselines are fitted to the very same runs.
    forward
        The model; the simulation if none is given.
    """
    forward = forward or Forward()
    seen, unseen = _group(calibration_runs), _group(held_out)
    rows: list[Row] = []
    calibration: list[Row] = []
    for metric in SCORED:
        others = _Others(metric, seen)
        for groups, target in ((seen, calibration), (unseen, rows)):
            for runs in groups:
                row = _row(fit, runs, metric, forward, others)
                if row is not None:
                    target.append(row)
    return Comparison(
        rows=tuple(rows),
        calibration=tuple(calibration),
        scores=_scores(rows),
        coverage=sum(r.covered for r in rows) / sum(r.runs for r in rows) if rows else None,
        noise=_noise([*seen, *unseen]),
    )


def _group(runs: Iterable[Observed]) -> list[list[Observed]]:
    groups: dict[Hashable, list[Observed]] = {}
    for run in runs:
        groups.setdefault(run.scenario, []).append(run)
    return list(groups.values())


def _values(runs: Sequence[Observed], metric: str) -> list[float]:
    """The metric of each run; none where the scenario has no such phase, or nobody waits for it."""
    scenario = runs[0].scenario
    absent = (
        (metric == "pull_time_s" and scenario.pull == "none")
        or (metric in ("push_time_s", "ingress_time_s") and scenario.push == "none")
        or (metric == "push_time_s" and scenario.push == "fire-and-forget")
    )
    values = [] if absent else [getattr(run.metrics, metric) for run in runs]
    return [float(v) for v in values if v is not None]


def _row(fit: Fit, runs: Sequence[Observed], metric: str, forward: Forward, others: "_Others") -> Row | None:
    scenario = runs[0].scenario
    values = _values(runs, metric)
    if not values or min(values) <= 0:
        return None
    interval = fit.predict(scenario, forward)[metric]
    unfitted = to_seconds(forward(scenario, IDEAL)[metric])
    return Row(
        scenario=scenario.name,
        metric=metric,
        runs=len(values),
        measured=float(np.mean(values)),
        measured_low=min(values),
        measured_high=max(values),
        predicted=interval.predicted,
        low=interval.low,
        high=interval.high,
        covered=sum(interval.low <= v <= interval.high for v in values),
        others={UNFITTED: unfitted} | others.predict(scenario),
        outside=fit.region.outside(scenario),
    )


class _Others:
    """The baselines for one metric, fitted to the calibration runs."""

    def __init__(self, metric: str, groups: Sequence[Sequence[Observed]]) -> None:
        self._metric = metric
        data = [
            (g[0].scenario, float(np.mean(v))) for g in groups if (v := _values(g, metric)) and min(v) > 0
        ]
        self._fitted = fit_baselines([self._point(s) for s, _ in data], [t for _, t in data]) if data else ()

    def _point(self, scenario: Scenario) -> Point:
        """Work in seconds at the nominal rate; in bytes where there is no link to have one."""
        bandwidth = scenario.bandwidth
        rate = 1.0
        if bandwidth is not None and scenario.placement != "single-host":
            rate = bandwidth.shard_up if self._metric == "pull_time_s" else bandwidth.shard_down
        moved = scenario.workers * scenario.total_bytes / rate
        if self._metric == "iteration_time_s":
            moved *= (scenario.pull != "none") + (scenario.push != "none")
        compute = scenario.compute.expected() if self._metric == "iteration_time_s" and rate > 1.0 else 0.0
        return Point(scale=moved, machines=scenario.shards, plain_s=moved / scenario.shards + compute)

    def predict(self, scenario: Scenario) -> dict[str, float]:
        """Baseline → time (s)."""
        no_rate = scenario.bandwidth is None or scenario.placement == "single-host"
        unscaled = plain([], []).name
        point = self._point(scenario)
        return {b.name: b.predict(point) for b in self._fitted if not (no_rate and b.name == unscaled)}


def _scores(rows: Sequence[Row]) -> tuple[Score, ...]:
    scores = []
    for metric in (*dict.fromkeys(r.metric for r in rows), "all"):
        chosen = [r for r in rows if metric in (r.metric, "all")]
        if not chosen:
            continue
        errors = {OURS: [abs(r.error) for r in chosen]}
        for name in chosen[0].others:
            errors[name] = [abs(r.others[name] / r.measured - 1) for r in chosen]
        scores += [
            Score(model=name, metric=metric, mape=float(np.mean(e)), largest=max(e))
            for name, e in errors.items()
        ]
    return tuple(scores)


def _noise(groups: Sequence[Sequence[Observed]]) -> dict[str, float]:
    """Coefficient of variation of one run, pooled over all scenarios that were repeated."""
    found = {}
    for metric in SCORED:
        squares, freedom = 0.0, 0
        for runs in groups:
            values = _values(runs, metric)
            if len(values) > 1 and min(values) > 0:
                squares += float(np.var(np.array(values) / np.mean(values))) * len(values)
                freedom += len(values) - 1
        if freedom:
            found[metric] = float(np.sqrt(squares / freedom))
    return found
