"""What the figures of the two training suites share: predicted against measured iteration times, mode by mode."""

from matplotlib.figure import Figure

from figures.kit import measured
from figures.kit.data import Rows
from figures.kit.style import Style, time_axis
from psmodel.plotting.palette import BLUE, MUTED, VERMILION
from psmodel.scenario import Scenario

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
    bound = "" if scenario.staleness_bound is None else f", s = {scenario.staleness_bound}"
    slowest = ", one slow" if scenario.compute_factors else ""
    random = ", lognormal" if scenario.is_random else ""
    return f"{scenario.workers}, {scenario.shards}{bound}{random}{slowest}"


def draw(rows: Rows, style: Style) -> Figure:
    """A line for each scenario, by mode: the interval as a bar, what was measured on it."""
    figure = style.figure(aspect=1.05)
    axes = figure.subplots()
    axes.barh(
        range(len(rows)), [r["high_s"] - r["low_s"] for r in rows], 0.62, [r["low_s"] for r in rows],
        color=BLUE, alpha=0.22, lw=0, label="95 % interval",
    )  # fmt: skip
    axes.plot(
        [r["predicted_s"] for r in rows], range(len(rows)), "|", color=BLUE, ms=2 * style.marker, label="predicted"
    )  # fmt: skip
    for part, face, label in (
        ("held_out", VERMILION, "measured"),
        ("calibration", "white", "measured, calibration"),
    ):
        points = [(place, r) for place, r in enumerate(rows) if r["part"] == part]
        bars = measured.bars([r for _, r in points], "measured_s", "measured_low_s", "measured_high_s")
        axes.errorbar(
            [r["measured_s"] for _, r in points], [place for place, _ in points], xerr=bars, fmt="o",
            color=VERMILION, mfc=face, ls="none", elinewidth=style.line, ms=0.9 * style.marker, label=label,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [r["scenario"] for r in rows])
    axes.tick_params(axis="y", length=0)
    for mode, label in _MODES.items():
        first = next(place for place, r in enumerate(rows) if r["mode"] == mode)
        axes.axhline(first - 0.5, color=MUTED, lw=0.4 * style.line, ls=":")
        axes.annotate(
            label, (1, first - 0.5), xycoords=("axes fraction", "data"), xytext=(-2, -3), ha="right", va="top",
            textcoords="offset points", fontsize=style.small,
        )  # fmt: skip
    axes.set(
        ylim=(len(rows) - 0.5, -0.5),
        xlim=(0.93 * min(r["low_s"] for r in rows), 1.07 * max(r["high_s"] for r in rows)),
        xlabel="iteration time",
    )
    axes.set_ylabel("workers, shards, and what differs")
    time_axis(axes.xaxis)
    figure.legend(loc="outside upper center", ncols=2, handlelength=1.6)
    return figure
