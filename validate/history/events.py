"""Drift of a store: each scenario's times in order, and the coefficients that moved when they stepped."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from scipy.stats import t as student

from psmodel.calibration import COEFFICIENTS
from psmodel.errors import BadInput
from psmodel.wording import label
from validate.fitting.estimate import fit
from validate.fitting.fit import Fit
from validate.fitting.model_response import Forward, scales
from validate.history.drift import Change, Series
from validate.history.expectation import judged
from validate.history.several_tests import holm
from validate.measurements.measurement import Measurement
from validate.measurements.selection import by_scenario, content, labels

_ALPHA = 0.05


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A coefficient before and after an event, and the 95 % interval of the difference."""

    coefficient: str
    before: float
    after: float
    low: float
    high: float

    @property
    def sentence(self) -> str:
        """By how much it has moved."""
        by = f"{100 * (self.after / self.before - 1):+.0f} %" if self.before > 0 else "from nothing"
        return (
            f"{self.coefficient} ({COEFFICIENTS[self.coefficient].meaning}): {self.before:.3g} to {self.after:.3g} "
            f"{COEFFICIENTS[self.coefficient].unit}, {by}"
        )


@dataclass(frozen=True, kw_only=True)
class Event:
    """Steps of one or more scenarios at the same time, and what a fit of the runs before and after says of them.

    Attributes
    ----------
    after, until
        Starts of the last run before and of the first run after (ISO 8601, UTC).
    moved
        Coefficients that moved for certain (Holm's rule over all, 5 %).
    differences
        What else changed with it: name → value before and after, of the environment's software and machine.
    note
        Why nothing can be said of coefficients, if so.
    """

    after: str
    until: str
    changes: tuple[Change, ...]
    moved: tuple[Moved, ...]
    differences: dict[str, tuple[str, str]]
    note: str = ""


def series_of(runs: Sequence[Measurement]) -> list[tuple[Series, list[Measurement]]]:
    """One series for each scenario and metric, in the order of the runs' starts."""
    found = []
    ordered = sorted(runs, key=_started)
    groups = by_scenario(ordered)
    names = labels([group[0].scenario for group in groups])
    for group in groups:
        for metric in judged(group[0].scenario):
            usable = [
                (m, value) for m in group if (value := getattr(m.metrics, metric)) is not None and value > 0
            ]
            if usable:
                name = f"{names[content(group[0].scenario)]} {metric.removesuffix('_time_s')}"
                series = Series(
                    name=name,
                    labels=tuple(f"{m.started_at[:19]} (Ray {m.environment.ray})" for m, _ in usable),
                    times=tuple(float(value) for _, value in usable),
                )
                found.append((series, [m for m, _ in usable]))
    return found


def _started(run: Measurement) -> datetime:
    return datetime.fromisoformat(run.started_at)


def events(
    runs: Sequence[Measurement],
    series: Sequence[tuple[Series, list[Measurement]]],
    changes: Sequence[Change],
    *,
    forward: Forward | None = None,
    advance: Callable[[int, str], None] = lambda _n, _t: None,
) -> tuple[Event, ...]:
    """Changes at the same time as one event each, with what moved.

    A change lies between two runs of its scenario; those whose gaps overlap are one event.
    """
    made_by = {s.name: made for s, made in series}
    gaps = sorted(
        (
            (_started(made_by[c.series][c.index - 1]), _started(made_by[c.series][c.index]), c)
            for c in changes
        ),
        key=lambda gap: gap[:2],
    )
    merged: list[tuple[datetime, datetime, list[Change]]] = []
    for low, high, change in gaps:
        if merged and low < merged[-1][1]:
            start, end, together = merged[-1]
            merged[-1] = (max(start, low), min(end, high), [*together, change])
        else:
            merged.append((low, high, [change]))
    forward = forward or Forward()
    ordered = sorted(runs, key=_started)
    found = []
    for number, (low, high, together) in enumerate(merged):
        since = merged[number - 1][1] if number else None
        until = merged[number + 1][0] if number + 1 < len(merged) else None
        before = [r for r in ordered if (since is None or _started(r) >= since) and _started(r) <= low]
        after = [r for r in ordered if _started(r) >= high and (until is None or _started(r) <= until)]
        advance(1, f"refitting around {high:%Y-%m-%d %H:%M}")
        found.append(_event(low, high, together, before, after, forward))
    return tuple(found)


def _event(
    low: datetime,
    high: datetime,
    together: Sequence[Change],
    before: Sequence[Measurement],
    after: Sequence[Measurement],
    forward: Forward,
) -> Event:
    common = {content(r.scenario) for r in before} & {content(r.scenario) for r in after}
    moved: tuple[Moved, ...] = ()
    note = ""
    try:
        fits = [
            fit([r for r in part if content(r.scenario) in common], mix_machines=True, forward=forward)
            for part in (before, after)
        ]
    except BadInput as error:
        note = f"the runs cannot be fitted: {error}"
    else:
        moved = compare_fits(*fits)
        if not moved:
            note = "no single coefficient moved for certain"
    one, other = before[-1].environment.to_json(), after[0].environment.to_json()
    return Event(
        after=low.isoformat(),
        until=high.isoformat(),
        changes=tuple(together),
        moved=moved,
        differences={k: (label(str(one[k])), label(str(other[k]))) for k in one if one[k] != other.get(k)},
        note=note,
    )


def compare_fits(before: Fit, after: Fit) -> tuple[Moved, ...]:
    """The coefficients of two fits that differ for certain (Holm's rule, 5 %), the most certain first."""
    names = [n for n in before.names if n in after.names]
    rows = []
    for name, unit in zip(names, scales(names), strict=True):
        variance = sum(
            f.covariance[f.names.index(name)][f.names.index(name)] * unit**2 for f in (before, after)
        )
        difference = getattr(after.calibration, name) - getattr(before.calibration, name)
        freedom = min(before.degrees_of_freedom, after.degrees_of_freedom)
        error = math.sqrt(variance)
        p = 2 * float(student.sf(abs(difference) / error, freedom)) if error > 0 else 1.0
        rows.append((p, name, difference, error, freedom))
    decisions = holm([row[0] for row in rows], _ALPHA)
    found = []
    for (p, name, difference, error, freedom), decision in zip(rows, decisions, strict=True):
        if decision.rejected:
            reach = float(student.isf(0.025, freedom)) * error
            moved = Moved(
                coefficient=name,
                before=getattr(before.calibration, name),
                after=getattr(after.calibration, name),
                low=difference - reach,
                high=difference + reach,
            )
            found.append((p, moved))
    return tuple(moved for _, moved in sorted(found, key=lambda pair: pair[0]))
