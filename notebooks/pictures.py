"""Pictures that the notebooks show, in psmodel's palette."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from psmodel import analytic, predict
from psmodel.plotting.palette import BLUE, GREEN, HATCHES, INK, MEASURED, MUTED, PHASES, PREDICTED, PURPLE
from psmodel.scenario import Scenario
from psmodel.units import format_time
from validate.measurements.measurement import Measurement

_MOST = 256
"""Shards on the axis."""
_LINES = ((BLUE, "-"), (GREEN, "--"), (PURPLE, "-."))
_TICKS = (1e-3, 1e-2, 0.1, 1, 10, 100)


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def ingress_over_shards(cases: Mapping[str, Scenario]) -> Figure:
    """Ingress time against the number of shards, a line for each case and a point at its own number."""
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    axes = figure.subplots()
    numbers = np.unique(np.geomspace(1, _MOST, 60).round().astype(int)).tolist()
    for (name, scenario), (colour, dash) in zip(cases.items(), _LINES, strict=False):
        times = [predict(scenario.replace(shards=k)).metrics.ingress_time_s or 0.0 for k in numbers]
        axes.loglog(numbers, times, color=colour, ls=dash, label=name)
        here = predict(scenario).metrics.ingress_time_s or 0.0
        axes.plot([scenario.shards], [here], "o", color=colour, mec=INK, ms=8)
    axes.set(xlabel="shards K", ylabel="ingress time", ylim=(1e-3, 300))
    axes.set_xticks([1, 4, 16, 64, 256], ["1", "4", "16", "64", "256"])
    axes.set_yticks(_TICKS, [format_time(tick) for tick in _TICKS])
    axes.minorticks_off()
    if len(cases) > 1:
        axes.legend(frameon=False)
    _plain(axes)
    return figure


def one_machine_and_links(local: Sequence[Measurement], linked: Iterable[Measurement]) -> Figure:
    """Two panels: the iteration on one machine phase by phase, and the push over links beside its bound."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    bottom = np.zeros(len(local))
    names = [str(m.scenario.shards) for m in local]
    for phase, colour in PHASES.items():
        if phase == "update":
            continue
        values = np.array([getattr(m.metrics, f"{phase}_time_s") * 1e3 for m in local])
        if values.max() > 0.01 * bottom.max():
            left.bar(
                names, values, 0.6, bottom=bottom, color=colour, hatch=HATCHES.get(phase), edgecolor=INK, lw=0.4,
                label=phase,
            )  # fmt: skip
        bottom += values
    left.set(
        title="one machine, no links",
        xlabel="shards K",
        ylabel="iteration, ms",
        ylim=(0, 1.35 * bottom.max()),
    )
    left.legend(frameon=False, ncols=4, loc="upper center", columnspacing=1, handlelength=1.2)
    runs = {m.scenario.shards: m for m in linked}
    shards = list(runs)
    bound = [analytic.ClosedForm(scenario=m.scenario).busiest["push"].time_s for m in runs.values()]
    right.plot(shards, bound, "o--", color=MUTED, mfc="white", label="bound")
    seconds = [m.metrics.push_time_s or 0.0 for m in runs.values()]
    right.plot(shards, seconds, "s", color=MEASURED, ms=7, label="measured")
    right.set(title="hosts with links of 200 Mbit/s", xlabel="shards K", ylabel="push, s", xticks=shards)
    right.set(ylim=(0, 1.2 * max(seconds)), xlim=(min(shards) - 0.3, max(shards) + 0.3))
    right.legend(frameon=False)
    for axes in (left, right):
        _plain(axes)
    return figure


def plain_and_quantised(rows: Sequence[tuple[str, float, float]]) -> Figure:
    """Push times with whole and with quantised updates (s), over the rate of the links."""
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    rates = [rate for rate, _, _ in rows]
    for times, name, colour, mark in (
        ([plain for _, plain, _ in rows], "float32", PREDICTED, "o-"),
        ([half for _, _, half in rows], "quantised to float16", MEASURED, "s--"),
    ):
        axes.semilogy(rates, times, mark, color=colour, label=name)
    axes.set(xlabel="rate of the links", ylabel="push time")
    axes.yaxis.set_major_formatter(lambda value, _: format_time(value))
    axes.legend(frameon=False)
    _plain(axes)
    return figure
