"""What the figures of the two training suites share: predicted against measured iteration times, mode by mode."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from figures.kit import measured
from figures.kit.data import Rows
from figures.kit.style import Style, time_axis
from psmodel.plotting.palette import BLUE, VERMILION
from psmodel.scenario import Scenario
from psmodel.units import format_time

_LONGEST = 2.0
"""Intervals that reach beyond so many times the longest of all measured and predicted times are cut, with their end in
words: one must not make all others invisible."""
_MODES = {"bsp": "bulk-synchronous", "ssp": "stale-synchronous", "asp": "asynchronous"}


def compute(suite: str) -> Rows:
    """A row per scenario; times in s."""
    fitted = measured.fit(suite)
    groups = measured.groups(suite)
    return [
        {
            "mode": scenario.mode,
            "scenario": _words(scenario),
            "part": groups[scenario][0].part,
            **measured.row(
                groups[scenario], "iteration_time_s", fitted.predict(scenario)["iteration_time_s"]
            ),
        }
        for scenario in sorted(
            groups, key=lambda s: (list(_MODES).index(s.mode), s.workers, s.shards, s.name)
        )
    ]


def _words(scenario: Scenario) -> str:
    """Workers and shards, and what else tells scenarios of one mode apart."""
    bound = "" if scenario.staleness_bound is None else f", s = {scenario.staleness_bound}"
    slowest = ", one slow" if scenario.compute_factors else ""
    random = ", lognormal" if scenario.is_random else ""
    return f"{scenario.workers}, {scenario.shards}{bound}{random}{slowest}"


def draw(rows: Rows, style: Style) -> Figure:
    """A line for each scenario, by mode: the interval as a bar, what was measured on it."""
    figure = style.figure(aspect=1.2)
    axes = figure.subplots()
    heads, places = _places([r["mode"] for r in rows])
    edge = _LONGEST * max(max(r["measured_high_s"], r["predicted_s"]) for r in rows)
    ends = [min(r["high_s"], edge) for r in rows]
    axes.barh(
        places, [end - r["low_s"] for end, r in zip(ends, rows, strict=True)], 0.62, [r["low_s"] for r in rows],
        color=BLUE, alpha=0.22, lw=0, label="95 % interval",
    )  # fmt: skip
    for place, r in zip(places, rows, strict=True):
        if r["high_s"] > edge:
            axes.annotate(
                f"to {format_time(r['high_s'])}", (edge, place), xytext=(-2, 0), textcoords="offset points", ha="right",
                va="center", fontsize=style.small,
            )  # fmt: skip
    axes.plot(
        [r["predicted_s"] for r in rows], places, "|", color=BLUE, ms=2 * style.marker, label="predicted"
    )  # fmt: skip
    for part, face, label in (
        ("held_out", VERMILION, "measured"),
        ("calibration", "white", "measured, calibration"),
    ):
        points = [(place, r) for place, r in zip(places, rows, strict=True) if r["part"] == part]
        bars = measured.bars([r for _, r in points], "measured_s", "measured_low_s", "measured_high_s")
        axes.errorbar(
            [r["measured_s"] for _, r in points], [place for place, _ in points], xerr=bars, fmt="o",
            color=VERMILION, mfc=face, ls="none", elinewidth=style.line, ms=0.9 * style.marker, label=label,
        )  # fmt: skip
    axes.set_yticks(places, [r["scenario"] for r in rows])
    axes.tick_params(axis="y", length=0)
    for mode, place in heads.items():
        axes.annotate(
            f"{_MODES[mode]}:", (0, place), xycoords=("axes fraction", "data"), xytext=(-3.5, 0), ha="right",
            va="center", textcoords="offset points", fontsize=style.small, style="italic",
        )  # fmt: skip
    axes.set(
        ylim=(max(places) + 0.5, -0.6), xlim=(0, 1.04 * max(ends)), xlabel="iteration time",
        ylabel="workers, shards, and what differs",
    )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(5))
    time_axis(axes.xaxis)
    figure.legend(loc="outside upper center", ncols=2, handlelength=1.6)
    return figure


def _places(modes: Sequence[str]) -> tuple[dict[str, int], list[int]]:
    """Where the name of each mode stands, and each row below it."""
    heads: dict[str, int] = {}
    places: list[int] = []
    for mode in modes:
        line = len(heads) + len(places)
        if mode not in heads:
            heads[mode] = line
            line += 1
        places.append(line)
    return heads, places
