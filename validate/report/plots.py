"""The report's pictures: pure functions from numbers to Matplotlib figures.

Colours are those of Okabe & Ito (2008), told apart by colour-blind readers; what colour says, a marker says too.
"""

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from scipy.stats import binom

from psmodel.trace import Span
from psmodel.units import format_time
from psmodel.wording import label
from validate.comparison.comparisons import ComparisonRow
from validate.report.claim import Step

_INK, _MUTED = "#222222", "#666666"
_STYLES: Mapping[str, tuple[str, str, str]] = {
    "iteration_time_s": ("iteration", "#0072B2", "o"),
    "push_time_s": ("push", "#D55E00", "s"),
    "pull_time_s": ("pull", "#009E73", "^"),
    "ingress_time_s": ("ingress", "#CC79A7", "D"),
    "recovery_time_s": ("recovery", "#56B4E9", "v"),
}
PHASES: Mapping[str, str] = {
    "pull": "#56B4E9",
    "compute": "#009E73",
    "push": "#E69F00",
    "wait": "#BBBBBB",
    "update": "#CC79A7",
}
_FEW_DECADES = 300.0
"""Below this ratio of its ends, powers of ten alone leave an axis next to no labels."""
_RC: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "svg.fonttype": "path",
    "svg.hashsalt": "psmodel",
    # Names are somebody's: a dollar in one begins no formula.
    "text.parse_math": False,
}
_LEAST_PERCENT = 0.1
"""Where the axis of models' errors begins at the earliest."""
_LONGEST = 40
"""Letters of a name in a picture."""


def _log_time_axes(axes: Any, low: float, high: float) -> None:
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        if high < _FEW_DECADES * low:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: format_time(value)))
        axis.set_minor_formatter(NullFormatter())


def predicted_against_measured(
    held_out: Sequence[ComparisonRow], calibration: Sequence[ComparisonRow]
) -> Figure:
    """Every metric: what was predicted, with its interval, over what was measured, with its range."""
    with rc_context(_RC):
        figure = Figure(figsize=(5.2, 5.0), layout="constrained")
        axes = figure.subplots()
        points = [p for p in (*held_out, *calibration) if p.predicted > 0]
        # A time that the model takes for nothing must not push all the others into a corner.
        low, high = min(p.measured for p in points) / 3, max(p.measured for p in points) * 3
        line = np.array([low, high])
        axes.fill_between(line, line / 1.1, line * 1.1, color="#EEEEEE", lw=0)
        axes.plot(line, line, color=_MUTED, lw=0.8)
        axes.annotate(
            "equal, ± 10 %",
            (high, high),
            xytext=(-6, -14),
            textcoords="offset points",
            ha="right",
            va="top",
            color=_MUTED,
            rotation=45,
            rotation_mode="anchor",
        )
        for metric, (label, colour, marker) in _STYLES.items():
            for rows, face, remark in ((calibration, "white", ", calibration"), (held_out, colour, "")):
                points = [p for p in rows if p.metric == metric and p.predicted > 0]
                if not points:
                    continue
                x = np.array([p.measured for p in points])
                y = np.array([p.predicted for p in points])
                axes.errorbar(
                    x,
                    y,
                    xerr=[
                        [p.measured - p.measured_low for p in points],
                        [p.measured_high - p.measured for p in points],
                    ],
                    yerr=[
                        [max(p.predicted - p.low, 0.0) for p in points],
                        [max(p.high - p.predicted, 0.0) for p in points],
                    ],
                    fmt=marker,
                    ms=5,
                    color=colour,
                    mfc=face,
                    elinewidth=0.8,
                    label=f"{label}{remark}",
                )
        _log_time_axes(axes, low, high)
        axes.set(xlabel="measured (range of repetitions)", ylabel="predicted (95 % interval)")
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        return figure


def errors(rows: Sequence[ComparisonRow], noise: float) -> Figure:
    """Relative error of every held-out prediction, with its interval, beside the run-to-run noise."""
    with rc_context(_RC):
        names = {p.content: label(p.scenario, _LONGEST) for p in rows}
        positions = {key: index for index, key in enumerate(names)}
        figure = Figure(figsize=(7.2, 1.2 + 0.42 * len(names)), layout="constrained")
        axes = figure.subplots()
        axes.axvspan(-200 * noise, 200 * noise, color="#EEEEEE", lw=0)
        axes.axvline(0, color=_MUTED, lw=0.8)
        metrics = [m for m in _STYLES if any(p.metric == m for p in rows)]
        for position, metric in enumerate(metrics):
            phase, colour, marker = _STYLES[metric]
            points = [p for p in rows if p.metric == metric]
            offset = (position - (len(metrics) - 1) / 2) * 0.18
            x = np.array([100 * p.error for p in points])
            axes.errorbar(
                x,
                [positions[p.content] + offset for p in points],
                xerr=[
                    [100 * max(p.predicted - p.low, 0.0) / p.measured for p in points],
                    [100 * max(p.high - p.predicted, 0.0) / p.measured for p in points],
                ],
                fmt=marker,
                ms=4.5,
                color=colour,
                elinewidth=0.8,
                label=phase,
            )
        axes.set_yticks(range(len(names)), list(names.values()), color=_INK)
        axes.set_ylim(len(names) - 0.4, -0.6)
        # Intervals that reach far beyond the errors are cut rather than the errors made invisible.
        reach = 1.2 * max([400 * noise, *(300 * abs(p.error) for p in rows)])
        axes.set_xlim(-reach, reach)
        axes.set_xlabel("error of the prediction, % (grey: ± 2 standard deviations of one run)")
        axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
        return figure


