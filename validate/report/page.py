"""The report as files: one HTML page that needs nothing else, and JSON."""

import json
import os
from collections.abc import Sequence
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psmodel.errors import BadInput, CannotRun
from psmodel.plotting import palette
from psmodel.storage.atomic import whole
from psmodel.units import format_size, format_time
from validate.comparison.comparisons import Score
from validate.report import pictures
from validate.report.drawing import svg
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
    verdict,
    warnings,
)

_FILES = ("report.html", "report.json", "fit.json")


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
    whole, first = summary(report), verdict(report)
    return environment.from_string(source).render(
        title=f"Predicted and measured: {report.title}",
        verdict=first if whole.startswith(first) else whole,
        summary=whole.removeprefix(first).strip() if whole.startswith(first) else "",
        warnings=warnings(report),
        palette=palette.css(),
        pictures=[
            {"heading": p.heading, "caption": p.caption, "svg": palette.on_a_page(svg(p.figure))}
            for p in pictures.of(report)
        ],
        tables=_tables(report),
        version=version("psmodel"),
        environment=f"{machine.cpu_model}, {machine.cores} cores, {format_size(machine.memory_bytes)}, "
        f"Linux {machine.kernel}, Python {machine.python}, Ray {machine.ray}, NumPy {machine.numpy}",
    )


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
