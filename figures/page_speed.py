"""How long the page in the browser takes: its first answer, and each change.

From the input to the frame that shows the answer, in a real Chromium. Filled: the numbers; hollow: the last of the
charts. Point: the median of the times; line: up to the largest. Black strokes are the limits that the page is held to:
1 s for a first answer, 150 ms for a change. Browser and server share the machine.
"""

import json
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.kit.data import FOLDER, Rows, sha256
from figures.kit.style import SERIES, Style, looks, time_axis
from psmodel import load
from psmodel.plotting.palette import INK, MUTED

SCENARIO = load("ingress-single")
_RESULT = FOLDER.parent / "benchmarks" / "results" / "page.json"
_COEFFICIENTS = ("ideal", "fitted")
_APART = 0.17
"""Between the ideal system's line and that of fitted coefficients, as a share of a row."""


def _document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(_RESULT.read_text(encoding="utf-8"))
    return loaded


def origin() -> Mapping[str, Any]:
    """The benchmark's file, and the machine that it names."""
    return {_RESULT.stem: {"sha256": sha256(_RESULT)} | {k: _document()[k] for k in ("taken", "environment")}}


def compute() -> Rows:
    """The benchmark's times, copied: a row for each that has a limit, in s."""
    names = ("median_s", "most_s", "drawn_median_s", "drawn_most_s", "allowed_s")
    return [
        {"what": row["what"], "coefficients": row["coefficients"], **{name: row.get(name) for name in names}}
        for row in _document()["rows"]
        if "allowed_s" in row
    ]


def draw(rows: Rows, style: Style) -> Figure:
    """A line of the figure for each thing done; above the ideal system, below fitted coefficients."""
    places = {what: place for place, what in enumerate(dict.fromkeys(row["what"] for row in rows))}
    figure = style.figure(aspect=0.85)
    axes = figure.subplots()
    for row in rows:
        number = _COEFFICIENTS.index(row["coefficients"])
        look, place = SERIES[number], places[row["what"]] + (2 * number - 1) * _APART
        for prefix, face in (("", look["color"]), ("drawn_", "white")):
            if row[f"{prefix}median_s"] is not None:
                times = [row[f"{prefix}median_s"], row[f"{prefix}most_s"]]
                axes.plot(times, [place] * 2, color=look["color"], lw=0.7 * style.line)
                axes.plot(times[:1], [place], ls="none", marker=look["marker"], color=look["color"], mfc=face)
        around = [places[row["what"]] - 0.45, places[row["what"]] + 0.45]
        axes.plot([row["allowed_s"]] * 2, around, color=INK, lw=style.line)
    axes.set_yticks(range(len(places)), list(places))
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set(xscale="log", xlim=(0.01, 1.3), xlabel="time in the browser")
    axes.set_xticks([0.01, 0.03, 0.1, 0.3, 1])
    time_axis(axes.xaxis)
    marks = [
        Line2D([], [], ls="none", marker=look["marker"], color=look["color"], label=name)
        for name, look in looks(_COEFFICIENTS)
    ]
    hollow = Line2D([], [], ls="none", marker="o", color=MUTED, mfc="white", label="charts")
    limit = Line2D([], [], color=INK, lw=style.line, label="limit")
    figure.legend(handles=[*marks, hollow, limit], loc="outside upper center", ncols=4, handlelength=1.0,
                  columnspacing=1.2)  # fmt: skip
    return figure