def phases(rows: Sequence[tuple[str, Mapping[str, float], Mapping[str, float]]]) -> Figure:
    """Where an iteration's time goes: for each scenario the phases as predicted and, below, as measured (s)."""
    with rc_context(_RC):
        figure = Figure(figsize=(7.2, 1.2 + 0.62 * len(rows)), layout="constrained")
        axes = figure.subplots()
        names = [phase for phase in PHASES if any(phase in measured for _, _, measured in rows)]
        for index, (_, predicted, measured) in enumerate(rows):
            for offset, parts, alpha in ((-0.19, predicted, 0.55), (0.19, measured, 1.0)):
                edge = 0.0
                for phase in names:
                    width = 1e3 * parts.get(phase, 0.0)
                    axes.barh(
                        index + offset, width, 0.34, left=edge, color=PHASES[phase], alpha=alpha, lw=0,
                        label=phase if index == 0 and alpha == 1.0 else None,
                    )  # fmt: skip
                    edge += width
                axes.annotate(
                    " predicted" if alpha < 1 else " measured", (edge, index + offset), va="center",
                    fontsize=7.5, color=_MUTED,
                )  # fmt: skip
        axes.set_yticks(range(len(rows)), [label(name, _LONGEST) for name, _, _ in rows], color=_INK)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(right=axes.get_xlim()[1] * 1.12)
        axes.set_xlabel("time in one iteration, ms")
        axes.legend(frameon=False, fontsize=8, ncols=5, loc="lower left", bbox_to_anchor=(0, 1))
        return figure


def resources(rows: Sequence[tuple[str, Mapping[str, float], float]]) -> Figure:
    """Work of every resource in one iteration (s) and, as a line, the iteration time that was measured."""
    with rc_context(_RC):
        figure = Figure(figsize=(7.2, 0.9 + sum(0.25 + 0.2 * len(r[1]) for r in rows)), layout="constrained")
        axes = figure.subplots()
        ticks, labels, y = [], [], 0.0
        for name, work, measured in rows:
            top = y
            largest = max(work.values())
            for resource, seconds in work.items():
                axes.barh(y, 1e3 * seconds, 0.16, color="#D55E00" if seconds == largest else "#56B4E9", lw=0)
                axes.annotate(f" {resource}", (1e3 * seconds, y), va="center", fontsize=7.5, color=_MUTED)
                y += 0.2
            axes.plot([1e3 * measured] * 2, [top - 0.12, y - 0.08], color=_INK, lw=1.5)
            ticks.append((top + y - 0.2) / 2)
            labels.append(label(name, _LONGEST))
            y += 0.25
        axes.set_yticks(ticks, labels, color=_INK)
        axes.set_ylim(y - 0.1, -0.25)
        axes.set_xlim(0, axes.get_xlim()[1] * 1.15)
        axes.set_xlabel("work in one iteration, ms (black line: iteration time measured)")
        return figure


def model_errors(names: Sequence[str], mean: Sequence[float], largest: Sequence[float]) -> Figure:
    """Mean absolute percentage error of each model on the held-out runs, with its largest error as a tick.

    On a logarithmic axis: a baseline that is off by a thousand percent must not make the others' bars invisible.
    """
    with rc_context(_RC):
        figure = Figure(figsize=(7.2, 0.8 + 0.3 * len(names)), layout="constrained")
        axes = figure.subplots()
        left = max(_LEAST_PERCENT, 50 * min((value for value in mean if value > 0), default=1.0))
        right = 100 * max(*largest, left / 100)
        for index, (value, most) in enumerate(zip(mean, largest, strict=True)):
            colour = "#0072B2" if index == 0 else "#BBBBBB"
            axes.barh(index, max(100 * value - left, 0.0), 0.6, left=left, color=colour, lw=0)
            axes.plot([max(100 * most, left)] * 2, [index - 0.3, index + 0.3], color=_INK, lw=1.2)
            axes.annotate(
                f"{100 * value:.1f} %, at most {100 * most:.0f} %",
                (1.01, index),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8,
            )
        axes.set_yticks(range(len(names)), names, color=_INK)
        axes.invert_yaxis()
        axes.set(xscale="log", xlim=(left, 1.3 * right))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("mean absolute error on held-out runs (line: largest), %, logarithmic")
        return figure


