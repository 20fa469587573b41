"""The report as files: one HTML page that needs nothing else, and JSON."""

import json
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psmodel import analytic, simulation
from psmodel.errors import BadInput, CannotRun
from psmodel.results import Metrics
from psmodel.storage.atomic import whole
from psmodel.trace import Span
from psmodel.units import format_size, format_time
from psmodel.wording import label
from validate.comparison.comparisons import Score
from validate.measurements.measurement import Measurement, spans
from validate.measurements.selection import content
from validate.report import plots as plots
from validate.report.report import (
    NAMES,
    SCHEMA_VERSION,
    STALENESS,
    Report,
    coefficient_rows,
    of_rows,
    percent,
    staleness_rows,
    summary,
    warnings,
)

_FILES = ("report.html", "report.json", "fit.json")
_PHASES = ("pull", "compute", "push", "wait")
_MOST_ROWS = 8
"""Scenarios in the pictures that draw several bars for each."""


def write(report: Report, folder: Path) -> list[Path]:
    """Write report.html, report.json and fit.json into a folder.

    Raises
    ------
    BadInput
        If they cannot be written.
    """
    texts = (
        html(report),
        json.dumps({"schema_version": SCHEMA_VERSION, **report.to_json()}, indent=2),
        json.dumps(report.fit.to_json(), indent=2),
    )
    paths = [folder / name for name in _FILES]
    for path, text in zip(paths, texts, strict=True):
        write_text(path, text)
    return paths


def check_file(path: Path) -> None:
    """See whether `write_text` may write there, before minutes are spent on the text.

    Raises
    ------
    BadInput
        If something else than a file is there, or a file where a folder should be.
    CannotRun
        If nothing can be written there.
    """
    _refuse(path, path.exists() and not path.is_file(), "it is there and is no regular file")
    _check_folder(path, path.parent)


def check_folder(folder: Path) -> None:
    """The same for `write`."""
    _check_folder(folder, folder)
    for name in _FILES:
        _refuse(
            folder / name,
            (folder / name).exists() and not (folder / name).is_file(),
            "it is there and is no file",
        )


