"""Pictures of how good predictions are: pure functions from numbers to Matplotlib figures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from scipy.stats import binom

from psmodel.plotting.palette import BLUE, FAINT, INK, METRICS, MUTED, SILVER
from psmodel.wording import label
from validate.comparison.comparisons import ComparisonRow
from validate.report.drawing import LONGEST, SMALL, WIDTH, legend_above, log_time_axes, styled

_LEAST_PERCENT = 0.1
"""Where the axis of models' errors begins at the earliest."""
_WHISKERS: Any = {"ecolor": MUTED, "elinewidth": 0.7, "mec": INK, "mew": 0.5, "ls": "none"}


def _name(metric: str) -> str:
    return metric.removesuffix("_time_s")


@styled
def predicted_against_measured(
    held_out: Sequence[ComparisonRow], calibration: Sequence[ComparisonRow]
) -> Figure:
    """Every metric: what was predicted, with its interval, over what was measured, with its range."""
    figure = Figure(figsize=(5.2, 5.0), layout="constrained")
    axes = figure.subplots()
    points = [p for p in (*held_out, *calibration) if p.predicted > 0]
    # A time that the model takes for nothing must not push all the others into a corner.
    least, most = min(p.measured for p in points), max(p.measured for p in points)
    low = max(least / 3, min(least, *(p.predicted for p in points))) / 1.2
    high = min(most * 3, max(most, *(p.predicted for p in points))) * 1.2
    line = np.array([low, high])
    axes.fill_between(line, line / 1.1, line * 1.1, color=FAINT, lw=0)
    axes.plot(line, line, color=MUTED, lw=0.8)
    filled = {p.metric for p in held_out if p.predicted > 0}
    for metric, (colour, marker) in METRICS.items():
        for rows, face in ((calibration, "white"), (held_out, colour)):
            points = [p for p in rows if p.metric == metric and p.predicted > 0]
            if not points:
                continue
            axes.errorbar(
                [p.measured for p in points],
                [p.predicted for p in points],
                xerr=[
                    [p.measured - p.measured_low for p in points],
                    [p.measured_high - p.measured for p in points],
                ],
                yerr=[
                    [max(p.predicted - p.low, 0.0) for p in points],
                    [max(p.high - p.predicted, 0.0) for p in points],
                ],
                **_WHISKERS
                | {"mec": INK if face == colour else colour, "mew": 0.5 if face == colour else 1.2},
                fmt=marker,
                ms=5,
                mfc=face,
                label=None if face == "white" and metric in filled else _name(metric),
            )
    if calibration:
        axes.plot([], [], "o", mfc="white", mec=MUTED, mew=1.2, ms=5, label="hollow: calibration")
    axes.fill_between([], [], [], color=FAINT, lw=0, label="equal, ± 10 %")
    log_time_axes(axes, low, high)
    axes.set(xlabel="measured (range of repetitions)", ylabel="predicted (95 % interval)")
    axes.legend(loc="upper left")
    return figure


@styled
def errors(rows: Sequence[ComparisonRow], noise: float) -> Figure:
    """Relative error of every held-out prediction, with its interval, beside the run-to-run noise."""
    names = {p.content: label(p.scenario, LONGEST) for p in rows}
    positions = {key: index for index, key in enumerate(names)}
    figure = Figure(figsize=(WIDTH, 1.2 + 0.42 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(-200 * noise, 200 * noise, color=FAINT, lw=0)
    axes.axvline(0, color=MUTED, lw=0.8)
    metrics = [m for m in METRICS if any(p.metric == m for p in rows)]
    for position, metric in enumerate(metrics):
        colour, marker = METRICS[metric]
        points = [p for p in rows if p.metric == metric]
        offset = (position - (len(metrics) - 1) / 2) * 0.18
        axes.errorbar(
            [100 * p.error for p in points],
            [positions[p.content] + offset for p in points],
            xerr=[
                [100 * max(p.predicted - p.low, 0.0) / p.measured for p in points],
                [100 * max(p.high - p.predicted, 0.0) / p.measured for p in points],
            ],
            **_WHISKERS,
            fmt=marker,
            ms=4.5,
            mfc=colour,
            label=_name(metric),
        )
    axes.set_yticks(range(len(names)), list(names.values()))
    axes.set_ylim(len(names) - 0.4, -0.6)
    # Intervals that reach far beyond the errors are cut rather than the errors made invisible.
    reach = 1.2 * max([400 * noise, *(200 * abs(p.error) for p in rows)])
    axes.set_xlim(-reach, reach)
    axes.set_xlabel("error of the prediction, % (grey: ± 2 standard deviations of one run)")
    legend_above(axes)
    return figure


@styled
def model_errors(names: Sequence[str], mean: Sequence[float], largest: Sequence[float]) -> Figure:
    """Mean absolute percentage error of each model on the held-out runs, with its largest error as a tick.

    On a logarithmic axis: a baseline that is off by a thousand percent must not make the others' bars invisible.
    """
    figure = Figure(figsize=(WIDTH, 0.8 + 0.3 * len(names)), layout="constrained")
    axes = figure.subplots()
    left = max(_LEAST_PERCENT, 50 * min((value for value in mean if value > 0), default=1.0))
    right = 100 * max(*largest, left / 100)
    for index, (value, most) in enumerate(zip(mean, largest, strict=True)):
        colour = BLUE if index == 0 else SILVER
        axes.barh(index, max(100 * value - left, 0.0), 0.6, left=left, color=colour, lw=0)
        axes.plot([max(100 * most, left)] * 2, [index - 0.3, index + 0.3], color=INK, lw=1.2)
        axes.annotate(
            f"{100 * value:.1f} %, at most {100 * most:.0f} %", (1.01, index),
            xycoords=("axes fraction", "data"), va="center", fontsize=SMALL,
        )  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xscale="log", xlim=(left, 1.3 * right))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("mean absolute error on held-out runs (line: largest), %, logarithmic")
    return figure


@styled
def calibration(levels: Sequence[float], shares: Sequence[float], scenarios: int) -> Figure:
    """Share of held-out values inside their interval over the share that the interval claims to hold.

    The band is where 95 % of the shares lie if the intervals hold: exact binomial quantiles of as many independent
    values as there are scenarios, for repetitions and phases of one scenario err together.
    """
    figure = Figure(figsize=(4.4, 4.2), layout="constrained")
    axes = figure.subplots()
    grid = np.linspace(0.0, 1.0, 101)
    low, high = (100 * binom.ppf(q, scenarios, grid) / scenarios for q in (0.025, 0.975))
    axes.fill_between(100 * grid, low, high, color=FAINT, lw=0)
    axes.plot([0, 100], [0, 100], color=MUTED, lw=0.8)
    axes.plot([100 * x for x in levels], [100 * y for y in shares], "o-", color=BLUE, ms=4, lw=1)
    axes.set(xlim=(0, 100), ylim=(0, 102), aspect="equal")
    axes.set_xlabel("interval, %")
    axes.set_ylabel("held-out values inside, %")
    return figure
