"""The claim of sharding, measured: 3 workers push 24 MB over 200 Mbit/s to 1 to 4 shards.

Real Ray hosts in network namespaces. The push time falls as 1/K and stops falling at K = N = 3, where each worker's own
link is full. The model was fitted on K = 1 and 3; bars are the range of three runs, the band is the 95 % interval in
which one more run lies.
"""

from functools import partial

from matplotlib.figure import Figure

from figures.kit import measured
from figures.kit.data import Rows
from figures.kit.style import Style, time_axis
from psmodel import analytic
from psmodel.plotting.palette import INK, MEASURED, MUTED, PREDICTED

_SUITE = "sharding"
SCENARIO = next(iter(measured.groups(_SUITE)))
origin = partial(measured.origin, _SUITE)


def compute() -> Rows:
    """Measured, predicted and bound for each number of shards; times in s."""
    fitted = measured.fit(_SUITE)
    rows = []
    for scenario, runs in sorted(measured.groups(_SUITE).items(), key=lambda item: item[0].shards):
        interval = fitted.predict(scenario)["push_time_s"]
        rows.append(
            {
                "shards": scenario.shards,
                "part": runs[0].part,
                **measured.row(runs, "push_time_s", interval),
                "bound_s": analytic.ClosedForm(scenario=scenario).busiest["push"].time_s,
            }
        )
    return rows


def draw(rows: Rows, style: Style) -> Figure:
    """Measured points over the predicted line and its interval; the bound dotted."""
    figure = style.figure(aspect=0.68)
    axes = figure.subplots()
    shards = [r["shards"] for r in rows]
    axes.fill_between(
        shards, [r["low_s"] for r in rows], [r["high_s"] for r in rows], color=PREDICTED, alpha=0.18, lw=0
    )
    axes.plot(shards, [r["predicted_s"] for r in rows], color=PREDICTED, label="predicted, 95 % interval")
    axes.plot(
        shards, [r["bound_s"] for r in rows], color=MUTED, ls=":", label=r"bound: max($NM/(KB)$, $M/B$)"
    )
    for held_out in (True, False):
        points = [r for r in rows if (r["part"] == "held_out") == held_out]
        axes.errorbar(
            [r["shards"] for r in points],
            [r["measured_s"] for r in points],
            yerr=measured.bars(points, "measured_s", "measured_low_s", "measured_high_s"),
            fmt="o" if held_out else "s",
            color=MEASURED,
            mfc=MEASURED if held_out else "white",
            elinewidth=style.line,
            ls="none",
            zorder=3,
            label="measured" if held_out else "measured, calibration",
        )
    top = 1.12 * max(max(r["high_s"], r["measured_high_s"]) for r in rows)
    axes.axvline(SCENARIO.workers, ymax=0.42, color=INK, lw=0.4 * style.line, ls=(0, (2, 2)))
    axes.annotate(
        "$K = N$", (SCENARIO.workers, 0.39 * top), xytext=(3, 0), textcoords="offset points", fontsize=style.small,
        color=INK,
    )  # fmt: skip
    axes.set(xlabel="shards $K$", ylabel="push time", ylim=(0, top), xlim=(0.8, max(shards) + 0.2))
    axes.set_xticks(shards)
    time_axis(axes.yaxis)
    axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.92))
    return figure
