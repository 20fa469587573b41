"""Pictures of answers: pure functions from results to a `Figure`, for colour-blind readers and for grey paper."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from psmodel.analytic import predict_grid
from psmodel.calibration import IDEAL, Calibration
from psmodel.errors import BadInput
from psmodel.plotting.palette import BLUE, FILLS, GREEN, GREY, ORANGE, PURPLE, VERMILION
from psmodel.scenario import Scenario
from psmodel.storage.atomic import whole
from psmodel.units import format_time
from psmodel.whatif.parameter_space import written
from psmodel.wording import cut, excerpt, plain

if TYPE_CHECKING:
    from psmodel.whatif.explanations import Explanation
    from psmodel.whatif.plans import Plan

_LINES = (
    (BLUE, "o", "-"),
    (VERMILION, "s", "--"),
    (GREEN, "^", "-."),
    (PURPLE, "D", ":"),
    (ORANGE, "v", "-"),
)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as .png, .pdf or .svg.

    Raises
    ------
    BadInput, CannotRun
        If the suffix is another, or as `psmodel.storage.atomic.whole`.
    """
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise BadInput(
            f"{plain(str(path))}: {plain(path.suffix) or 'no suffix'} is no picture; it is one of .png, .pdf, .svg"
        )
    with whole(path) as file:
        figure.savefig(file, dpi=150, format=path.suffix[1:])


def label(name: str) -> str:
    """A name of others as text of a picture: no formula, nothing that fonts do not have.

    >>> label("c5 $x$")
    'c5 \\\\$x\\\\$'
    """
    return cut(plain(name)).replace("$", r"\$")


def _empty(width: float = 7.0, height: float = 4.2) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _seconds(axis: Any) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_time(value)))
    axis.set_minor_formatter(NullFormatter())


def pareto(plan: "Plan") -> Figure:
    """Cost per hour against iteration time: the front, what was tried, and what was found."""
    figure, axes = _empty()
    front = plan.front
    axes.step([r["cost_per_hour"] for r in front], [r["iteration_time_s"] for r in front], where="post",
              color=GREY, marker=".", label="nothing is both cheaper and faster")  # fmt: skip
    failed = [r for r in plan.tried if r["cost_per_hour"] is not None and r["decision"] == "misses"]
    if failed:
        axes.plot(
            [r["cost_per_hour"] for r in failed],
            [r["iteration_time_s"] for r in failed],
            "x",
            color=VERMILION,
            markersize=4,
            alpha=0.5,
            zorder=1,
            label="tried, misses a target",
        )
    limit = next((t.value for t in plan.targets if t.name == "iteration_time_s" and t.at_most), None)
    axes.set_yscale("log")
    _seconds(axes.yaxis)
    if limit is not None:
        axes.axhline(limit, color=BLUE, linestyle="--", linewidth=1)
        axes.annotate(f"target {format_time(limit)}", (1, limit), xycoords=("axes fraction", "data"), ha="right",
                      va="bottom", xytext=(0, 3), textcoords="offset points", color=BLUE)  # fmt: skip
    best = plan.best
    if best is not None and best["cost_per_hour"] is not None:
        axes.plot([best["cost_per_hour"]], [best["iteration_time_s"]], "o", color=BLUE, markersize=9)
        axes.annotate(
            f"{written('cost_per_hour', best['cost_per_hour'])} {label(best['currency'])}/h, "
            f"{format_time(best['iteration_time_s'])}",
            (best["cost_per_hour"], best["iteration_time_s"]), xytext=(10, 14), textcoords="offset points",
            fontweight="bold", color=BLUE,
        )  # fmt: skip
    currency = label(front[0]["currency"]) if front else ""
    axes.set_xlabel(f"cost of all machines ({currency} per hour)")
    axes.set_ylabel("iteration time")
    axes.legend(frameon=False, loc="upper right")
    return figure


def tornado(explanation: "Explanation") -> Figure:
    """By how much each change alone would change the iteration time, the largest on top, with its interval."""
    gains = sorted(explanation.gains, key=lambda g: abs(np.log(g.ratio)))
    figure, axes = _empty(height=0.5 * len(gains) + 1.5)
    before = explanation.iteration_time_s
    for row, gain in enumerate(gains):
        change = 100 * (gain.ratio - 1)
        better = change <= 0
        axes.barh(
            row, change, color=BLUE if better else ORANGE, hatch="" if better else "//", edgecolor="white"
        )
        if gain.interval is not None:
            low, high = (100 * (end - 1) for end in gain.interval)
            axes.plot([low, high], [row, row], color="black", linewidth=1.5, solid_capstyle="butt")
        text = f"{change:+.1f} %: {format_time(before * gain.ratio)}".replace("-", "−")
        axes.annotate(text, (max(change, 0), row), xytext=(6, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(gains)), [gain.change for gain in gains])
    axes.axvline(0, color="black", linewidth=1)
    axes.margins(x=0.3)
    axes.set_xlabel(f"change of the iteration time ({format_time(before)})")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+.0f} %".replace("-", "−")))
    return figure


