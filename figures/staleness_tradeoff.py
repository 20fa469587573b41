"""What throughput costs in staleness: 16 workers, from the barrier over stale-synchronous to asynchronous training.

Compute is exponential with a mean of 0.5 s; 100 MB in 4 shards at 40 Gbit/s. Each point is a mode; s is the bound
of stale-synchronous training. The whiskers reach to the 95th percentile of staleness.
"""

from typing import Any

from matplotlib.figure import Figure

from figures.kit.data import Rows
from figures.kit.style import Style
from psmodel import load
from psmodel.plotting.palette import BLUE, GREEN, MUTED, VERMILION
from psmodel.simulation import predict as simulate

SCENARIO = load("ingress-single").replace(
    workers=16,
    shards=4,
    bandwidth="40Gbps",
    compute={"kind": "exponential", "mean": "0.5 s"},
    iterations=100,
    warmup=20,
)
_BOUNDS = (1, 2, 3, 5, 8)


def compute() -> Rows:
    """Simulated updates per second and staleness of each mode."""
    modes: dict[str, dict[str, Any]] = {"BSP": {"mode": "bsp"}}
    modes |= {f"s = {s}": {"mode": "ssp", "staleness_bound": s} for s in _BOUNDS}
    modes |= {"ASP": {"mode": "asp"}}
    rows = []
    for label, mode in modes.items():
        metrics = simulate(SCENARIO.replace(**mode)).prediction.metrics
        rows.append(
            {
                "mode": label,
                "updates_per_s": metrics.updates_per_s,
                "staleness_mean": metrics.staleness_mean,
                "staleness_p95": metrics.staleness_p95,
            }
        )
    return rows


def draw(rows: Rows, style: Style) -> Figure:
    """Throughput over mean staleness, a marker for each kind of mode."""
    figure = style.figure(aspect=0.68)
    axes = figure.subplots()
    axes.plot(
        [r["staleness_mean"] for r in rows],
        [r["updates_per_s"] for r in rows],
        "-",
        color=MUTED,
        lw=0.6 * style.line,
    )
    for r in rows:
        colour, marker = {"BSP": (BLUE, "o"), "ASP": (VERMILION, "s")}.get(r["mode"], (GREEN, "^"))
        axes.errorbar(
            r["staleness_mean"], r["updates_per_s"], xerr=[[0], [r["staleness_p95"] - r["staleness_mean"]]],
            fmt=marker, color=colour, elinewidth=0.6 * style.line, capsize=0.5 * style.marker,
        )  # fmt: skip
        at_the_axis = r["staleness_mean"] == 0
        axes.annotate(
            r["mode"], (r["staleness_mean"], r["updates_per_s"]), xytext=(6, -3) if at_the_axis else (-5, 2),
            textcoords="offset points", ha="left" if at_the_axis else "right", va="top" if at_the_axis else "baseline",
            fontsize=style.small,
        )  # fmt: skip
    axes.set(xlabel="staleness: other workers' updates in between", ylabel="updates per second")
    axes.set_ylim(0, 1.12 * max(r["updates_per_s"] for r in rows))
    axes.set_xlim(0, None)
    return figure
