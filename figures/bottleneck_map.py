"""Which resource binds, for every number of workers and shards.

100 MB at 5 Gbit/s, 50 ms of compute, and the costs of calls and copies that are usual on Ray; bulk-synchronous.
Links are as fast both ways; the direction named is that of the push. The lines join set-ups with the same iteration
time.
"""

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from figures.kit.data import Rows
from figures.kit.style import Style, count_axis
from psmodel import load, predict
from psmodel.calibration import COEFFICIENTS, Calibration
from psmodel.plotting.palette import GREEN, INK, ORANGE, PURPLE, SKY, VERMILION, YELLOW
from psmodel.units import format_time

SCENARIO = load("ingress-single").replace(name="map", description="", bandwidth="5Gbps", compute="50 ms")
USUAL = Calibration(**{name: about.usual for name, about in COEFFICIENTS.items()})
_SIZES = sorted({round(2 ** (i / 3)) for i in range(31)})
_LOOKS = {
    "shard ingress": (VERMILION, "///"),
    "shard egress": (ORANGE, "///"),
    "shard CPU": (YELLOW, "..."),
    "worker ingress": (SKY, "\\\\\\"),
    "worker egress": (PURPLE, "\\\\\\"),
    "worker CPU": (GREEN, ""),
}


def compute() -> Rows:
    """The closed form's bottleneck and iteration time."""
    rows = []
    for workers in _SIZES:
        for shards in _SIZES:
            prediction = predict(SCENARIO.replace(workers=workers, shards=shards), USUAL)
            rows.append(
                {
                    "workers": workers,
                    "shards": shards,
                    "bottleneck": prediction.bottleneck,
                    "iteration_time_s": prediction.metrics.iteration_time_s,
                }
            )
    return rows


def draw(rows: Rows, style: Style) -> Figure:
    """A field for each resource, coloured and hatched, with contours of the iteration time."""
    figure = style.figure(aspect=0.86)
    axes = figure.subplots()
    sizes = sorted({r["workers"] for r in rows})
    shape = len(sizes), len(sizes)
    binding = [r["bottleneck"] for r in rows]
    present = [name for name in _LOOKS if name in binding]
    index = np.array([present.index(b) for b in binding]).reshape(shape).T
    time = np.array([r["iteration_time_s"] for r in rows]).reshape(shape).T
    colours = ListedColormap([_LOOKS[name][0] for name in present])
    # The scales first: labels of contours are placed by distances on the page.
    axes.set(xscale="log", yscale="log", xlabel="workers $N$", ylabel="shards $K$")
    edges = np.exp(np.concatenate([[0.0], (np.log(sizes[1:]) + np.log(sizes[:-1])) / 2, [np.log(sizes[-1])]]))
    axes.pcolormesh(
        edges, edges, index, cmap=colours, vmin=-0.5, vmax=len(present) - 0.5, alpha=0.75, rasterized=True
    )
    for position, name in enumerate(present):
        if _LOOKS[name][1]:
            axes.contourf(
                sizes, sizes, index == position, levels=[0.5, 1.5], colors="none", hatches=[_LOOKS[name][1]]
            )
    lines = axes.contour(sizes, sizes, time, levels=[5, 15, 50, 150], colors=INK, linewidths=0.7 * style.line)
    labels = axes.clabel(lines, fmt=format_time, fontsize=style.small)
    for label in labels:
        label.set(bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85})
    for axis in (axes.xaxis, axes.yaxis):
        count_axis(axis, [1, 4, 16, 64, 256, 1024])
    handles = [
        Patch(
            facecolor=_LOOKS[name][0],
            hatch=_LOOKS[name][1],
            edgecolor=INK,
            lw=0.3 * style.line,
            alpha=0.75,
            label=name,
        )
        for name in present
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, handlelength=2)
    return figure
