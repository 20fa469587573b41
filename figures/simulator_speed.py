"""How long the simulator takes for one push of N workers to N shards, beside SimGrid.

Left: equal links and seven starts, where what is alike is simulated once. Right: links of different rates and eleven
starts, where nothing is alike. On one core of the machine named in the provenance; an arrow: stopped before the end.
SimGrid solves the same max–min fair sharing; the end times of both agree to rounding.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from figures.kit.data import FOLDER, Rows, sha256
from figures.kit.style import INK, SERIES, Style, count_axis, time_axis
from psmodel import load

SCENARIO = load("ingress-sharded")
_EQUAL, _DIFFERENT = (FOLDER.parent / "benchmarks" / "results" / f"{c}.json" for c in ("symmetric", "growth"))
_LABELS = {"equal": "equal links", "different": "different links"}
_SERIES = ("psmodel", "psmodel, one by one", "SimGrid")


def _read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def origin() -> Mapping[str, Any]:
    """The benchmark's files, and the machine and the peer that they name."""
    return {
        path.stem: {"sha256": sha256(path)} | {k: _read(path)[k] for k in ("taken", "environment", "peer")}
        for path in (_EQUAL, _DIFFERENT)
    }


def compute() -> Rows:
    """The benchmark's times, copied: a row for each, in s."""
    equal, different = _read(_EQUAL), _read(_DIFFERENT)
    rows = []
    for series, key in zip(_SERIES, ("psmodel_s", "unbundled_s", "simgrid_s"), strict=True):
        for row in equal["rows"]:
            stopped = key == "simgrid_s" and str(row.get("simgrid", "")).startswith("stopped")
            if stopped or key in row:
                seconds = equal["patience_s"] if stopped else row[key]
                rows.append(_row("equal", series, row["N"], seconds, stopped))
    for series, what in (
        ("psmodel", "star of different links"),
        ("SimGrid", "star of different links, SimGrid"),
    ):
        row = next(r for r in different["rows"] if (r["what"], r["K"]) == (what, "N"))
        rows += [
            _row("different", series, *pair, False) for pair in zip(row["N"], row["seconds"], strict=True)
        ]
    return rows


def _row(links: str, series: str, workers: int, seconds: float, stopped: bool) -> dict[str, Any]:
    return {"links": links, "series": series, "workers": workers, "seconds": seconds, "stopped": int(stopped)}


def draw(rows: Rows, style: Style) -> Figure:
    """Times over N = K, both logarithmic."""
    figure = style.figure(aspect=0.68)
    panels = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
    for axes, (links, label) in zip(panels, _LABELS.items(), strict=True):
        for series, look in zip(_SERIES, SERIES, strict=False):
            points = [r for r in rows if (r["links"], r["series"]) == (links, series)]
            axes.plot(
                [r["workers"] for r in points], [r["seconds"] for r in points], **look, mfc="white",
                label=series if links == "equal" else None,
            )  # fmt: skip
            for r in points:
                if r["stopped"]:
                    axes.annotate(
                        "", (r["workers"], 4 * r["seconds"]), (r["workers"], r["seconds"]),
                        arrowprops={"arrowstyle": "->", "color": look["color"], "lw": style.line},
                    )  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel="$N = K$", title=label)
        axes.title.set_color(INK)
    count_axis(panels[0].xaxis, [16, 64, 200, 1000])
    count_axis(panels[1].xaxis, [25, 50, 100])
    panels[0].set_ylim(3e-4, 200)
    panels[0].set_ylabel("time to simulate")
    time_axis(panels[0].yaxis)
    figure.legend(loc="outside upper center", ncols=3, handlelength=2.2, columnspacing=1.2)
    return figure
