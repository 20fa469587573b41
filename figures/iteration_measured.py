"""One iteration of training on one machine, simulated and measured: what every worker and shard does when.

4 workers, 2 shards, 2 MB, lognormal compute times, bulk-synchronous; real Ray on two cores. The simulation has the same
compute times, and the coefficients fitted to other scenarios. Shown is the iteration whose measured length is the
median, with the ends of those beside it.
"""

from functools import partial

import numpy as np
from matplotlib.figure import Figure

from figures.kit import measured
from figures.kit.data import Rows
from figures.kit.style import Style
from figures.kit.timeline import draw_rows, phase_handles, span_rows
from psmodel.results import Array, Timeline
from psmodel.simulation import predict as simulate
from validate.measurements.measurement import spans

_SUITE = "training-local"
_SIDES = ("simulated", "measured")
SCENARIO = next(
    s for s in measured.groups(_SUITE) if (s.workers, s.shards, s.mode, s.is_random) == (4, 2, "bsp", True)
)
origin = partial(measured.origin, _SUITE)


def compute() -> Rows:
    """The spans of the same iteration of a run and of the simulation with its random numbers."""
    run = min(measured.groups(_SUITE)[SCENARIO], key=lambda m: m.repetition)
    simulation = simulate(SCENARIO, measured.fit(_SUITE).calibration, replication=run.repetition, trace=True)
    start, end = _edges(run.timeline)
    length = (end - start)[SCENARIO.warmup :]
    iteration = (SCENARIO.warmup or 0) + int(np.argsort(length)[len(length) // 2])
    rows = []
    for side, recorded, timeline in zip(
        _SIDES, (simulation.spans, spans(run)), (simulation.timeline, run.timeline), strict=True
    ):
        start, end = _edges(timeline)
        rows += span_rows(recorded, start[iteration], end[iteration], side=side)
    return rows


def _edges(timeline: Timeline) -> tuple[Array, Array]:
    return timeline.start.min(axis=0), timeline.released.max(axis=0)


def draw(rows: Rows, style: Style) -> Figure:
    """The simulated rows of workers and shards above, the measured ones below, on one axis of time."""
    figure = style.figure(aspect=0.95)
    panels = figure.subplots(2, 1, sharex=True)
    for axes, side in zip(panels, _SIDES, strict=True):
        draw_rows(axes, [r for r in rows if r["side"] == side], style)
        axes.set_title(side)
    panels[-1].set_xlabel("time since the start of the iteration, ms")
    panels[0].set_xlim(0, 1.02 * max(r["end_ms"] for r in rows))
    figure.legend(handles=phase_handles(rows, style), loc="outside upper center", ncols=5, handlelength=1.6)
    return figure
