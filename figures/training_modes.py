"""Iteration time against the number of workers in each training mode.

Compute varies (lognormal, 0.5 s on average, coefficient of variation 0.5); 100 MB in 4 shards at 10 Gbit/s. A
barrier waits for the slowest worker and makes all push at once, until the shards' links bind in every mode.
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from figures.kit.data import Rows
from figures.kit.style import Style, count_axis, lines
from psmodel import load
from psmodel.analytic import ClosedForm
from psmodel.plotting.palette import MUTED
from psmodel.simulation import predict as simulate

SCENARIO = load("ingress-single").replace(
    shards=4,
    compute={"kind": "lognormal", "mean": "0.5 s", "cv": 0.5},
    iterations=50,
    warmup=10,
)
_WORKERS = (1, 2, 4, 8, 16, 32)
_MODES: Mapping[str, Mapping[str, Any]] = {
    "bulk-synchronous": {"mode": "bsp"},
    "stale-synchronous, $s$ = 3": {"mode": "ssp", "staleness_bound": 3},
    "asynchronous": {"mode": "asp"},
}


def compute() -> Rows:
    """The simulated iteration time of each mode, and the work of the busiest link."""
    rows = []
    for label, mode in _MODES.items():
        for workers in _WORKERS:
            scenario = SCENARIO.replace(workers=workers, **mode)
            rows.append(
                {
                    "mode": label,
                    "workers": workers,
                    "iteration_time_s": simulate(scenario).prediction.metrics.iteration_time_s,
                    "shard_links_s": ClosedForm(scenario=scenario).work["shard ingress"],
                }
            )
    return rows


def draw(rows: Rows, style: Style) -> Figure:
    """A line for each mode, and what the shards' links need at least, dotted."""
    figure = style.figure(aspect=0.68)
    axes = figure.subplots()
    lines(axes, rows, _MODES, by="mode", x="workers", y="iteration_time_s")
    bound = [r for r in rows if r["mode"] == next(iter(_MODES))]
    axes.plot(
        [r["workers"] for r in bound], [r["shard_links_s"] for r in bound], ":", color=MUTED,
        label="shard link: $N M/(K B)$ each way",
    )  # fmt: skip
    axes.set(xscale="log", xlabel="workers $N$", ylabel="iteration time, s", ylim=(0, None))
    count_axis(axes.xaxis, list(_WORKERS))
    axes.legend(loc="upper left")
    return figure
