"""The soak's figure: what commands held over time, when faults struck, and what was left."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.soak.loop import CASES, RunSample, Strike
from benchmarks.soak.summary import QUANTITIES, value

_MARKS = {"local": ("o", "#0072B2"), "netns": ("s", "#D55E00")}


def draw(samples: Sequence[RunSample], strikes: Sequence[Strike], path: Path) -> None:
    """Write the picture; a thin line is a fault, a thick one the end of a command."""
    figure = Figure(figsize=(7.2, 10.5), layout="constrained")
    panels = figure.subplots(len(QUANTITIES) + 1, 1, sharex=True)
    for axes, (name, words) in zip(panels, QUANTITIES.items(), strict=False):
        for testbed in CASES:
            rows = [s for s in samples if s.testbed == testbed]
            marker, colour = _MARKS[testbed]
            axes.plot(
                [s.at_s / 60 for s in rows],
                [value(s, name) for s in rows],
                marker,
                ms=3,
                color=colour,
                label=testbed,
            )
        axes.set_ylabel(words)
    left = panels[-1]
    for testbed in CASES:
        struck = [s for s in strikes if s.row.testbed == testbed]
        marker, colour = _MARKS[testbed]
        left.plot(
            [s.at_s / 60 for s in struck],
            [s.row.left or 0 for s in struck],
            marker,
            ms=3,
            color=colour,
            label=testbed,
        )
    left.set_ylabel("left")
    left.set_xlabel("minutes")
    for axes in panels:
        axes.set_ylim(bottom=0, top=max(1.0, 1.15 * axes.get_ylim()[1]))
        for strike in strikes:
            axes.axvline(
                strike.at_s / 60,
                color="#BBBBBB" if strike.ended else "#E8E8E8",
                lw=1.5 if strike.ended else 0.7,
                zorder=0,
            )
    panels[0].legend(loc="lower right", ncols=2)
    figure.savefig(path, dpi=100)
