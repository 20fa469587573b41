"""Ingress time of the busiest shard against the number of shards.

100 workers push 100 MB each at 10 Gbit/s: one server takes 8 s, 100 shards take 80 ms, and more do not help,
because each worker's own link then binds.
"""

from matplotlib.figure import Figure

from figures.kit.data import Rows
from figures.kit.style import Style, count_axis, time_axis
from psmodel import load, predict
from psmodel.plotting.palette import BLUE, MUTED, VERMILION
from psmodel.simulation import predict as simulate

SCENARIO = load("ingress-single")
_SHARDS = (1, 2, 5, 10, 20, 50, 100, 200, 400)


def compute() -> Rows:
    """Closed form and simulation for each number of shards."""
    rows = []
    for shards in _SHARDS:
        scenario = SCENARIO.replace(shards=shards)
        closed = predict(scenario)
        bounds = {b.resource: b.time_s for b in closed.bounds if b.phase == "push"}
        rows.append(
            {
                "shards": shards,
                "closed_form_s": closed.metrics.ingress_time_s,
                "simulated_s": simulate(scenario).prediction.metrics.ingress_time_s,
                "shard_ingress_bound_s": bounds["shard ingress"],
                "worker_egress_bound_s": bounds["worker egress"],
            }
        )
    return rows


def draw(rows: Rows, style: Style) -> Figure:
    """Bounds as lines, the closed form and the simulation on them, the two points of the question marked."""
    figure = style.figure(aspect=0.68)
    axes = figure.subplots()
    shards = [r["shards"] for r in rows]
    axes.plot(shards, [r["shard_ingress_bound_s"] for r in rows], color=MUTED, ls="--", lw=0.7 * style.line)
    axes.plot(shards, [r["worker_egress_bound_s"] for r in rows], color=MUTED, ls=":", lw=0.9 * style.line)
    axes.plot(shards, [r["closed_form_s"] for r in rows], color=BLUE, label="closed form")
    axes.plot(
        shards,
        [r["simulated_s"] for r in rows],
        "o",
        color=VERMILION,
        mfc="white",
        label="simulated",
        zorder=3,
    )
    axes.set(xscale="log", yscale="log", xlabel="shards $K$", ylabel="ingress time", ylim=(0.012, 20))
    count_axis(axes.xaxis, [1, 10, 100, 400])
    axes.set_yticks([0.01, 0.1, 1, 10])
    time_axis(axes.yaxis)
    for row, text, where in ((rows[0], "8 s", (7, 2)), (_at(rows, 100), "80 ms", (-3, 7))):
        axes.annotate(
            text,
            (row["shards"], row["closed_form_s"]),
            xytext=where,
            textcoords="offset points",
            weight="bold",
        )
    axes.annotate(
        "worker egress $M/B$", (1, rows[0]["worker_egress_bound_s"]), xytext=(0, 3),
        textcoords="offset points", color=MUTED, fontsize=style.small,
    )  # fmt: skip
    axes.annotate(
        "shard ingress $N M/(K B)$", (400, rows[-1]["shard_ingress_bound_s"]), xytext=(-14, 0),
        textcoords="offset points", color=MUTED, fontsize=style.small, ha="right", va="center",
    )  # fmt: skip
    axes.legend(loc="upper right")
    return figure


def _at(rows: Rows, shards: int) -> dict[str, float]:
    return dict(next(r for r in rows if r["shards"] == shards))
