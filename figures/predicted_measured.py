"""Predicted against measured: pushes and pulls over shaped links that the fit had not seen.

Real Ray hosts in network namespaces, 1 to 4 workers and shards, 100 kB to 64 MB, 50 to 400 Mbit/s; fitted on four
other scenarios. Above: with the 95 % interval in which one more run lies, over the range of the runs. Below: the
error, the grey band being ± 10 %.
"""

from functools import partial

from matplotlib.figure import Figure

from figures.kit import measured
from figures.kit.data import Rows
from figures.kit.style import Style, time_axis
from psmodel.plotting.palette import FAINT, INK, METRICS, MUTED

_SUITE = "ingress"
_METRICS = {"push_time_s": "push", "pull_time_s": "pull", "ingress_time_s": "ingress"}
SCENARIO = next(iter(measured.groups(_SUITE)))
origin = partial(measured.origin, _SUITE)


def compute() -> Rows:
    """A row per held-out scenario and metric; times in s."""
    fitted = measured.fit(_SUITE)
    rows = []
    for scenario, runs in measured.groups(_SUITE).items():
        if runs[0].part != "held_out":
            continue
        intervals = fitted.predict(scenario)
        for metric in _METRICS:
            if metric in intervals and all(getattr(m.metrics, metric) for m in runs):
                cells = measured.row(runs, metric, intervals[metric])
                rows.append({"scenario": scenario.name, "metric": metric, **cells})
    return rows


def draw(rows: Rows, style: Style) -> Figure:
    """Points with intervals along the diagonal, and their errors below."""
    figure = style.figure(aspect=1.25)
    upper, lower = figure.subplots(2, height_ratios=(2.2, 1), sharex=True)
    edges = ("measured_low_s", "measured_high_s", "low_s", "high_s")
    ends = (0.92 * min(r[e] for r in rows for e in edges), 1.08 * max(r[e] for r in rows for e in edges))
    upper.plot(ends, ends, color=MUTED, lw=0.6 * style.line)
    lower.axhspan(-10, 10, color=FAINT, lw=0)
    lower.axhline(0, color=MUTED, lw=0.6 * style.line)
    largest = 0.0
    for metric, label in _METRICS.items():
        colour, marker = METRICS[metric]
        look = {"mfc": colour, "mec": INK, "mew": 0.35 * style.line, "ms": 0.85 * style.marker}
        points = [r for r in rows if r["metric"] == metric]
        x = [r["measured_s"] for r in points]
        upper.errorbar(
            x,
            [r["predicted_s"] for r in points],
            xerr=measured.bars(points, "measured_s", "measured_low_s", "measured_high_s"),
            yerr=measured.bars(points, "predicted_s", "low_s", "high_s"),
            fmt=marker, ecolor=MUTED, ls="none", elinewidth=0.5 * style.line, label=label, **look,
        )  # fmt: skip
        off = [100 * (r["predicted_s"] / r["measured_s"] - 1) for r in points]
        largest = max(largest, *map(abs, off))
        lower.plot(x, off, marker, ls="none", **look)
    upper.set(xscale="log", yscale="log", xlim=ends, ylim=ends, ylabel="predicted")
    for axis in (upper.xaxis, upper.yaxis):
        axis.set_ticks([0.002, 0.01, 0.05, 0.2, 1.0])
        time_axis(axis)
    reach = max(14.0, 1.15 * largest)
    lower.set(ylim=(-reach, reach), ylabel="error, %", xlabel="measured")
    upper.legend(loc="upper left")
    return figure
