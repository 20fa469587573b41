"""A gate of runs that are stored already: made by a job that has handed them over."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from psmodel.errors import BadInput
from psmodel.wording import label
from validate.cli.options import caution
from validate.gate.reference import Reference
from validate.gate.result import Gate, Reason
from validate.gate.verdict import judge
from validate.history.selections import Selection
from validate.measurements.selection import content
from validate.measurements.stored import read
from validate.suites.parts import Named
from validate.suites.suite import Suite


def of_stored(
    suite: Suite,
    against: Reference,
    select: str,
    store: Path,
    *,
    mix_machines: bool,
    alpha: float,
    margin: float,
) -> Gate:
    """Judge the selected runs of the suite; a fit does not judge those that it may have seen.

    Raises
    ------
    BadInput
        If there is nothing to hold them against, or no such run.
    """
    if against.fit is None and against.baseline is None:
        raise BadInput("--select judges stored runs, which --fit or --baseline says something of; give one")
    selection = Selection.parse(select)
    stored = read(store)
    caution(stored.notes)
    of_suite = Named(name=suite.name)
    runs = [m for m in stored.runs if of_suite.holds(m) and selection.holds(m)]
    versions = sorted({m.suite or "" for m in runs})
    if versions and suite.label not in versions:
        caution([f"the runs are of {', '.join(map(label, versions))}, and the suite's file is {suite.label}"])
    elif len(versions) > 1:
        runs = [m for m in runs if m.suite == suite.label]
    if against.fit is not None:
        runs = [m for m in runs if m.part != "calibration"]
    if not runs:
        raise BadInput(
            f"{store} has no {'held-out ' if against.fit else ''}runs of suite {suite.name} in selection "
            f"{label(select)!r}"
        )
    if not mix_machines:
        against.require({m.environment.fingerprint for m in runs})
    questions = {content(m.asked_for): m.asked_for for m in runs}
    # Links as they were when the first of these runs was made: one that has become slow since is to be found.
    against = replace(
        against, links={content(m.asked_for): m.scenario for m in reversed(runs) if m.links_probed}
    )
    expectations = {key: of for key, of in against.expectations(list(questions.values())).items() if of}
    began = datetime.now(UTC)
    checks = judge(runs, expectations, alpha=alpha, margin=margin)
    return Gate(
        suite=suite.label,
        against=against.name,
        alpha=alpha,
        margin=margin,
        checks=checks,
        broken=(),
        unjudged=tuple(
            Reason(scenario=s.name, reason=f"{against.name} says nothing of it")
            for key, s in questions.items()
            if key not in expectations
        ),
        hosts=None,
        machine=runs[-1].environment.fingerprint,
        started_at=began.isoformat(timespec="seconds"),
        duration_s=(datetime.now(UTC) - began).total_seconds(),
    )
