"""How stale updates are on one machine, measured and simulated: cumulative distributions.

4 workers, 2 shards, lognormal compute times (cv = 0.4), real Ray on two cores; simulated with the coefficients fitted
to other scenarios and the random numbers of the measured runs. $D$ is the largest distance of the two distributions
(two-sample Kolmogorov–Smirnov statistic). In step only updates of other rounds would count, and there are none.
"""

from functools import partial

import numpy as np
from matplotlib.figure import Figure

from figures.kit import measured
from figures.kit.data import Rows
from figures.kit.style import Style
from psmodel.plotting.palette import BLUE, VERMILION
from psmodel.scenario import Scenario
from validate.comparison import staleness

_SUITE = "training-local"
_MODES = {"bsp": "bulk-synchronous", "ssp1": "stale-synchronous, $s$ = 1", "ssp3": "stale-synchronous, $s$ = 3",
          "asp": "asynchronous"}  # fmt: skip
origin = partial(measured.origin, _SUITE)


def _shown(scenario: Scenario) -> bool:
    return (scenario.workers, scenario.shards) == (4, 2) and scenario.is_random


SCENARIO = next(s for s in measured.groups(_SUITE) if _shown(s))


def compute() -> Rows:
    """A row per mode and staleness: shares of updates that are at most so stale."""
    calibration = measured.fit(_SUITE).calibration
    comparisons = {}
    for scenario, runs in measured.groups(_SUITE).items():
        if _shown(scenario):
            mode = scenario.mode + ("" if scenario.staleness_bound is None else str(scenario.staleness_bound))
            (comparisons[mode],) = staleness.compare(calibration, runs)
    last = max(max(*s.measured, *s.predicted) for s in comparisons.values())
    return [
        {
            "mode": mode,
            "staleness": bound,
            "measured": _share(comparisons[mode].measured, bound),
            "predicted": _share(comparisons[mode].predicted, bound),
            "distance": comparisons[mode].distance,
        }
        for mode in _MODES
        for bound in range(last + 1)
    ]


def _share(counts: staleness.Counts, bound: int) -> float:
    return sum(n for value, n in counts.items() if value <= bound) / sum(counts.values())


def draw(rows: Rows, style: Style) -> Figure:
    """Axes for each mode, with both distributions as steps."""
    figure = style.figure(aspect=0.85)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for axes, (mode, title) in zip(panels.flat, _MODES.items(), strict=True):
        points = [r for r in rows if r["mode"] == mode]
        edges = np.arange(len(points) + 1)
        for key, label, colour, dashes in (
            ("measured", "measured", VERMILION, "-"),
            ("predicted", "simulated", BLUE, "--"),
        ):
            axes.stairs(
                [r[key] for r in points], edges, color=colour, ls=dashes, lw=style.line, baseline=None,
                label=label,
            )  # fmt: skip
        axes.set_title(title)
        axes.annotate(
            f"$D$ = {points[0]['distance']:.2f}", (0.96, 0.06), xycoords="axes fraction", ha="right",
            fontsize=style.small,
        )  # fmt: skip
        axes.set(ylim=(0, 1.05), xlim=(0, len(points)))
        axes.set_xticks(range(len(points)))
    figure.supxlabel("staleness (updates by other workers)", fontsize=style.points)
    figure.supylabel("share of updates at most so stale", fontsize=style.points)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
