"""What the report's pictures share: their style, axes of times, and how they become SVG."""

import io
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from psmodel.plotting.palette import INK, MUTED
from psmodel.units import format_time

WIDTH = 7.2
"""Of a picture that has names at its side, in inches."""
SMALL = 8
"""Type size of legends and remarks, in points."""
LONGEST = 40
"""Letters of a name in a picture."""
_FEW_DECADES = 300.0
"""Below this ratio of its ends, powers of ten alone leave an axis next to no labels."""
_RC: Any = {
    "font.size": 9,
    "text.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "hatch.color": INK,
    "hatch.linewidth": 0.4,
    "svg.fonttype": "path",
    "svg.hashsalt": "psmodel",
    # Names are somebody's: a dollar in one begins no formula.
    "text.parse_math": False,
}
_Parameters = ParamSpec("_Parameters")


def styled(draw: Callable[_Parameters, Figure]) -> Callable[_Parameters, Figure]:
    """Have a function draw in the report's style."""

    @wraps(draw)
    def drawn(*arguments: _Parameters.args, **options: _Parameters.kwargs) -> Figure:
        with rc_context(_RC):
            return draw(*arguments, **options)

    return drawn


def time_axis(axis: Any) -> None:
    """Ticks of an axis in seconds read "80 ms" and "8 s"."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_time(value)))
    axis.set_minor_formatter(NullFormatter())


def log_time_axes(axes: Any, low: float, high: float) -> None:
    """The same logarithmic axis of times both ways."""
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        if high < _FEW_DECADES * low:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        time_axis(axis)


def legend_above(axes: Any, **options: Any) -> None:
    """A legend in a line above the axes, where it hides nothing."""
    axes.legend(**{"ncols": 5, "loc": "lower left", "bbox_to_anchor": (0, 1), **options})


def svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element, the same bytes for the same figure."""
    with rc_context(_RC), warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box, which says enough.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
