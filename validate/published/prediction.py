"""Published clusters, with no hardware: times of others' parameter servers, predicted from small sizes.

`validate.published.posterior` has the model, `validate.published.tables` says which sizes it may learn from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from validate.comparison import quality
from validate.published import planning, posterior, rivals
from validate.published.plausibility import Odd, odd_cells
from validate.published.posterior import REPEAT_SHIFT
from validate.published.tables import FITTED, PublishedRow, load_all

SCHEMA_VERSION = 2
OURS = "psmodel"
ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A size that was not fitted: measured and predicted times (s), by method.

    `extra_s` is the time over one machine, measured; `predicted_extra_s` each method's own difference to its
    prediction for one machine, which synchronises with nobody; `interval_s` the 95 % prediction interval of ours.
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
    """Result of the check against published tables; `odd` are cells that do not fit to their own table."""

    rows: tuple[Scored, ...]
    scores: tuple[MethodScore, ...]
    networks: Mapping[str, Mapping[str, float]]
    plans: tuple[planning.SizeChoice, ...]
    odd: tuple[Odd, ...]
    coverage: float

    def score(self, method: str = OURS, table: str = ALL) -> MethodScore:
        """That of a method."""
        return next(s for s in self.scores if (s.method, s.table) == (method, table))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "repeat_shift": REPEAT_SHIFT,
            "fitted_machines": {kind: list(sizes) for kind, sizes in FITTED.items()},
            "networks": {name: dict(values) for name, values in self.networks.items()},
            "coverage": self.coverage,
            "scores": [vars(score) for score in self.scores],
            "plans": [asdict(p) for p in self.plans],
            "odd_cells": [o.to_json() for o in self.odd],
            "rows": [
                {
                    "table": s.row.table,
                    "network": s.row.network,
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
    """Fit the small sizes of each job (`tables.FITTED`) and score the larger ones.

    Raises
    ------
    ValueError
        If a job lacks one of the small sizes, or has no larger one.
    """
    every_row = load_all() if rows is None else rows
    networks: dict[tuple[str, str], list[PublishedRow]] = {}
    for row in every_row:
        if row.rate is not None:
            networks.setdefault((row.table, row.network), []).append(row)
    scored: list[Scored] = []
    plans: list[planning.SizeChoice] = []
    for cells in networks.values():
        jobs = _jobs(cells)
        ours = posterior.fit(cells)
        for sizes in jobs.values():
            # Nothing is computed in synchronisations, so that all of a table can share a baseline's coefficients.
            small_rows = (
                [r for r in every_row if r.fitted and r.rate is not None and r.table == sizes[0].table]
                if sizes[0].kind == "synchronisation"
                else [r for r in sizes if r.fitted]
            )
            of_job = _score(sizes, ours, rivals.fit(small_rows))
            scored += of_job
            times = {
                method: {s.row.machines: s.predicted_s[method] for s in of_job}
                for method in of_job[0].predicted_s
            }
            plans.append(planning.plan(sizes, times))
    return Published(
        rows=tuple(scored),
        scores=_scores(scored),
        networks={f"{t}, {network}": posterior.summary(cells) for (t, network), cells in networks.items()},
        plans=tuple(plans),
        odd=odd_cells(every_row),
        coverage=float(np.mean([s.interval_s[0] <= s.row.step_s <= s.interval_s[1] for s in scored])),
    )


def _jobs(cells: Sequence[PublishedRow]) -> dict[tuple[str, int], list[PublishedRow]]:
    jobs: dict[tuple[str, int], list[PublishedRow]] = {}
    for row in sorted(cells, key=lambda r: r.machines):
        jobs.setdefault(row.job, []).append(row)
    for (model, batch), sizes in jobs.items():
        small = FITTED[sizes[0].kind]
        if tuple(r.machines for r in sizes)[: len(small)] != small or len(sizes) == len(small):
            what = f"{model} with {batch} per GPU" if batch else model
            needed = " and ".join(map(str, small))
            raise ValueError(
                f"{sizes[0].table}: {what} needs the size{'s' * (len(small) > 1)} {needed} and a larger one"
            )
    return jobs


def _score(
    sizes: Sequence[PublishedRow], ours: posterior.Predict, others: Mapping[str, rivals.Predict]
) -> list[Scored]:
    one = next((row for row in sizes if row.machines == 1), None)
    of_job = []
    for row in sizes:
        if row.fitted:
            continue
        outcome = ours(row)
        steps = {OURS: outcome.mean_s} | {name: predict(row) for name, predict in others.items()}
        # One machine that only synchronises has nobody to do it with.
        bases = {OURS: outcome.one_machine_s} | {
            name: predict(one) if one is not None else 0.0 for name, predict in others.items()
        }
        of_job.append(
            Scored(
                row=row,
                predicted_s=steps,
                interval_s=(
                    outcome.mean_s - 1.96 * outcome.deviation_s,
                    outcome.mean_s + 1.96 * outcome.deviation_s,
                ),
                extra_s=row.step_s - (one.step_s if one is not None else 0.0),
                predicted_extra_s={name: step - bases[name] for name, step in steps.items()},
            )
        )
    return of_job


def _scores(scored: Sequence[Scored]) -> tuple[MethodScore, ...]:
    scores = []
    for table in (*dict.fromkeys(s.row.table for s in scored), ALL):
        rows = [s for s in scored if table in (s.row.table, ALL)]
        measured = np.array([s.row.step_s for s in rows])
        extra = np.array([s.extra_s for s in rows])
        for method in rows[0].predicted_s:
            errors = ([s.predicted_s[method] for s in rows] - measured) / measured
            extra_error = np.abs([s.predicted_extra_s[method] for s in rows] - extra)
            mape = float(np.abs(errors).mean())
            scores.append(
                MethodScore(
                    method=method,
                    table=table,
                    step_mape=mape,
                    step_max=float(np.abs(errors).max()),
                    extra_error=float(extra_error.sum() / np.abs(extra).sum()),
                    extra_median=float(np.median(extra_error / np.abs(extra))),
                    quality=quality.word(mape),
                    bias=quality.direction(list(errors)),
                )
            )
    return tuple(scores)


def text(result: Published) -> str:
    """The scores as a table, and in words where the model fails, or where a table does."""
    lines = [
        f"{'table':34} {'method':26} {'step MAPE':>9} {'max':>7} {'extra error':>11} {'median':>7}  steps"
    ]
    for s in result.scores:
        errors = f"{s.step_mape:9.1%} {s.step_max:7.1%} {s.extra_error:11.1%} {s.extra_median:7.1%}"
        lines.append(f"{s.table:34} {s.method:26} {errors}  {s.quality}; {s.bias}")
    sizes = "; ".join(f"{kind} on {' and '.join(map(str, small))}" for kind, small in FITTED.items())
    lines += [
        f"Fitted: {sizes} machines. {result.coverage:.0%} of the {len(result.rows)} larger sizes lie in the 95 % "
        "interval.",
        _worst(result),
        _planning(result),
        *(f"Left as printed, but odd: {odd.sentence}." for odd in result.odd),
    ]
    return "\n".join(lines)


def _worst(result: Published) -> str:
    worst = max(result.rows, key=lambda s: abs(s.predicted_s[OURS] / s.row.step_s - 1))
    batch = f", {worst.row.batch_per_gpu} per GPU," if worst.row.batch_per_gpu else ""
    return (
        f"Worst: {worst.row.model}{batch} on {worst.row.machines} machines of {worst.row.table} "
        f"({worst.row.network}): {worst.predicted_s[OURS]:.3f} s predicted, {worst.row.step_s:.3f} s measured."
    )


def _planning(result: Published) -> str:
    methods = (OURS, planning.DLROVER)
    right = {m: sum(p.choices[m] == p.measured for p in result.plans) for m in methods}
    over = {m: sum(p.choices[m] > p.measured for p in result.plans) for m in methods}
    verdicts = "; ".join(f"{m} right for {right[m]}, too large for {over[m]}" for m in methods)
    return (
        f"Planning, the largest size at which a machine still does {planning.EFFICIENCY:.0%} of the smallest's work, "
        f"{len(result.plans)} jobs: {verdicts}."
    )