def _check_folder(path: Path, folder: Path) -> None:
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    _refuse(path, not there.is_dir(), f"{there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise CannotRun(f"{path} cannot be written: nothing can be written in {there}")


def _refuse(path: Path, wrong: bool, why: str) -> None:
    if wrong:
        raise BadInput(f"{path} cannot be written: {why}")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, and the folder that it lies in.

    Raises
    ------
    BadInput
        If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from None
    with whole(path) as file:
        file.write(text.encode())


def html(report: Report) -> str:
    """The page, its pictures and style inside."""
    import jinja2

    source = (resources.files("validate.report") / "page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    machine = report.runs[0].environment
    return environment.from_string(source).render(
        title=f"Predicted and measured: {report.title}",
        summary=summary(report),
        warnings=warnings(report),
        figures=_figures(report),
        tables=_tables(report),
        version=version("psmodel"),
        environment=f"{machine.cpu_model}, {machine.cores} cores, {format_size(machine.memory_bytes)}, "
        f"Linux {machine.kernel}, Python {machine.python}, Ray {machine.ray}, NumPy {machine.numpy}",
    )


def _figures(report: Report) -> list[dict[str, str]]:
    comparison = report.comparison
    figures = []

    def add(heading: str, caption: str, figure: Any) -> None:
        figures.append({"heading": heading, "caption": caption, "svg": plots.svg(figure)})

    add(
        "Predicted against measured",
        "Each point is one metric of one scenario; filled: not seen by the fit. Grey band: ± 10 %.",
        plots.predicted_against_measured(comparison.rows, comparison.calibration),
    )
    if comparison.rows:
        add(
            "Errors of the predictions",
            "Relative error of each held-out prediction with its 95 % interval, beside the run-to-run noise.",
            plots.errors(comparison.rows, max(comparison.noise.values(), default=0.0)),
        )
        levels, shares = zip(*comparison.calibration_curve, strict=True)
        add(
            "Do the intervals hold?",
            f"Share of {sum(r.runs for r in comparison.rows)} single values inside intervals of 10 to 95 %; grey: "
            f"where it lies by chance if they hold, for {comparison.scenarios} scenarios.",
            plots.calibration(levels, shares, comparison.scenarios),
        )
        overall = [s for s in comparison.scores if s.metric == "all"]
        add(
            "Beside other models",
            "All models were fitted on the same calibration runs and scored on the same held-out runs.",
            plots.model_errors(
                [s.model for s in overall], [s.mape for s in overall], [s.largest for s in overall]
            ),
        )
    examples = _examples(report)
    names = [label(m.scenario.name) for m in examples]
    add(
        "Where the time goes",
        "Phases of one iteration, predicted (pale, above) and measured (below).",
        plots.phases(
            [
                (name, _predicted_phases(report, m), _phases(m.metrics))
                for name, m in zip(names, examples, strict=True)
            ]
        ),
    )
    add(
        "What limits",
        "Work that each resource must do in one iteration; the largest is the bottleneck.",
        plots.resources(
            [
                (name, _work(report, m), m.metrics.iteration_time_s)
                for name, m in zip(names, examples, strict=True)
            ]
        ),
    )
    measured, until = _one_iteration(spans(examples[0]), examples[0])
    simulated = simulation.predict(examples[0].scenario, report.fit.calibration, trace=True)
    predicted, _ = _window(
        simulated.spans, simulated.timeline.start[:, simulated.timeline.warmup].min(), until
    )
    add(
        f"One iteration of {names[0]}, simulated",
        "Spans of workers and shards in the first measured iteration of the simulation.",
        plots.timeline(predicted, "time since the start of the iteration, simulated", until),
    )
    add(
        f"One iteration of {names[0]}, measured",
        "The same in the median iteration of the real run.",
        plots.timeline(measured, "time since the start of the iteration, measured", until),
    )
    return figures


def _examples(report: Report) -> list[Measurement]:
    """One run of each scenario, the held-out ones first, as many as a picture holds."""
    examples = {content(m.scenario): m for m in reversed(report.held_out + report.calibration)}
    scored = {content(m.scenario) for m in report.held_out}
    ordered = sorted(examples.values(), key=lambda m: content(m.scenario) not in scored)
    return ordered[:_MOST_ROWS]


def _phases(metrics: Metrics) -> dict[str, float]:
    values = {phase: getattr(metrics, f"{phase}_time_s") for phase in _PHASES}
    return {phase: value for phase, value in values.items() if value is not None}


def _predicted_phases(report: Report, measurement: Measurement) -> dict[str, float]:
    run = simulation.predict(measurement.scenario, report.fit.calibration)
    return _phases(run.prediction.metrics)


def _work(report: Report, measurement: Measurement) -> Mapping[str, float]:
    work = analytic.ClosedForm(scenario=measurement.scenario, calibration=report.fit.calibration).work
    return {resource: seconds for resource, seconds in work.items() if seconds > 0}


def _one_iteration(recorded: Sequence[Span], measurement: Measurement) -> tuple[list[Span], float]:
    """The spans of the measured iteration of median length, from its start on, and how long to draw."""
    instants, warmup = measurement.instants, measurement.scenario.warmup or 0
    start, end = instants.start[:, warmup:].min(axis=0), instants.released[:, warmup:].max(axis=0)
    lengths = end - start
    median = int(lengths.argsort()[len(lengths) // 2])
    return _window(recorded, float(start[median]), float(lengths[median]))


def _window(recorded: Sequence[Span], start: float, length: float) -> tuple[list[Span], float]:
    clipped = [
        Span(row=s.row, name=s.name, start_s=max(0.0, s.start_s - start), end_s=min(length, s.end_s - start))
        for s in recorded
        if not s.overlapping and s.end_s > start and s.start_s < start + length
    ]
    return clipped, length


def _tables(report: Report) -> list[dict[str, Any]]:
    comparison = report.comparison
    held_out = {
        "heading": "Held-out runs",
        "text": "",
        "columns": ("scenario", "metric", "runs", "measured", "predicted", "95 % interval", "error", "note"),
        "text_columns": ("metric", "note"),
        "rows": [
            (
                r.scenario,
                NAMES[r.metric],
                r.runs,
                format_time(r.measured),
                format_time(r.predicted),
                f"{format_time(r.low)} to {format_time(r.high)}",
                f"{100 * r.error:+.1f} %",
                "extrapolation: " + "; ".join(r.outside) if r.outside else "",
            )
            for r in comparison.rows
        ],
    }
    metrics = dict.fromkeys(s.metric for s in comparison.scores)
    models = dict.fromkeys(s.model for s in comparison.scores)
    scores = {
        "heading": "Models",
        "text": "Mean (largest) absolute relative error on the held-out runs; a mean below 10 % is called highly "
        "accurate, below 20 % good, below 50 % reasonable (Lewis 1982).",
        "columns": ("model", *(NAMES.get(m, "all") for m in metrics), "quality", "predictions"),
        "text_columns": ("quality", "predictions"),
        "rows": [_model_row(report, model, tuple(metrics)) for model in models],
    }
    coefficients = {
        "heading": "Coefficients",
        "text": f"Estimated from {report.fit.runs} runs; the interval is that of the parametric bootstrap.",
        "columns": ("coefficient", "estimate", "95 % interval", "meaning"),
        "text_columns": ("95 % interval", "meaning"),
        "rows": coefficient_rows(report.fit, report.telling),
    }
    noise = {
        "heading": "Noise",
        "text": "Coefficient of variation of one run among its repetitions: no model can be better on a single run.",
        "columns": tuple(NAMES[m] for m in comparison.noise),
        "text_columns": (),
        "rows": [tuple(percent(v) for v in comparison.noise.values())],
    }
    stale = {
        "heading": "Staleness",
        "text": f"{STALENESS} (two-sample Kolmogorov–Smirnov statistic); held-out runs out of step.",
        "columns": ("scenario", "measured", "predicted", "distance"),
        "text_columns": (),
        "rows": staleness_rows(report),
    }
    tables: list[dict[str, Any]] = [held_out, scores] if comparison.rows else []
    if report.staleness:
        tables.append(stale)
    tables.append(coefficients)
    if comparison.noise:
        tables.append(noise)
    return tables


def _model_row(report: Report, model: str, metrics: Sequence[str]) -> tuple[str, ...]:
    by_metric = {s.metric: s for s in report.comparison.scores if s.model == model}
    cells = [_cell(by_metric[metric]) if metric in by_metric else "–" for metric in metrics]
    overall = by_metric["all"]
    return (of_rows(overall, report), *cells, overall.quality, overall.bias)


def _cell(score: Score) -> str:
    return f"{percent(score.mape)} ({percent(score.largest)})"
