r"""Published clusters, with no hardware: step times of others' parameter servers, predicted from two small sizes.

A step on n machines that are workers and servers at once takes one machine's time and what of the communication
is not hidden behind the backward pass,

.. math:: t(n) = t_1 + (1 - \omega)\, \frac{c(n)}{\varepsilon}, \qquad
          c(n) = \frac{M}{B}\left(\frac{n-1}{K} + \frac{K-1}{K}\right) = \frac{2(n-1)M}{nB} \;\text{for } K = n,

with model bytes M and link rate B (general form: Jiang et al. 2020, BytePS, OSDI). Unknown are the efficiency ε of
a cluster and the overlap ω of a model. Only the sizes n ≤ 2 are used. A second machine adds less to a step than
the 5 % by which published step times shift from repeat to repeat, so that least squares would fit noise; instead
both unknowns start from a flat prior and the data move it as far as they can.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validate.comparison import quality
from validate.comparison.baselines import Point, fit_baselines
from validate.published.tables import PublishedRow, load

Array = NDArray[np.float64]
SCHEMA_VERSION = 1
REPEAT_SHIFT = 0.05
"""Relative standard deviation of one published step time: "shifts of about 5 % are seen" (published/README.md)."""
LARGEST_FITTED = 2
"""Machines of the largest size that is fitted."""
_EFFICIENCY = np.linspace(0.5, 1.0, 51)
"""Prior of ε: flat; TCP streams reach at least half of a data-centre link."""
_OVERLAP = np.linspace(0.0, 1.0, 101)
"""Prior of ω: flat from nothing hidden to everything."""
_EXPOSED = (1 - _OVERLAP)[None, :] / _EFFICIENCY[:, None]
OURS = "psmodel"


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A size that was not fitted: measured and predicted step times (s), by method.

    `extra_s` is the time over one machine, measured; `predicted_extra_s` each method's own difference to its
    prediction for one machine; `interval_s` the 95 % prediction interval of our step time.
    """

    row: PublishedRow
    predicted_s: Mapping[str, float]
    interval_s: tuple[float, float]
    extra_s: float
    predicted_extra_s: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class MethodScore:
    """Errors of one method over the sizes not fitted of one table (or all).

    `extra_error` is Σ|predicted − measured| ÷ Σ measured extra time: single extras are near zero, so that the mean
    of their relative errors would say little. `quality` and `bias` are those of step times (`comparison.quality`).
    """

    method: str
    table: str
    step_mape: float
    step_max: float
    extra_error: float
    extra_median: float
    quality: str
    bias: str


@dataclass(frozen=True, kw_only=True)
class Published:
    """Result of the check against published tables."""

    rows: tuple[Scored, ...]
    scores: tuple[MethodScore, ...]
    efficiency: Mapping[str, float]
    overlap: Mapping[str, float]
    coverage: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "repeat_shift": REPEAT_SHIFT,
            "largest_fitted": LARGEST_FITTED,
            "efficiency": dict(self.efficiency),
            "overlap": dict(self.overlap),
            "coverage": self.coverage,
            "scores": [vars(score) for score in self.scores],
            "rows": [
                {
                    "table": s.row.table,
                    "model": s.row.model,
                    "batch_per_gpu": s.row.batch_per_gpu,
                    "machines": s.row.machines,
                    "servers": s.row.scenario.shards,
                    "step_s": s.row.step_s,
                    "predicted_s": dict(s.predicted_s),
                    "interval_s": list(s.interval_s),
                    "extra_s": s.extra_s,
                    "predicted_extra_s": dict(s.predicted_extra_s),
                }
                for s in self.rows
            ],
        }


def check(rows: Sequence[PublishedRow] | None = None) -> Published:
    """Fit the sizes up to two machines of each model and score the larger ones.

    Raises
    ------
    ValueError
        If a model lacks one of the sizes 1 and 2, or has no larger one.
    """
    groups: dict[str, dict[tuple[str, int], list[PublishedRow]]] = {}
    for row in load() if rows is None else rows:
        groups.setdefault(row.table, {}).setdefault((row.model, row.batch_per_gpu), []).append(row)
    scored: list[Scored] = []
    efficiency: dict[str, float] = {}
    overlap: dict[str, float] = {}
    for table, models in groups.items():
        for (model, batch), sizes in models.items():
            if [r.machines for r in sorted(sizes, key=lambda r: r.machines)][:2] != [1, 2] or len(sizes) < 3:
                raise ValueError(
                    f"{table}: {model} with {batch} per GPU needs the sizes 1 and 2 and a larger one"
                )
        weights = _posterior([_small(sizes) for sizes in models.values()])
        efficiency[table] = float((weights[0].sum(axis=1) * _EFFICIENCY).sum())
        for weight, ((model, batch), sizes) in zip(weights, models.items(), strict=True):
            overlap[f"{table} {model} {batch}"] = float((weight.sum(axis=0) * _OVERLAP).sum())
            scored += _score_model(sizes, weight)
    return Published(
        rows=tuple(scored),
        scores=_scores(scored),
        efficiency=efficiency,
        overlap=overlap,
        coverage=float(np.mean([s.interval_s[0] <= s.row.step_s <= s.interval_s[1] for s in scored])),
    )


