"""Pictures of where an iteration's time goes: pure functions from numbers to Matplotlib figures."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from psmodel.plotting.palette import (
    BLUE,
    GREEN,
    GREY,
    HATCHES,
    INK,
    MEASURED,
    MUTED,
    PHASES,
    PREDICTED,
    SKY,
    VERMILION,
)
from psmodel.trace import Span
from psmodel.units import format_time
from psmodel.wording import label
from validate.report.claim import Step
from validate.report.drawing import LONGEST, SMALL, WIDTH, legend_above, styled, time_axis

_EDGE = 0.3
"""Width of the line around a bar, in points."""


@styled
def phases(rows: Sequence[tuple[str, Mapping[str, float], Mapping[str, float]]]) -> Figure:
    """Where an iteration's time goes: for each scenario the phases as predicted and, below, as measured (s)."""
    figure = Figure(figsize=(WIDTH, 1.2 + 0.62 * len(rows)), layout="constrained")
    axes = figure.subplots()
    names = [phase for phase in PHASES if any(phase in measured for _, _, measured in rows)]
    for index, (_, predicted, measured) in enumerate(rows):
        for offset, parts, alpha, remark in (
            (-0.19, predicted, 0.55, "predicted"),
            (0.19, measured, 1.0, "measured"),
        ):
            edge = 0.0
            for phase in names:
                width = parts.get(phase, 0.0)
                axes.barh(
                    index + offset, width, 0.34, left=edge, color=PHASES[phase], alpha=alpha, lw=_EDGE,
                    edgecolor=INK, hatch=HATCHES.get(phase),
                )  # fmt: skip
                edge += width
            axes.annotate(f" {remark}", (edge, index + offset), va="center", fontsize=SMALL, color=MUTED)
    axes.set_yticks(range(len(rows)), [label(name, LONGEST) for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(right=axes.get_xlim()[1] * 1.12)
    axes.set_xlabel("time in one iteration")
    time_axis(axes.xaxis)
    legend_above(axes, handles=_handles(names))
    return figure


def _handles(names: Sequence[str]) -> list[Patch]:
    return [
        Patch(facecolor=PHASES[name], edgecolor=INK, lw=_EDGE, hatch=HATCHES.get(name), label=name)
        for name in names
    ]


@styled
def resources(rows: Sequence[tuple[str, Mapping[str, float], float]]) -> Figure:
    """Work of every resource in one iteration (s) and, as a line, the iteration time that was measured."""
    figure = Figure(figsize=(WIDTH, 0.9 + sum(0.25 + 0.2 * len(r[1]) for r in rows)), layout="constrained")
    axes = figure.subplots()
    ticks, labels, y = [], [], 0.0
    for name, work, measured in rows:
        top = y
        largest = max(work.values(), default=0.0)
        for resource, seconds in work.items():
            axes.barh(y, seconds, 0.16, color=VERMILION if seconds == largest else SKY, lw=0)
            axes.annotate(
                resource, (seconds, y), xytext=(3, 0), textcoords="offset points", va="center", fontsize=SMALL,
                color=MUTED, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4}, zorder=3,
            )  # fmt: skip
            y += 0.2
        axes.plot([measured] * 2, [top - 0.12, y - 0.08], color=INK, lw=1.5)
        ticks.append((top + y - 0.2) / 2)
        labels.append(label(name, LONGEST))
        y += 0.25
    axes.set_yticks(ticks, labels)
    axes.set_ylim(y - 0.1, -0.25)
    axes.set_xlim(0, axes.get_xlim()[1] * 1.15)
    axes.set_xlabel("work in one iteration (black line: iteration time measured)")
    time_axis(axes.xaxis)
    return figure


@styled
def waterfall(bound_s: float, losses: Sequence[tuple[str, float]], measured_s: float) -> Figure:
    """From the lower bound to the measured iteration time, one bar per term of the loss."""
    figure = Figure(figsize=(WIDTH, 0.9 + 0.34 * (len(losses) + 2)), layout="constrained")
    axes = figure.subplots()
    names = ["bound", *(term for term, _ in losses), "measured"]
    axes.barh(0, bound_s, 0.6, color=BLUE, lw=0)
    height = bound_s
    for index, (_, seconds) in enumerate(losses, start=1):
        axes.barh(index, seconds, 0.6, left=height, color=VERMILION if seconds >= 0 else GREEN, lw=0)
        right = max(height, height + seconds)
        text = f" {1e3 * seconds:+.1f} ms".replace("-", "−")
        axes.annotate(text, (right, index), va="center", fontsize=SMALL, color=MUTED)
        height += seconds
    axes.barh(len(names) - 1, measured_s, 0.6, color=GREY, lw=0)
    for index, seconds in ((0, bound_s), (len(names) - 1, measured_s)):
        axes.annotate(f" {format_time(seconds)}", (seconds, index), va="center", fontsize=SMALL)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, axes.get_xlim()[1] * 1.15)
    axes.set_xlabel("iteration time")
    time_axis(axes.xaxis)
    return figure