_Ends = tuple[str, str, tuple[float, float], tuple[float, float]]


def _label(axes: Any, ends: Sequence[_Ends]) -> None:
    """Write each line's name beside it, at the side on which the lines lie further apart."""

    scale = axes.yaxis.get_transform()

    def closest(side: int) -> float:
        heights = np.sort(scale.transform(np.array([line[side][1] for line in ends])))
        return float(np.diff(heights).min(initial=np.inf))

    side = 2 if closest(2) > closest(3) else 3
    for text, colour, *both in ends:
        axes.annotate(
            text,
            both[side - 2],
            xytext=(-8 if side == 2 else 8, 0),
            textcoords="offset points",
            ha="right" if side == 2 else "left",
            va="center",
            color=colour,
        )


def curves(
    rows: Sequence[Mapping[str, Any]], *, x: str, y: str = "iteration_time_s", by: str | None = None
) -> Figure:
    """A metric of a sweep's rows against one setting, a line for each value of another.

    Parameters
    ----------
    rows
        Of a sweep; intervals are drawn where the rows have them.
    x, by
        Columns of settings; `y` is a metric.
    """
    if x not in rows[0]:
        raise BadInput("there is nothing to draw: no key varies; give one, like --set shards=1,2,4")
    figure, axes = _empty()
    ends_of: list[_Ends] = []
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(None if by is None else row[by], []).append(row)
    for index, (value, group) in enumerate(groups.items()):
        colour, marker, dash = _LINES[index % len(_LINES)]
        words = next((row[x] for row in group if not isinstance(row[x], int | float)), None)
        if words is not None:
            raise BadInput(f"{x} = {excerpt(words)} is no number; name a key with numbers first")
        group = sorted(group, key=lambda r: float(r[x]))
        at, high = [r[x] for r in group], [r[y] for r in group]
        axes.plot(at, high, color=colour, marker=marker, linestyle=dash)
        if group[0].get(f"{y}_low") is not None:
            ends = [[r[f"{y}_{end}"] for r in group] for end in ("low", "high")]
            axes.fill_between(at, *ends, color=colour, alpha=0.2, linewidth=0)
        text = label(f"{by} = {written(str(by), value)}")
        ends_of.append((text, colour, (at[0], high[0]), (at[-1], high[-1])))
    _scale(axes.xaxis, x, [row[x] for row in rows])
    _scale(axes.yaxis, y, [row[y] for row in rows])
    if by is not None:
        _label(axes, ends_of)
    return figure


_LOGARITHMIC_FROM = 20
"""Largest value ÷ smallest: below this a logarithmic axis might have a single tick."""


def _scale(axis: Any, key: str, values: Sequence[float]) -> None:
    """A logarithmic axis if the values span decades and none is 0; ticks as people write them, with their unit."""
    if min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC_FROM:
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
    elif all(isinstance(value, int) for value in values):
        axis.set_major_locator(MaxNLocator(integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(key, value)))
    axis.set_label_text(label(key.removesuffix("_s").replace("_", " ") + _unit(key)))


def _tick(key: str, value: float) -> str:
    if value < 0:
        return ""  # of a margin beside 0: nothing that is drawn is negative
    text = written(key, value)
    return f"{value:g}" if text == str(value) else text


def _unit(key: str) -> str:
    """What is counted, for the axis' label: the ticks have prefixes (``ms``, ``Gbit/s``)."""
    sample = written(key, 1.0)
    units = {"8 bit/s": " (bit/s)", "1 B": " (bytes)", "1 s": " (s)"}
    return units.get(sample, "")


def bottleneck_map(scenario: Scenario, calibration: Calibration = IDEAL, *, most: int = 256) -> Figure:
    """Which resource binds at each number of workers N and shards K up to `most`, by closed forms."""
    numbers = np.unique(np.geomspace(1, most, 65).round())
    k_most = numbers[numbers <= scenario.total_elements]
    n, k = np.meshgrid(numbers, k_most)
    names = predict_grid(scenario, {"workers": n.ravel(), "shards": k.ravel()}, calibration)["bottleneck"]
    resources = names.reshape(n.shape)
    figure, axes = _empty(6.4, 5.0)
    kinds = sorted(set(names.tolist()), key=lambda name: -int((names == name).sum()))
    looks = list(zip(kinds, cycle(FILLS), strict=False))
    for name, (colour, hatch) in looks:
        mask = np.where(resources == name, 1.0, 0.0)
        axes.contourf(n, k, mask, levels=[0.5, 1.5], colors=[colour], hatches=[hatch], alpha=0.75)
    fills = [Patch(facecolor=c, hatch=h, alpha=0.75, label=name) for name, (c, h) in looks]
    axes.legend(
        handles=fills, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(3, len(kinds))
    )
    axes.plot(
        [scenario.workers], [scenario.shards], "o", color="black", markerfacecolor="white", markersize=8
    )
    axes.annotate(label(scenario.name), (scenario.workers, scenario.shards), xytext=(8, 6), textcoords="offset points",
                  bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}, ha="right")  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("workers N")
    axes.set_ylabel("shards K")
    return figure
