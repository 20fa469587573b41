"""Measurements for psmodel's page, by the entry points that `psmodel.app.overlay` looks for."""

import shlex
import time
from pathlib import Path

from psmodel.app.overlay import Drift, Measured, TimeSeries, Underway
from psmodel.wording import label
from validate.measurements import suite_progress
from validate.measurements.selection import believable
from validate.measurements.stored import read


def measured(path: Path) -> list[Measured]:
    """The runs of a store, or of what ``psmodel validate export`` wrote to a .json file.

    Raises
    ------
    BadInput
        If it is neither, or nothing in it can be read.
    """
    return [
        Measured(
            scenario=m.scenario,
            metrics=m.metrics,
            suspect="; ".join(m.suspect),
            suite=m.suite or "",
            testbed=m.testbed,
            started_at=m.started_at,
        )
        for m in read(path).runs
    ]


def progress(path: Path) -> list[Underway]:
    """The suites that are being run into a store, and those that were stopped."""
    now = time.time()
    return [
        Underway(
            suite=label(p.suite),
            testbed=label(p.testbed),
            running=p.running,
            planned=p.planned,
            stored=p.stored,
            suspect=p.suspect,
            failed=p.failed,
            scenario=label(p.scenario),
            for_s=max(0.0, now - p.run_began) if p.run_began else 0.0,
            left_s=p.left_s(),
            resume=shlex.join(
                ["psmodel", "validate", "suite", label(p.suite.partition("@")[0]), "--store", str(path)]
            ),
        )
        for p in suite_progress.read(path)
    ]


def drift(path: Path) -> Drift:
    """The scenarios whose times have stepped for good, as ``psmodel validate drift`` finds them.

    Raises
    ------
    BadInput
        If it is neither a store nor an exported .json file.
    """
    from validate.history import drift as drifts
    from validate.history.drift_events import series_of

    series = [s for s, _ in series_of(believable(read(path).runs))]
    steps: dict[str, list[tuple[int, str]]] = {}
    for change in drifts.changes(series):
        steps.setdefault(change.series, []).append((change.index, change.sentence))
    long = [s for s in series if len(s.times) >= drifts.LEAST_POINTS]
    return Drift(
        series=len(long),
        short=len(series) - len(long),
        least=drifts.LEAST_POINTS,
        courses=tuple(
            TimeSeries(
                name=label(s.name),
                labels=tuple(map(label, s.labels)),
                times_s=s.times,
                steps=tuple(steps[s.name]),
            )
            for s in long
            if s.name in steps
        ),
    )
