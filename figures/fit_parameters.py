"""What the runs over shaped links tell of each coefficient: estimates and their 95 % intervals.

Fitted to four scenarios between hosts with links of 100 to 400 Mbit/s. Hollow: not identified, because these runs
do not depend on it enough; the estimate then rests on what was expected before anything was measured (grey: mean ±
standard deviation).
"""

from functools import partial

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from figures.kit import measured
from figures.kit.data import Rows
from figures.kit.style import Style
from psmodel.calibration import COEFFICIENTS
from psmodel.plotting.palette import BLUE, SILVER

_SUITE = "ingress"
SCENARIO = next(iter(measured.groups(_SUITE)))
origin = partial(measured.origin, _SUITE)
_AXES = {
    "1": (1.0, "without a unit"),
    "s": (1e3, "ms"),
    "s/byte": (1e9, "ns/byte"),
}
"""Unit of coefficients → factor, and what they are then given in."""


def compute() -> Rows:
    """A row per coefficient."""
    fitted = measured.fit(_SUITE)
    rows = []
    for name in fitted.names:
        about = COEFFICIENTS[name]
        factor, unit = _AXES[about.unit]
        low, high = fitted.intervals[name]
        rows.append(
            {
                "coefficient": name,
                "unit": unit,
                "estimate": factor * getattr(fitted.calibration, name),
                "low": factor * low,
                "high": factor * high,
                "identified": int(name not in fitted.unidentified),
                "expected_low": factor * max(about.lower, about.usual - about.spread),
                "expected_high": factor * (about.usual + about.spread),
            }
        )
    return rows


def draw(rows: Rows, style: Style) -> Figure:
    """Axes for each unit, a line for each coefficient."""
    figure = style.figure(aspect=0.85)
    groups = [[r for r in rows if r["unit"] == unit] for _, unit in _AXES.values()]
    panels = figure.subplots(len(groups), height_ratios=[len(g) + 0.5 for g in groups])
    for axes, group in zip(panels, groups, strict=True):
        for place, r in enumerate(group):
            axes.barh(
                place, r["expected_high"] - r["expected_low"], 0.5, r["expected_low"], color=SILVER, lw=0
            )
            axes.errorbar(
                r["estimate"], place, xerr=measured.bars([r], "estimate", "low", "high"), fmt="o", color=BLUE,
                mfc=BLUE if r["identified"] else "white", elinewidth=style.line,
            )  # fmt: skip
        axes.use_sticky_edges = any(r["expected_low"] == 0 for r in group)  # costs begin at 0, at the axis
        axes.set_yticks(range(len(group)), [_words(r["coefficient"]) for r in group])
        axes.set(ylim=(len(group) - 0.5, -0.5), xlabel=group[0]["unit"])
        axes.tick_params(axis="y", length=0)
    handles = [
        Line2D([], [], marker="o", color=BLUE, label="identified"),
        Line2D([], [], marker="o", color=BLUE, mfc="white", label="not identified"),
        Patch(color=SILVER, lw=0, label="expected"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, handlelength=1.6)
    return figure


def _words(name: str) -> str:
    return name.removesuffix("_per_byte").removesuffix("_s").replace("_", " ")
