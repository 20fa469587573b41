"""How a gate is held: what it runs, cycle after cycle, and what comes of it."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from psmodel.cli.options import progress
from psmodel.errors import CannotRun
from psmodel.scenario import Scenario
from validate.cli.options import entered
from validate.gate.hosts import HostVerdict, Known, estimate
from validate.gate.levels import LEVELS, GatePlan, plan
from validate.gate.reference import Reference
from validate.gate.result import Gate, Reason
from validate.gate.soak import Running, percentiles, share
from validate.gate.verdict import judge
from validate.history.expectation import Expectations
from validate.machine.environment import this_machine
from validate.measurements.store import Store
from validate.runs.allowance import Allowance
from validate.runs.gating import GateCourse, alike, can_survey, cycle
from validate.runs.real_run import TestbedLost
from validate.runs.surveying import Surveying


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asks for.

    Attributes
    ----------
    label
        The suite of the runs that are made.
    covered
        The scenarios of which something is expected.
    repetitions
        As `validate.runs.gating.GateCourse` has them.
    known
        Hosts as they were accepted.
    duration_s
        Of a soak; None: one cycle.
    """

    suite: str
    label: str
    scenarios: Sequence[Scenario]
    covered: Sequence[Scenario]
    repetitions: Counter[str]
    allowance: Allowance
    accepted: Known | None
    against: Reference
    level: str
    duration_s: float | None
    alpha: float
    margin: float
    seed: int
    testbed: str
    address: str | None
    wait_s: float
    store: Path


@dataclass(frozen=True, kw_only=True)
class Held:
    """The last cycle's verdict over all runs so far, and how often they were made."""

    gate: Gate
    cycles: int
    running: tuple[Running, ...]
    notes: tuple[str, ...]


def surveyed(planned: GatePlan, scenarios: Sequence[Scenario], *, suite: str, testbed: str) -> bool:
    """Whether hosts are compared with each other.

    Raises
    ------
    CannotRun
        If they are not, and no scenario is run either.
    """
    survey = can_survey(scenarios, testbed)
    if not planned.runs and not survey:
        raise CannotRun(
            f"suite {suite} gives nothing to judge: without --fit or --baseline hosts are compared, and on "
            f"testbed {testbed} its scenarios have no two hosts with links alike"
        )
    return survey


def hosting(planned: GatePlan, scenarios: Sequence[Scenario], testbed: str) -> list[Scenario]:
    """The scenarios for whose hosts the testbed is started."""
    shaped = alike(scenarios, testbed)
    return [*planned.runs, *([shaped] if shaped else [])] or list(scenarios)


def hold(request: Asked) -> Held:
    """Hold the gate; a soak goes on until its time is over or a cycle fails.

    Raises
    ------
    CannotRun
        If there is nothing to run: no scenario of which something is expected, and no two hosts to compare.
    """
    planned = plan(
        request.covered, LEVELS[request.level], request.against.calibration, request.against.with_links
    )
    survey = surveyed(planned, request.scenarios, suite=request.suite, testbed=request.testbed)
    shaped = alike(request.scenarios, request.testbed)
    expectations = request.against.expectations(planned.runs)
    needed = hosting(planned, request.scenarios, request.testbed)
    course = GateCourse(repetitions=request.repetitions, allowance=request.allowance)
    number, notes = 0, list[str]()
    began, started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    gate = None
    try:
        with (
            Store(request.store) as store,
            entered(request.testbed, needed, request.address, request.store, request.wait_s) as bed,
            ExitStack() as stack,
        ):
            notes += store.notes
            surveying = stack.enter_context(Surveying()) if survey else None
            if surveying is not None and len(surveying.hosts) < 2:
                notes.append("there is one host, which is compared with no other")
                surveying = None
            began = time.monotonic()
            while gate is None or _goes_on(gate, course, request.duration_s, began, number):
                number += 1
                with progress(len(planned.runs), f"Gate {request.suite}") as advance:
                    cycle(
                        planned.runs, bed, surveying, store, course, suite=request.label, shaped=shaped,
                        seed=request.seed + 2 * number, advance=advance,
                    )  # fmt: skip
                alpha = request.alpha if request.duration_s is None else share(request.alpha, number)
                gate = _gate(
                    request, planned, course, expectations, alpha, started_at, time.monotonic() - began
                )
            if course.lost is not None:
                raise course.lost  # so that whoever started the testbed knows in which state it is
    except TestbedLost:
        if gate is None:
            raise
    assert gate is not None
    return Held(gate=gate, cycles=number, running=percentiles(course.runs, expectations), notes=tuple(notes))


def _goes_on(gate: Gate, course: GateCourse, duration_s: float | None, began: float, cycles: int) -> bool:
    """Whether a soak has another cycle: it has not failed, and one more ends nearer to its time than none."""
    if duration_s is None or course.lost is not None or not gate.passed:
        return False
    elapsed = time.monotonic() - began
    return elapsed + elapsed / cycles / 2 < duration_s


def _gate(
    request: Asked,
    planned: GatePlan,
    course: GateCourse,
    expectations: Expectations,
    alpha: float,
    started_at: str,
    seconds: float,
) -> Gate:
    # What is judged both ways shares the probability of a false alarm.
    both = course.survey is not None and bool(planned.runs)
    part = alpha / 2 if both else alpha
    hosts: HostVerdict | None = (
        None if course.survey is None else estimate(course.survey, alpha=part, accepted=request.accepted)
    )
    too_long = f"{request.level} did not suffice for it"
    unjudged = [Reason(scenario=s.name, reason=too_long) for s in planned.left_out]
    covered = {id(s) for s in request.covered}
    nothing = f"{request.against.name} says nothing of it"
    unjudged += [Reason(scenario=s.name, reason=nothing) for s in request.scenarios if id(s) not in covered]
    unjudged += [Reason(scenario=name, reason=why) for name, why in dict.fromkeys(course.untried)]
    return Gate(
        suite=request.suite,
        against=request.against.name,
        alpha=request.alpha,
        margin=request.margin,
        checks=judge(course.runs, expectations, alpha=part, margin=request.margin),
        broken=tuple(Reason(scenario=name, reason=why) for name, why in course.broken),
        unjudged=tuple(unjudged),
        hosts=hosts,
        machine=this_machine().fingerprint,
        started_at=started_at,
        duration_s=seconds,
    )
