"""The report on the terminal."""

from rich.console import Console
from rich.table import Table

from psmodel.units import format_time
from validate.report.report import (
    NAMES,
    STALENESS,
    Report,
    coefficient_rows,
    of_rows,
    percent,
    staleness_rows,
    summary,
    warnings,
)

_WIDE = 160
"""Columns where no terminal says how many there are."""


def show(report: Report, *, err: bool = False) -> None:
    """The report as terminal tables, on stdout or stderr."""
    # Names are somebody's: no markup, no emoji codes.
    console = Console(highlight=False, markup=False, emoji=False, stderr=err)
    if not console.is_terminal:
        console.width = _WIDE  # into a file or pipe: whoever reads it wraps lines, and nothing is cut
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
        for heading in ("model", "mean error", "largest", "", "predictions"):
            table.add_column(heading, justify="right" if heading in ("mean error", "largest") else "left")
        for s in report.comparison.scores:
            if s.metric == "all":
                table.add_row(of_rows(s, report), percent(s.mape), percent(s.largest), s.quality, s.bias)
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
    for name, estimate, interval, _ in coefficient_rows(report.fit, report.telling):
        table.add_row(name, estimate, interval)
    console.print(table)
