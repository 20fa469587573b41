"""One simulated iteration: what every worker and shard does when, and how many transfers share a shard's link.

4 workers, 2 shards, 64 MB, 2 Gbit/s, lognormal compute, bulk-synchronous; the costs of calls and copies are those
that are usual on Ray.
"""

from matplotlib.figure import Figure

from figures.bottleneck_map import USUAL
from figures.kit.data import Rows
from figures.kit.style import Style
from figures.kit.timeline import draw_rows, draw_transfers, phase_handles, span_rows, transfer_rows
from psmodel import load
from psmodel.simulation import predict as simulate

SCENARIO = load("ingress-single").replace(
    name="gantt", description="", workers=4, shards=2, model_size="64MB", bandwidth="2Gbps",
    compute={"kind": "lognormal", "mean": "150 ms", "cv": 0.5}, iterations=2, seed=4,
)  # fmt: skip
_LINKS = {"shard-0.up": "out of shard 0 (pull)", "shard-0.down": "into shard 0 (push)"}


def compute() -> Rows:
    """The spans of the second iteration, and the transfers over the first shard's link meanwhile."""
    run = simulate(SCENARIO, USUAL, trace=True)
    start, end = float(run.timeline.start[:, 1].min()), float(run.timeline.released[:, 1].max())
    return [*span_rows(run.spans, start, end), *transfer_rows(run.spans, _LINKS, start, end)]


def draw(rows: Rows, style: Style) -> Figure:
    """The rows of workers and shards above, the links below."""
    figure = style.figure(aspect=0.9)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    draw_rows(above, rows, style)
    draw_transfers(below, rows, _LINKS, style)
    below.set(xlabel="time since the start of the iteration, ms", ylabel="transfers")
    below.legend(loc="upper right", ncols=2)
    above.set_xlim(0, 1.02 * max(r["end_ms"] for r in rows))
    figure.legend(handles=phase_handles(rows, style), loc="outside upper center", ncols=5, handlelength=1.6)
    return figure