def _small(sizes: Sequence[PublishedRow]) -> tuple[PublishedRow, PublishedRow]:
    small = sorted((r for r in sizes if r.machines <= LARGEST_FITTED), key=lambda r: r.machines)
    return small[0], small[1]


def _posterior(pairs: Sequence[tuple[PublishedRow, PublishedRow]]) -> list[Array]:
    """Joint weight of (ε, ω) of each model, given that one ε holds for all models of a table.

    With t₁ flat, the two sizes tell of (1 − ω)/ε by their difference alone, whose variance is the sum of both.
    """
    likelihoods = []
    for one, two in pairs:
        deviation = (two.step_s - one.step_s - _EXPOSED * two.communication_s) / (
            REPEAT_SHIFT * np.hypot(one.step_s, two.step_s)
        )
        likelihoods.append(np.exp(-(deviation**2) / 2))
    of_efficiency = np.prod([li.mean(axis=1) for li in likelihoods], axis=0)
    weights = [li / li.mean(axis=1, keepdims=True) * of_efficiency[:, None] for li in likelihoods]
    return [w / w.sum() for w in weights]


def _score_model(sizes: Sequence[PublishedRow], weight: Array) -> list[Scored]:
    one, two = _small(sizes)
    fits = fit_baselines(
        [_point(one, one.step_s), _point(two, one.step_s)], [one.step_s, two.step_s]
    )  # the plain formula takes what one machine needs as given
    scored = []
    for row in sizes:
        if row.machines <= LARGEST_FITTED:
            continue
        mean, deviation = _predict(row, one, two, weight)
        base, _ = _predict(one, one, two, weight)
        steps = {OURS: mean} | {f.name: f.predict(_point(row, one.step_s)) for f in fits}
        bases = {OURS: base} | {f.name: f.predict(_point(one, one.step_s)) for f in fits}
        scored.append(
            Scored(
                row=row,
                predicted_s=steps,
                interval_s=(mean - 1.96 * deviation, mean + 1.96 * deviation),
                extra_s=row.step_s - one.step_s,
                predicted_extra_s={name: step - bases[name] for name, step in steps.items()},
            )
        )
    return scored


def _point(row: PublishedRow, one_machine_s: float) -> Point:
    return Point(scale=row.machines, machines=row.machines, plain_s=one_machine_s + row.plain_s)


def _predict(row: PublishedRow, one: PublishedRow, two: PublishedRow, weight: Array) -> tuple[float, float]:
    """Mean and standard deviation (s) of the step time that would be published for this size."""
    alone = (one.step_s + two.step_s - _EXPOSED * two.communication_s) / 2
    step = alone + _EXPOSED * row.communication_s
    mean = float((weight * step).sum())
    spread = float((weight * (step - mean) ** 2).sum())
    alone_variance = (REPEAT_SHIFT * one.step_s) ** 2 / 2
    return mean, float(np.sqrt(spread + alone_variance + (REPEAT_SHIFT * mean) ** 2))


def _scores(scored: Sequence[Scored]) -> tuple[MethodScore, ...]:
    tables = dict.fromkeys(s.row.table for s in scored)
    scores = []
    for table in (*tables, "all"):
        rows = [s for s in scored if table in (s.row.table, "all")]
        measured = np.array([s.row.step_s for s in rows])
        extra = np.array([s.extra_s for s in rows])
        for method in rows[0].predicted_s:
            step_error = np.abs([s.predicted_s[method] for s in rows] - measured) / measured
            extra_error = np.abs([s.predicted_extra_s[method] for s in rows] - extra)
            scores.append(
                MethodScore(
                    method=method,
                    table=table,
                    step_mape=float(step_error.mean()),
                    step_max=float(step_error.max()),
                    extra_error=float(extra_error.sum() / np.abs(extra).sum()),
                    extra_median=float(np.median(extra_error / np.abs(extra))),
                    quality=quality.word(float(step_error.mean())),
                    bias=quality.direction(([s.predicted_s[method] for s in rows] - measured) / measured),
                )
            )
    return tuple(scores)


def text(result: Published) -> str:
    """The scores as a table, and in words where the model fails."""
    lines = [
        f"{'table':34} {'method':26} {'step MAPE':>9} {'max':>7} {'extra error':>11} {'median':>7}  steps"
    ]
    for s in result.scores:
        errors = f"{s.step_mape:9.1%} {s.step_max:7.1%} {s.extra_error:11.0%} {s.extra_median:7.0%}"
        lines.append(f"{s.table:34} {s.method:26} {errors}  {s.quality}; {s.bias}")
    worst = max(result.rows, key=lambda s: abs(s.predicted_extra_s[OURS] - s.extra_s))
    lines.append(
        f"Fitted on 1 and {LARGEST_FITTED} machines; {result.coverage:.0%} of the larger sizes lie in the 95 % "
        f"interval. Worst extra time: {worst.row.model}, {worst.row.batch_per_gpu} per GPU, on "
        f"{worst.row.machines} machines of {worst.row.table}: {worst.predicted_extra_s[OURS]:.3f} s predicted, "
        f"{worst.extra_s:.3f} s measured."
    )
    return "\n".join(lines)
