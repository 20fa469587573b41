"""Errors of the predicted push and pull times over shaped links, scenario by scenario.

Real Ray hosts in network namespaces. Points: predicted ÷ measured − 1, measured being the mean of the repetitions;
bars: the same of the ends of the 95 % interval in which one more run lies. Hollow: calibration, which the fit has seen.
Sequential: one shard after the other, elsewhere all at once. Size: of the whole model; side by side in one place are
scenarios that differ in it or in the links' rate.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.kit import measured
from figures.kit.data import Rows
from figures.kit.style import Style, looks
from psmodel.plotting.palette import MUTED
from psmodel.scenario import Scenario

_SUITE = "ingress"
SCENARIO = next(iter(measured.groups(_SUITE)))
origin = partial(measured.origin, _SUITE)
_SIZES = {"100 kB": (0.0, 1e6), "1 to 4 MB": (1e6, 8e6), "8 to 64 MB": (8e6, 1e9)}
"""Words → the sizes that have one marker, from … to below … bytes."""
_APART = 0.17
"""Between two that share a place, as a part of its width."""


def compute() -> Rows:
    """A row per scenario; errors and the ends of their intervals in %."""
    fitted = measured.fit(_SUITE)
    rows = []
    for scenario, runs in sorted(measured.groups(_SUITE).items(), key=lambda item: _order(item[0])):
        phase = "pull" if scenario.push == "none" else "push"
        cells = measured.row(runs, f"{phase}_time_s", fitted.predict(scenario)[f"{phase}_time_s"])
        assert scenario.bandwidth is not None
        rows.append(
            {
                "phase": phase,
                "at_once": int("sequential" not in (scenario.push, scenario.pull)),
                "workers": scenario.workers,
                "shards": scenario.shards,
                "size_bytes": float(scenario.total_bytes),
                "rate_bytes_per_s": scenario.bandwidth.shard_down,
                "part": runs[0].part,
                **{
                    name: 100 * (cells[f"{value}_s"] / cells["measured_s"] - 1)
                    for name, value in (("error", "predicted"), ("low", "low"), ("high", "high"))
                },
            }
        )
    return rows


def _order(scenario: Scenario) -> tuple[str, str, int, int, float, float]:
    assert scenario.bandwidth is not None
    return (
        scenario.push,
        scenario.pull,
        scenario.workers,
        scenario.shards,
        scenario.total_bytes,
        scenario.bandwidth.shard_down,
    )


def draw(rows: Rows, style: Style) -> Figure:
    """Pushes above, pulls below; a place for each number of workers and shards, a marker for each range of sizes."""
    figure = style.figure(aspect=0.52, columns=2)
    places = sorted({_place(r) for r in rows})
    sequential = sum(not late for late, *_ in places) - 0.5
    for axes, phase in zip(figure.subplots(2, sharex=True, sharey=True), ("push", "pull"), strict=True):
        axes.axhline(0, color=MUTED, lw=0.6 * style.line)
        axes.axvline(sequential, color=MUTED, lw=0.4 * style.line, ls=":")
        offsets = _side_by_side([r for r in rows if r["phase"] == phase])
        for (_, (low, high)), look in looks(_SIZES.items()):
            for part, face in (("held_out", look["color"]), ("calibration", "white")):
                points = [(x, r) for x, r in offsets if r["part"] == part and low <= r["size_bytes"] < high]
                axes.errorbar(
                    [places.index(_place(r)) + x for x, r in points], [r["error"] for _, r in points],
                    yerr=measured.bars([r for _, r in points], "error", "low", "high"),
                    fmt=look["marker"], color=look["color"], mfc=face, ls="none", elinewidth=0.7 * style.line,
                )  # fmt: skip
        axes.set_xlim(-0.6, len(places) - 0.4)
        axes.annotate(
            "sequential", (sequential, 0), xycoords=("data", "axes fraction"), xytext=(3, 3), va="bottom",
            textcoords="offset points", fontsize=style.small,
        )  # fmt: skip
        axes.set_ylabel(f"{phase}, error, %")
    axes.set_xticks(range(len(places)), [f"{workers:.0f}\n{shards:.0f}" for _, workers, shards in places])
    axes.set_xlabel("workers (above) and shards (below)")
    handles = [
        Line2D([], [], ls="none", marker=look["marker"], color=look["color"], label=words)
        for words, look in looks(_SIZES)
    ]
    hollow = Line2D([], [], ls="none", marker="o", color=MUTED, mfc="white", label="calibration")
    figure.legend(handles=[*handles, hollow], loc="outside upper center", ncols=4, handlelength=1.2)
    return figure


def _side_by_side(rows: Rows) -> list[tuple[float, Mapping[str, Any]]]:
    """Each row, and how far it is moved aside, so that those of one place stand next to each other."""
    moved = []
    for place in {_place(r) for r in rows}:
        here = sorted(
            (r for r in rows if _place(r) == place), key=lambda r: (r["size_bytes"], r["rate_bytes_per_s"])
        )
        moved += [(_APART * (i - (len(here) - 1) / 2), r) for i, r in enumerate(here)]
    return moved


def _place(row: Mapping[str, Any]) -> tuple[bool, float, float]:
    return not row["at_once"], row["workers"], row["shards"]
