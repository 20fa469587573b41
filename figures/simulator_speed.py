"""How long the simulator takes for one push of N workers to K shards, beside SimGrid.

Left: equal links and seven starts, where what is alike is simulated once. Right: links of different rates and eleven
starts, where nothing is alike. Processor time of whole processes, both taken in one run on the machine named in the
provenance; an arrow: stopped before the end. SimGrid solves the same max–min fair sharing; the end times of both agree
to rounding.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from figures.kit.data import FOLDER, Rows, sha256
from figures.kit.style import Style, count_axis, looks, time_axis
from psmodel import load
from psmodel.plotting.palette import INK

SCENARIO = load("ingress-sharded")
_EQUAL, _DIFFERENT = (
    FOLDER.parent / "benchmarks" / "results" / f"{c}.json" for c in ("symmetric", "unsymmetric")
)
_LABELS = {"equal": "equal links", "different": "different links"}
_SERIES = ("psmodel", "psmodel, one by one", "SimGrid")
_TIMES = ("psmodel_process_s", "unbundled_process_s", "simgrid_process_s")


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
    rows = []
    for links, document in (("equal", _read(_EQUAL)), ("different", _read(_DIFFERENT))):
        for series, key in zip(_SERIES, _TIMES, strict=True):
            for row in sorted(document["rows"], key=lambda row: row["flows"]):
                stopped = key == _TIMES[-1] and str(row.get("simgrid", "")).startswith("stopped")
                if stopped or key in row:
                    seconds = document["patience_s"] if stopped else row[key]
                    rows.append(
                        {"links": links, "series": series, "flows": row["flows"], "seconds": seconds,
                         "stopped": int(stopped)}
                    )  # fmt: skip
    return rows


def draw(rows: Rows, style: Style) -> Figure:
    """Times over the number of transfers, both logarithmic."""
    figure = style.figure(aspect=0.68)
    panels = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
    for axes, (links, label) in zip(panels, _LABELS.items(), strict=True):
        for series, look in looks(_SERIES):
            points = [r for r in rows if (r["links"], r["series"]) == (links, series)]
            axes.plot(
                [r["flows"] for r in points], [r["seconds"] for r in points], **look, mfc="white",
                label=series if links == "equal" else None,
            )  # fmt: skip
            for r in points:
                if r["stopped"]:
                    axes.annotate(
                        "", (r["flows"], 4 * r["seconds"]), (r["flows"], r["seconds"]),
                        arrowprops={"arrowstyle": "->", "color": look["color"], "lw": style.line},
                    )  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel="transfers", title=label)
        axes.title.set_color(INK)
    count_axis(panels[0].xaxis, [300, 10_000, 300_000])
    count_axis(panels[1].xaxis, [1000, 10_000])
    panels[0].set_ylim(1e-2, 500)
    panels[0].set_ylabel("time to simulate")
    time_axis(panels[0].yaxis)
    figure.legend(loc="outside upper center", ncols=3, handlelength=2.2, columnspacing=1.2)
    return figure
