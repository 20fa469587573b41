"""The tutorial's last claim, measured: on one machine sharding speeds up synchronous training, asynchronous little.

4 workers on two cores; an update costs 40 ms of CPU time for the whole model, so 40 ms / K on each of K shards, which
work in parallel as far as there are cores. In step all workers wait for the last update, out of step for none. The
model was fitted on K = 1. Points are measured, with the range of two runs; lines are predicted, with the 95 % intervals
in which one more run lies.
"""

from functools import partial

from matplotlib.figure import Figure

from figures.kit import measured
from figures.kit.data import Rows
from figures.kit.style import Style, looks, time_axis

_SUITE = "parallel-updates"
SCENARIO = next(iter(measured.groups(_SUITE)))
_MODES = {"bsp": "bulk-synchronous", "asp": "asynchronous"}
origin = partial(measured.origin, _SUITE)


def compute() -> Rows:
    """Measured and predicted iteration time of each mode and number of shards; times in s."""
    fitted = measured.fit(_SUITE)
    return [
        {
            "mode": scenario.mode,
            "shards": scenario.shards,
            "part": runs[0].part,
            **measured.row(runs, "iteration_time_s", fitted.predict(scenario)["iteration_time_s"]),
        }
        for scenario, runs in sorted(
            measured.groups(_SUITE).items(), key=lambda item: (item[0].mode, item[0].shards)
        )
    ]


def draw(rows: Rows, style: Style) -> Figure:
    """Measured points over the predicted lines and their intervals, one series per mode."""
    figure = style.figure(aspect=0.68)
    axes = figure.subplots()
    for (mode, label), series in looks(_MODES.items()):
        own = [r for r in rows if r["mode"] == mode]
        shards, color = [r["shards"] for r in own], series["color"]
        axes.fill_between(
            shards, [r["low_s"] for r in own], [r["high_s"] for r in own], color=color, alpha=0.15, lw=0
        )
        axes.plot(
            shards,
            [r["predicted_s"] for r in own],
            color=color,
            ls=series["linestyle"],
        )
        axes.errorbar(
            shards,
            [r["measured_s"] for r in own],
            yerr=measured.bars(own, "measured_s", "measured_low_s", "measured_high_s"),
            fmt=series["marker"],
            color=color,
            elinewidth=style.line,
            ls="none",
            zorder=3,
            label=label,
        )
    axes.set(xlabel="shards $K$", ylabel="iteration time")
    axes.set_ylim(0, 1.25 * max(r["high_s"] for r in rows))
    axes.set_xticks(sorted({r["shards"] for r in rows}))
    time_axis(axes.yaxis)
    axes.legend(loc="upper right")
    return figure
