"""The report: what was predicted, what was measured, how far apart; on the terminal, as HTML and as JSON."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psmodel.calibration import COEFFICIENTS
from psmodel.errors import BadInput
from psmodel.units import format_time
from validate.compare import Comparison, compare
from validate.fit import fit
from validate.fit_record import Fit
from validate.measurement import Measurement
from validate.staleness import Staleness, mean
from validate.staleness import compare as compare_staleness
from validate.store import Store

SCHEMA_VERSION = 1
STALENESS = "Staleness of updates: means, and the largest distance of the two distributions"
Progress = Callable[[int | None, str], AbstractContextManager[Callable[[int, str], None]]]
NAMES = {
    "iteration_time_s": "iteration",
    "push_time_s": "push",
    "pull_time_s": "pull",
    "ingress_time_s": "ingress",
}


@dataclass(frozen=True, kw_only=True)
class Report:
    """A fit, how it did on runs it had not seen, and those runs.

    Attributes
    ----------
    staleness
        Of the updates in held-out runs out of step; in step the order of the updates alone decides it.
    """

    title: str
    fit: Fit
    comparison: Comparison
    staleness: tuple[Staleness, ...]
    calibration: tuple[Measurement, ...]
    held_out: tuple[Measurement, ...]

    @property
    def runs(self) -> tuple[Measurement, ...]:
        """Both parts."""
        return self.calibration + self.held_out

    @property
    def sums_ok(self) -> bool:
        """Whether in every run the shards' parameters were what the pushed updates sum to."""
        return all(m.sums_ok for m in self.runs)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "title": self.title,
            "fit": self.fit.to_json(),
            "comparison": self.comparison.to_json(),
            "staleness": [s.to_json() for s in self.staleness],
            "sums_ok": self.sums_ok,
            "runs": [m.record() | {"metrics": m.metrics.to_json()} for m in self.runs],
        }


def from_store(
    path: Path,
    suite: str | None,
    *,
    free: Sequence[str] | None = None,
    mix_machines: bool = False,
    seed: int = 0,
    progress: Progress,
) -> Report:
    """Fit the calibration runs of a store (of one suite, if given) and score the held-out ones.

    Runs that belong to no suite calibrate too. Suspect runs take no part if a scenario has others.

    Raises
    ------
    BadInput
        If there are no calibration runs.
    """
    with Store(path) as store:
        found = [m for m in store.measurements() if suite is None or _of(m) == suite]
    if all(m.part == "held_out" for m in found):
        what = f"suite {suite!r}" if suite else "any suite"
        raise BadInput(
            f"{path} holds no calibration runs of {what}; `psmodel validate suite NAME` makes some"
        )
    title = f"suite {suite}" if suite else str(path)
    return from_runs(found, title, free=free, mix_machines=mix_machines, seed=seed, progress=progress)


def from_runs(
    found: Sequence[Measurement],
    title: str,
    *,
    free: Sequence[str] | None = None,
    mix_machines: bool = False,
    seed: int = 0,
    progress: Progress,
) -> Report:
    """The same of measurements from anywhere, some of which must be there to calibrate."""
    calibration = believable([m for m in found if m.part != "held_out"])
    held_out = believable([m for m in found if m.part == "held_out"])
    with progress(3, "Fitting") as advance:
        fitted = fit(calibration, free=free, mix_machines=mix_machines, seed=seed)
        advance(1, "")
        compared = compare(fitted, held_out, calibration_runs=calibration)
        advance(1, "")
        stale = compare_staleness(fitted.calibration, (m for m in held_out if m.scenario.mode != "bsp"))
        advance(1, "")
    return Report(
        title=title,
        fit=fitted,
        comparison=compared,
        staleness=stale,
        calibration=tuple(calibration),
        held_out=tuple(held_out),
    )


def _of(measurement: Measurement) -> str:
    return (measurement.suite or "").partition("@")[0]


def believable(runs: Sequence[Measurement]) -> list[Measurement]:
    """The runs without the suspect ones of those scenarios that have others too."""
    quiet = {m.scenario for m in runs if not m.suspect}
    return [m for m in runs if not m.suspect or m.scenario not in quiet]


def percent(share: float) -> str:
    """0.034 → 3.4 %."""
    return f"{100 * share:.1f} %"


