"""Drift of a store: each scenario's times in order, and the coefficients that moved when they stepped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from psmodel.errors import BadInput
from psmodel.wording import label
from validate.fitting.model_response import Forward
from validate.history.attribution import Moved, moved
from validate.history.drift import Change, Series
from validate.history.expectation import judged
from validate.measurements.measurement import Measurement
from validate.measurements.selection import by_question, content, labels


@dataclass(frozen=True, kw_only=True)
class Event:
    """Steps of one or more scenarios at the same time, and what a fit of the runs before and after says of them.

    Attributes
    ----------
    after, until
        Starts of the last run before and of the first run after (ISO 8601, UTC).
    moved
        The coefficient that explains the change best, and those that do as well.
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
    results = []
    ordered = sorted(runs, key=_started)
    groups = by_question(ordered)
    names = labels([group[0].asked_for for group in groups])
    for group in groups:
        for metric in judged(group[0].scenario):
            usable = [
                (m, value) for m in group if (value := getattr(m.metrics, metric)) is not None and value > 0
            ]
            if usable:
                name = f"{names[content(group[0].asked_for)]} {metric.removesuffix('_time_s')}"
                series = Series(
                    name=name,
                    labels=tuple(f"{m.started_at[:19]} (Ray {m.environment.ray})" for m, _ in usable),
                    times=tuple(float(value) for _, value in usable),
                )
                results.append((series, [m for m, _ in usable]))
    return results


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
    made_by = {s.name: runs_of for s, runs_of in series}
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
    results = []
    for number, (low, high, together) in enumerate(merged):
        since = merged[number - 1][1] if number else None
        until = merged[number + 1][0] if number + 1 < len(merged) else None
        before = [r for r in ordered if (since is None or _started(r) >= since) and _started(r) <= low]
        after = [r for r in ordered if _started(r) >= high and (until is None or _started(r) <= until)]
        advance(1, f"refitting around {high:%Y-%m-%d %H:%M}")
        results.append(_event(low, high, together, before, after, forward))
    return tuple(results)


def _event(
    low: datetime,
    high: datetime,
    together: Sequence[Change],
    before: Sequence[Measurement],
    after: Sequence[Measurement],
    forward: Forward,
) -> Event:
    common = {content(r.asked_for) for r in before} & {content(r.asked_for) for r in after}
    coefficients: tuple[Moved, ...] = ()
    note = ""
    try:
        sides = [[r for r in part if content(r.asked_for) in common] for part in (before, after)]
        coefficients = moved(sides[0], sides[1], forward)
    except BadInput as error:
        note = f"the runs before cannot be fitted: {error}"
    else:
        if not coefficients:
            note = "no coefficient alone explains half of the change"
    one, other = before[-1].environment.to_json(), after[0].environment.to_json()
    return Event(
        after=low.isoformat(),
        until=high.isoformat(),
        changes=tuple(together),
        moved=coefficients,
        differences={k: (label(str(one[k])), label(str(other[k]))) for k in one if one[k] != other.get(k)},
        note=note,
    )