def calibration(levels: Sequence[float], shares: Sequence[float], scenarios: int) -> Figure:
    """Share of held-out values inside their interval over the share that the interval claims to hold.

    The band is where 95 % of the shares lie if the intervals hold: exact binomial quantiles of as many independent
    values as there are scenarios, for repetitions and phases of one scenario err together.
    """
    with rc_context(_RC):
        figure = Figure(figsize=(4.4, 4.2), layout="constrained")
        axes = figure.subplots()
        grid = np.linspace(0.0, 1.0, 101)
        low, high = (100 * binom.ppf(q, scenarios, grid) / scenarios for q in (0.025, 0.975))
        axes.fill_between(100 * grid, low, high, color="#EEEEEE", lw=0)
        axes.plot([0, 100], [0, 100], color=_MUTED, lw=0.8)
        axes.plot([100 * x for x in levels], [100 * y for y in shares], "o-", color="#0072B2", ms=4, lw=1)
        axes.set(xlim=(0, 100), ylim=(0, 102), aspect="equal")
        axes.set_xlabel("interval, %")
        axes.set_ylabel("held-out values inside, %")
        return figure


def waterfall(bound_s: float, losses: Sequence[tuple[str, float]], measured_s: float) -> Figure:
    """From the lower bound to the measured iteration time, one bar per term of the loss."""
    with rc_context(_RC):
        figure = Figure(figsize=(7.2, 0.9 + 0.34 * (len(losses) + 2)), layout="constrained")
        axes = figure.subplots()
        names = ["bound", *(term for term, _ in losses), "measured"]
        axes.barh(0, 1e3 * bound_s, 0.6, color="#0072B2", lw=0)
        height = bound_s
        for index, (_, seconds) in enumerate(losses, start=1):
            axes.barh(
                index, 1e3 * seconds, 0.6, left=1e3 * height,
                color="#D55E00" if seconds >= 0 else "#009E73", lw=0,
            )  # fmt: skip
            right = 1e3 * max(height, height + seconds)
            axes.annotate(f" {1e3 * seconds:+.1f} ms", (right, index), va="center", fontsize=8, color=_MUTED)
            height += seconds
        axes.barh(len(names) - 1, 1e3 * measured_s, 0.6, color="#666666", lw=0)
        for index, seconds in ((0, bound_s), (len(names) - 1, measured_s)):
            axes.annotate(f" {format_time(seconds)}", (1e3 * seconds, index), va="center", fontsize=8)
        axes.set_yticks(range(len(names)), names, color=_INK)
        axes.invert_yaxis()
        axes.set_xlim(0, axes.get_xlim()[1] * 1.15)
        axes.set_xlabel("iteration time, ms")
        return figure


def claim(steps: Sequence[Step]) -> Figure:
    """Push time against the number of shards: measured, predicted, and what links alone would take."""
    with rc_context(_RC):
        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        axes = figure.subplots()
        shards = np.array([step.shards for step in steps])
        low, high = np.array([(step.low_s, step.high_s) for step in steps]).T
        axes.fill_between(shards, low, high, color="#0072B2", alpha=0.18, lw=0)
        predicted = [step.predicted_s for step in steps]
        axes.plot(shards, predicted, color="#0072B2", label="predicted from K = 1, 95 % interval")
        links = [step.links_s for step in steps]
        axes.plot(shards, links, color=_MUTED, ls=":", label="links alone: max(N·M/(K·B), M/B)")
        for step in steps:
            axes.errorbar(
                [step.shards],
                [step.measured_s],
                yerr=[[step.measured_s - step.measured_low_s], [step.measured_high_s - step.measured_s]],
                fmt="o",
                color="#D55E00",
                mfc="white" if step.calibration else "#D55E00",
                elinewidth=0.8,
                label="measured" if step is steps[-1] else None,
            )
        axes.set_xscale("log", base=2)
        axes.set_xticks(shards, [str(k) for k in shards])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_time(value)))
        axes.set_ylim(0, 1.1 * max(step.measured_high_s for step in steps))
        axes.set(xlabel="shards", ylabel="push time")
        axes.legend(frameon=False, fontsize=8)
        return figure


def timeline(spans: Sequence[Span], title: str, until_s: float) -> Figure:
    """Who did what when: one row per worker and shard, the time from 0 to `until_s`."""
    with rc_context(_RC):
        rows = sorted(
            {s.row for s in spans if not s.overlapping}, key=lambda r: (not r.startswith("worker"), r)
        )
        figure = Figure(figsize=(7.2, 0.9 + 0.28 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for phase, colour in PHASES.items():
            for row_index, row in enumerate(rows):
                bars = [
                    (1e3 * s.start_s, 1e3 * (s.end_s - s.start_s))
                    for s in spans
                    if s.row == row and s.name == phase and s.start_s < until_s
                ]
                if bars:
                    axes.broken_barh(bars, (row_index - 0.36, 0.72), color=colour, lw=0)
        present = [phase for phase in PHASES if any(s.name == phase for s in spans)]
        axes.legend(
            handles=[axes.barh([0], [0], color=PHASES[p], label=p) for p in present],
            frameon=False, fontsize=8, ncols=5, loc="lower left", bbox_to_anchor=(0, 1),
        )  # fmt: skip
        axes.set_yticks(range(len(rows)), rows, color=_INK)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, 1e3 * until_s)
        axes.set_xlabel(f"{title}, ms")
        return figure


def svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element, the same bytes for the same figure."""
    with rc_context(_RC), warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box, which says enough.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