@styled
def claim(steps: Sequence[Step], predicted: str = "predicted from K = 1") -> Figure:
    """Push time against the number of shards: measured, predicted, and what links alone would take.

    `predicted` says from which runs.
    """
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    shards = np.array([step.shards for step in steps])
    low, high = np.array([(step.low_s, step.high_s) for step in steps]).T
    axes.fill_between(shards, low, high, color=PREDICTED, alpha=0.18, lw=0)
    axes.plot(
        shards, [step.predicted_s for step in steps], color=PREDICTED, label=f"{predicted}, 95 % interval"
    )
    links = [step.links_s for step in steps]
    axes.plot(shards, links, color=MUTED, ls=":", label="links alone: max(N·M/(K·B), M/B)")
    for calibration in (False, True):
        points = [step for step in steps if step.calibration == calibration]
        if not points:
            continue
        axes.errorbar(
            [step.shards for step in points],
            [step.measured_s for step in points],
            yerr=[
                [step.measured_s - step.measured_low_s for step in points],
                [step.measured_high_s - step.measured_s for step in points],
            ],
            fmt="o",
            color=MEASURED,
            mfc="white" if calibration else MEASURED,
            elinewidth=0.8,
            ls="none",
            label="measured, calibration" if calibration else "measured",
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks(shards, [str(k) for k in shards])
    axes.minorticks_off()
    time_axis(axes.yaxis)
    axes.set_ylim(0, 1.1 * max(max(step.measured_high_s, step.high_s) for step in steps))
    axes.set(xlabel="shards K", ylabel="push time")
    axes.legend()
    return figure


@styled
def timelines(sides: Mapping[str, Sequence[Span]], until_s: float) -> Figure:
    """Who did what when: a panel for each of `sides`, a row per worker and shard, all on one axis of time."""
    rows = {title: sorted({s.row for s in spans}, key=_natural) for title, spans in sides.items()}
    counts = [max(len(names), 1) for names in rows.values()]
    figure = Figure(figsize=(WIDTH, 1.1 + 0.35 * len(counts) + 0.26 * sum(counts)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(counts), sharex=True, height_ratios=counts))
    for axes, (title, spans) in zip(panels, sides.items(), strict=True):
        names = rows[title]
        for phase, colour in PHASES.items():
            for index, row in enumerate(names):
                bars = [(s.start_s, s.end_s - s.start_s) for s in spans if (s.row, s.name) == (row, phase)]
                if bars:
                    axes.broken_barh(
                        bars, (index - 0.36, 0.72), facecolor=colour, edgecolor=INK, lw=_EDGE,
                        hatch=HATCHES.get(phase),
                    )  # fmt: skip
        axes.set_yticks(range(len(names)), [name.replace("-", " ") for name in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_title(title, fontsize=9, loc="left")
    present = {s.name for spans in sides.values() for s in spans}
    figure.legend(handles=_handles([p for p in PHASES if p in present]), loc="outside upper center", ncols=5)
    panels[-1].set_xlim(0, until_s)
    panels[-1].set_xlabel("time since the start of the iteration")
    time_axis(panels[-1].xaxis)
    return figure


def _natural(row: str) -> tuple[bool, int, str]:
    """Workers first, and worker 2 before worker 10."""
    number = row.rpartition("-")[2]
    return not row.startswith("worker"), int(number) if number.isdigit() else -1, row
