"""Push time against the number of shards for 4, 16 and 64 workers.

Each line falls as 1/K until K = N; from there on the worker's own link needs M/B, however many shards there are.
"""

from matplotlib.figure import Figure

from figures.kit.data import Rows
from figures.kit.style import Style, count_axis, looks, time_axis
from psmodel import load, predict
from psmodel.plotting.palette import INK, MUTED
from psmodel.simulation import predict as simulate

SCENARIO = load("ingress-single")
_WORKERS = (4, 16, 64)
_SHARDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def compute() -> Rows:
    """Closed form, simulation and the worker's own bound for each pair."""
    rows = []
    for workers in _WORKERS:
        for shards in _SHARDS:
            scenario = SCENARIO.replace(workers=workers, shards=shards)
            closed = predict(scenario)
            rows.append(
                {
                    "workers": workers,
                    "shards": shards,
                    "closed_form_s": closed.metrics.push_time_s,
                    "simulated_s": simulate(scenario).prediction.metrics.push_time_s,
                    "worker_egress_bound_s": next(
                        b.time_s for b in closed.bounds if (b.phase, b.resource) == ("push", "worker egress")
                    ),
                }
            )
    return rows


def draw(rows: Rows, style: Style) -> Figure:
    """A line for each number of workers, the point K = N of each ringed, the floor dotted."""
    figure = style.figure(aspect=0.68)
    axes = figure.subplots()
    floor = rows[0]["worker_egress_bound_s"]
    axes.axhline(floor, color=MUTED, ls=":", lw=0.9 * style.line)
    axes.annotate(
        "worker egress $M/B$ = 80 ms", (256, floor), xytext=(0, -9), textcoords="offset points",
        ha="right", va="top", color=MUTED, fontsize=style.small,
    )  # fmt: skip
    for workers, look in looks(_WORKERS):
        points = [r for r in rows if r["workers"] == workers]
        shards = [r["shards"] for r in points]
        axes.plot(shards, [r["closed_form_s"] for r in points], color=look["color"], ls=look["linestyle"])
        axes.plot(
            shards,
            [r["simulated_s"] for r in points],
            look["marker"],
            color=look["color"],
            mfc="white",
            zorder=3,
        )
        axes.plot([], [], **look, mfc="white", label=f"$N$ = {workers}")
        axes.plot(
            workers, floor, "o", ms=2.6 * style.marker, mfc="none", mec=INK, mew=0.6 * style.line, zorder=4
        )
    axes.set(xscale="log", yscale="log", xlabel="shards $K$", ylabel="push time", ylim=(0.035, 8))
    count_axis(axes.xaxis, [1, 4, 16, 64, 256])
    axes.set_yticks([0.1, 1.0])
    time_axis(axes.yaxis)
    axes.legend(loc="upper right", title="line: closed form\nmarker: simulated\nring: $K = N$",
                title_fontsize=style.small, alignment="left")  # fmt: skip
    return figure