def summary(report: Report) -> str:
    """How far the predictions were from what was measured, in a sentence or two."""
    comparison = report.comparison
    if not comparison.rows:
        return f"{len(report.calibration)} calibration runs; none were held out, so that nothing is scored."
    ours = comparison.score()
    parts = [
        f"Held-out runs: mean absolute error {percent(ours.mape)}, largest {percent(ours.largest)} "
        f"({len(comparison.rows)} values of {len({r.scenario for r in comparison.rows})} scenarios)."
    ]
    if comparison.coverage is not None:
        parts.append(f"{percent(comparison.coverage)} of single runs lie in the 95 % prediction interval.")
    if comparison.noise:
        largest = max(comparison.noise.values())
        smallest = min(comparison.noise.values())
        parts.append(
            f"One run differs from the next by {percent(smallest)} to {percent(largest)} (noise floor)."
        )
    best = comparison.best_baseline
    if best is not None:
        parts.append(f"Best baseline: {best.model}, {percent(best.mape)}.")
    return " ".join(parts)


def warnings(report: Report) -> list[str]:
    """What a reader must know before believing the numbers."""
    found = []
    if not report.sums_ok:
        found.append("In some runs the shards' parameters were not what the pushed updates sum to.")
    suspect = [m for m in report.runs if m.suspect]
    if suspect:
        reasons = "; ".join(dict.fromkeys(s for m in suspect for s in m.suspect))
        found.append(f"{len(suspect)} of {len(report.runs)} runs are suspect: {reasons}.")
    if not report.fit.converged:
        found.append(f"The fit did not converge: {report.fit.message}.")
    outside = {r.scenario: r.outside for r in report.comparison.rows if r.outside}
    if outside:
        scenario, phrases = next(iter(outside.items()))
        found.append(
            f"{len(outside)} held-out scenarios lie outside the calibration runs, so that their predictions are "
            f"extrapolations ({scenario}: {'; '.join(phrases)})."
        )
    return found


def coefficient_rows(fit: Fit) -> list[tuple[str, str, str, str]]:
    """Coefficient, estimate, 95 % interval and, where the runs do not tell it, why; meaning."""
    rows = []
    for name, about in COEFFICIENTS.items():
        value = getattr(fit.calibration, name)
        said = []
        if name in fit.intervals:
            low, high = fit.intervals[name]
            said.append(f"{low:.3g} to {high:.3g}")
        if name in fit.unidentified:
            said.append(f"not identified: {fit.unidentified[name]}")
        rows.append((name, f"{value:.4g} {about.unit}", "; ".join(said) or "not asked for", about.meaning))
    return rows


def staleness_rows(report: Report) -> list[tuple[str, str, str, str]]:
    """Scenario, mean staleness measured and predicted, distance of the distributions."""
    return [
        (s.scenario, f"{mean(s.measured):.2f}", f"{mean(s.predicted):.2f}", f"{s.distance:.2f}")
        for s in report.staleness
    ]


def show(report: Report, *, err: bool = False) -> None:
    """The report as terminal tables, on stdout or stderr."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, stderr=err)
    console.print(summary(report))
    for sentence in warnings(report):
        console.print(f"Note: {sentence}")
    if report.comparison.rows:
        table = Table(box=None, pad_edge=False, title="Held-out runs", title_justify="left")
        for heading in ("scenario", "", "measured", "predicted", "95 % interval", "error"):
            table.add_column(heading, justify="left" if heading in ("scenario", "") else "right")
        for r in report.comparison.rows:
            table.add_row(
                r.scenario,
                NAMES[r.metric],
                format_time(r.measured),
                format_time(r.predicted),
                f"{format_time(r.low)} to {format_time(r.high)}",
                f"{100 * r.error:+.1f} %",
            )
        console.print(table)
        table = Table(box=None, pad_edge=False, title="Models on the held-out runs", title_justify="left")
        for heading in ("model", "mean error", "largest"):
            table.add_column(heading, justify="left" if heading == "model" else "right")
        for s in report.comparison.scores:
            if s.metric == "all":
                table.add_row(s.model, percent(s.mape), percent(s.largest))
        console.print(table)
    if report.staleness:
        table = Table(box=None, pad_edge=False, title=STALENESS, title_justify="left")
        for heading in ("scenario", "measured", "predicted", "distance"):
            table.add_column(heading, justify="left" if heading == "scenario" else "right")
        for row in staleness_rows(report):
            table.add_row(*row)
        console.print(table)
    table = Table(box=None, pad_edge=False, title="Coefficients", title_justify="left")
    for heading in ("coefficient", "estimate", "95 % interval"):
        table.add_column(heading)
    for name, estimate, interval, _ in coefficient_rows(report.fit):
        table.add_row(name, estimate, interval)
    console.print(table)
