"""What stragglers cost: updates per second of 16 workers as their compute times vary more.

Compute is lognormal with a mean of 0.5 s and a growing coefficient of variation; 100 MB in 4 shards at 400 Gbit/s.
The thin grey line is the closed form of the barrier: N / (E[max of N compute times] + transfers).
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from figures.kit.data import Rows
from figures.kit.style import Style, lines
from psmodel import load, predict
from psmodel.plotting.palette import MUTED
from psmodel.simulation import predict as simulate

SCENARIO = load("ingress-single").replace(
    workers=16, shards=4, bandwidth="400Gbps", compute="0.5 s", iterations=60, warmup=10
)
_VARIATION = (0.0, 0.25, 0.5, 1.0, 2.0)
_MODES: Mapping[str, Mapping[str, Any]] = {
    "asynchronous (ASP)": {"mode": "asp"},
    "SSP, $s$ = 8": {"mode": "ssp", "staleness_bound": 8},
    "SSP, $s$ = 2": {"mode": "ssp", "staleness_bound": 2},
    "barrier (BSP)": {"mode": "bsp"},
}
_CLOSED = "BSP, closed form"


def compute() -> Rows:
    """Simulated updates per second of each mode, and the closed form of the barrier."""
    rows = []
    for variation in _VARIATION:
        time = {"kind": "lognormal", "mean": "0.5 s", "cv": variation} if variation else "0.5 s"
        for label, mode in _MODES.items():
            metrics = simulate(SCENARIO.replace(compute=time, **mode)).prediction.metrics
            rows.append({"mode": label, "cv": variation, "updates_per_s": metrics.updates_per_s})
        barrier = predict(SCENARIO.replace(compute=time)).metrics
        rows.append({"mode": _CLOSED, "cv": variation, "updates_per_s": barrier.updates_per_s})
    return rows


def draw(rows: Rows, style: Style) -> Figure:
    """A line for each mode."""
    figure = style.figure(aspect=0.68)
    axes = figure.subplots()
    lines(axes, rows, _MODES, by="mode", x="cv", y="updates_per_s")
    closed = [r for r in rows if r["mode"] == _CLOSED]
    axes.plot(
        [r["cv"] for r in closed],
        [r["updates_per_s"] for r in closed],
        color=MUTED,
        lw=0.6 * style.line,
        zorder=3,
        label=_CLOSED,
    )
    axes.set(
        xlabel="coefficient of variation of the compute time",
        ylabel="updates per second",
        ylim=(0, 1.45 * max(r["updates_per_s"] for r in rows)),
    )
    axes.legend(loc="upper right", ncols=2)
    return figure
