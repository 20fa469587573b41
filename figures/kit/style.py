"""Widths and type sizes of venues, and series that are told apart in colour, by colour-blind readers and in grey."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from figures.kit.data import Rows
from psmodel.plotting.palette import BLUE, GREEN, INK, MUTED, PURPLE, VERMILION
from psmodel.units import format_time

SERIES: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "marker": "o", "linestyle": "-"},
    {"color": VERMILION, "marker": "s", "linestyle": "--"},
    {"color": GREEN, "marker": "^", "linestyle": "-."},
    {"color": PURPLE, "marker": "D", "linestyle": ":"},
    {"color": INK, "marker": "v", "linestyle": (0, (6, 1.5, 1, 1.5, 1, 1.5))},
)


@dataclass(frozen=True, kw_only=True)
class Style:
    """What a venue asks for; lengths in inches, type and lines in points.

    Attributes
    ----------
    column, page
        Width of one column and of the whole text.
    tallest
        No figure is higher.
    """

    name: str
    column: float
    page: float
    tallest: float
    font: str
    points: float
    line: float
    marker: float
    dpi: int

    def figure(self, *, aspect: float, columns: int = 1) -> Figure:
        """An empty figure as wide as so many columns, and `aspect` times as high."""
        width = self.column if columns == 1 else self.page
        return Figure(figsize=(width, min(self.tallest, aspect * width)), layout="constrained")

    @property
    def small(self) -> float:
        """Type size of remarks inside a figure."""
        return 0.875 * self.points

    @contextmanager
    def applied(self) -> Iterator[None]:
        """In this context figures are drawn, and saved, in this style."""
        with rc_context(self._rc()):
            yield

    def _rc(self) -> Any:
        return {
            "font.family": self.font,
            "mathtext.fontset": "stix" if self.font.startswith("STIX") else "dejavusans",
            "font.size": self.points,
            "axes.titlesize": self.points,
            "axes.labelsize": self.points,
            "xtick.labelsize": self.small,
            "ytick.labelsize": self.small,
            "legend.fontsize": self.small,
            "legend.frameon": False,
            "legend.handlelength": 2.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": MUTED,
            "axes.labelcolor": INK,
            "axes.linewidth": 0.5 * self.line,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "xtick.major.width": 0.5 * self.line,
            "ytick.major.width": 0.5 * self.line,
            "xtick.minor.width": 0.35 * self.line,
            "ytick.minor.width": 0.35 * self.line,
            "lines.linewidth": self.line,
            "lines.markersize": self.marker,
            "hatch.linewidth": 0.4 * self.line,
            "pdf.fonttype": 42,  # TrueType, embedded: many venues refuse Type 3
            "svg.fonttype": "path",
            "svg.hashsalt": "psmodel",
            "savefig.dpi": self.dpi,
        }


_PAPER = {"font": "STIXGeneral", "points": 8.0, "line": 1.1, "marker": 3.6, "dpi": 300}
STYLES: Mapping[str, Style] = {
    style.name: style
    for style in (
        Style(name="ieee", column=3.5, page=7.16, tallest=8.0, **_PAPER),  # type: ignore[arg-type]
        Style(name="acm", column=3.335, page=7.0, tallest=8.0, **_PAPER),  # type: ignore[arg-type]
        Style(
            name="slides", column=9.0, page=12.0, tallest=6.2, font="DejaVu Sans",
            points=16.0, line=2.4, marker=8.0, dpi=120,
        ),
    )
}  # fmt: skip


def time_axis(axis: Any) -> None:
    """Ticks of an axis in seconds read "80 ms" and "8 s"."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_time(value)))
    axis.set_minor_formatter(NullFormatter())


def count_axis(axis: Any, ticks: list[int]) -> None:
    """A logarithmic axis of counts, with these ticks and no others; digits of large ones in groups of three."""
    axis.set_ticks(
        ticks, [f"{tick:,}".replace(",", "\u2009") if tick >= 10_000 else str(tick) for tick in ticks]
    )
    axis.set_minor_locator(NullLocator())


_Item = TypeVar("_Item")


def looks(items: Collection[_Item]) -> Iterator[tuple[_Item, Mapping[str, Any]]]:
    """Each of them with its colour, marker and dash.

    Raises
    ------
    ValueError
        If there are more than can be told apart: none may be left out in silence.
    """
    if len(items) > len(SERIES):
        raise ValueError(f"{len(items)} series cannot be told apart; {len(SERIES)} can")
    return zip(items, SERIES, strict=False)


def lines(axes: Any, rows: Rows, labels: Collection[str], *, by: str, x: str, y: str) -> None:
    """A line for each label, through the rows whose `by` it is."""
    for label, look in looks(labels):
        points = [r for r in rows if r[by] == label]
        axes.plot([r[x] for r in points], [r[y] for r in points], **look, mfc="white", label=label)
