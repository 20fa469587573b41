"""Timelines: who did what when, as rows of bars, and how many transfers shared a link meanwhile."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.patches import Patch

from figures.kit.data import Rows
from figures.kit.style import Style, looks
from psmodel.plotting.palette import HATCHES, INK, PHASES
from psmodel.trace import Span


def span_rows(spans: Iterable[Span], start_s: float, end_s: float, **more: Any) -> list[dict[str, Any]]:
    """What workers and shards did from `start_s` to `end_s`, in ms since then; one row per bar."""
    return [
        {
            **more,
            "row": s.row,
            "what": s.name,
            "start_ms": 1e3 * (max(s.start_s, start_s) - start_s),
            "end_ms": 1e3 * (min(s.end_s, end_s) - start_s),
        }
        for s in sorted(spans, key=lambda s: (s.row, s.start_s))
        if not s.overlapping and s.end_s > start_s and s.start_s < end_s
    ]


def transfer_rows(spans: Iterable[Span], links: Iterable[str], start_s: float, end_s: float) -> Rows:
    """How many transfers share each link, a row for each interval in which that number does not change."""
    spans = list(spans)
    rows = []
    for link in links:
        of_link = [s for s in spans if s.row == link and s.end_s > start_s and s.start_s < end_s]
        edges = sorted(
            {start_s, end_s} | {t for s in of_link for t in (max(s.start_s, start_s), min(s.end_s, end_s))}
        )
        for begin, end in pairwise(edges):
            sharing = sum(s.start_s <= begin and s.end_s >= end for s in of_link)
            rows.append(
                {
                    "row": link,
                    "what": sharing,
                    "start_ms": 1e3 * (begin - start_s),
                    "end_ms": 1e3 * (end - start_s),
                }
            )
    return rows


def draw_rows(axes: Any, rows: Rows, style: Style) -> None:
    """Bars of workers and shards, coloured and hatched by phase."""
    bars = [r for r in rows if "." not in str(r["row"])]
    names = sorted({str(r["row"]) for r in bars}, key=lambda name: (not name.startswith("worker"), name))
    for name in names:
        for phase, colour in PHASES.items():
            extents = [
                (r["start_ms"], r["end_ms"] - r["start_ms"])
                for r in bars
                if (r["row"], r["what"]) == (name, phase)
            ]
            if extents:
                axes.broken_barh(
                    extents, (names.index(name) - 0.38, 0.76), facecolor=colour, edgecolor=INK,
                    hatch=HATCHES.get(phase), lw=0.3 * style.line,
                )  # fmt: skip
    axes.set_yticks(range(len(names)), [name.replace("-", " ") for name in names])
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def phase_handles(rows: Rows, style: Style) -> list[Patch]:
    """What a legend of the phases shows."""
    phases = {r["what"] for r in rows}
    return [
        Patch(facecolor=colour, edgecolor=INK, hatch=HATCHES.get(phase), lw=0.3 * style.line, label=phase)
        for phase, colour in PHASES.items()
        if phase in phases
    ]


def draw_transfers(axes: Any, rows: Rows, labels: Mapping[str, str], style: Style) -> None:
    """A step line of the transfers that share each link."""
    for (link, label), look in looks(labels.items()):
        of_link = [r for r in rows if r["row"] == link]
        times = [r["start_ms"] for r in of_link] + [of_link[-1]["end_ms"]]
        axes.stairs(
            np.array([r["what"] for r in of_link]), times, color=look["color"], ls=look["linestyle"],
            baseline=None, lw=style.line, label=label,
        )  # fmt: skip
    most = int(max(r["what"] for r in rows if r["row"] in labels))
    axes.set_ylim(0, 1.7 * most)
    axes.set_yticks(range(0, most + 1, 1 + most // 4))
