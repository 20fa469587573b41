"""Makes the runs of a suite that a store does not hold yet: stop it whenever you like, and start it again."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from psmodel.errors import CannotRun
from psmodel.scenario import Scenario
from validate.measurement import Measurement, compute_by, key
from validate.run import RunFailed, run
from validate.store import Store
from validate.suite import Run, Suite
from validate.testbeds import on_this_machine
from validate.testbeds.base import Testbed

Enter = Callable[[Sequence[Scenario]], AbstractContextManager[Testbed]]
Progress = Callable[[int | None, str], AbstractContextManager[Callable[[int, str], None]]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a suite's runs.

    Attributes
    ----------
    made, found
        Runs made now, and runs that the store held already.
    suspect
        How many of those made now are suspect; each has been repeated once.
    failed
        Scenario name and reason of every run that could not be made.
    """

    made: int
    found: int
    suspect: int
    failed: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "made": self.made,
            "found": self.found,
            "suspect": self.suspect,
            "failed": [{"scenario": scenario, "reason": reason} for scenario, reason in self.failed],
        }


def missing(suite: Suite, store: Store, *, testbed: str) -> list[Run]:
    """The suite's runs that the store does not hold, in the suite's order, as they are on this machine."""
    held = store.keys()
    planned = [replace(r, scenario=on_this_machine(r.scenario, testbed)) for r in suite.runs()]
    return [r for r in planned if _key(r, suite, testbed) not in held]


def run_suite(suite: Suite, store: Store, *, testbed: str, entered: Enter, progress: Progress) -> Outcome:
    """Make every missing run and store it before the next one begins.

    A run that the machine's load made suspect is repeated once at the end; both are kept, the suspect one marked.

    Parameters
    ----------
    testbed
        Name of the testbed that `entered` starts for the scenarios that are still to be run.
    progress
        Shows how far it is, as `psmodel.cli.common.progress`.
    """
    todo = missing(suite, store, testbed=testbed)
    found = len(suite.runs()) - len(todo)
    made: list[Measurement] = []
    failed: list[tuple[str, str]] = []
    if not todo:
        return Outcome(made=0, found=found, suspect=0, failed=())
    with entered([r.scenario for r in todo]) as bed, progress(len(todo), f"Suite {suite.name}") as advance:
        goodput: dict[object, Mapping[str, float]] = {}
        again: list[Run] = []
        for runs, remark, step in ((todo, "", 1), (again, ", once more", 0)):
            for planned in runs:
                advance(0, f"{planned.scenario.name}{remark}")
                measurement = _make(planned, suite, bed, goodput, failed)
                if measurement is not None:
                    store.add(measurement)
                    made.append(measurement)
                    if measurement.suspect and runs is todo:
                        again.append(planned)
                advance(step, "")
    return Outcome(
        made=len(made),
        found=found,
        suspect=sum(bool(m.suspect) for m in made),
        failed=tuple(failed),
    )


def _make(
    planned: Run,
    suite: Suite,
    bed: Testbed,
    goodput: dict[object, Mapping[str, float]],
    failed: list[tuple[str, str]],
) -> Measurement | None:
    scenario = planned.scenario
    links = (scenario.bandwidth, scenario.placement)
    try:
        measurement = run(
            scenario,
            bed,
            repetition=planned.repetition,
            suite=f"{suite.name}@{suite.version}",
            part=planned.part,
            link_goodput=goodput.get(links),
        )
    except (RunFailed, CannotRun) as error:
        failed.append((scenario.name, str(error)))
        return None
    # The same links need not be measured again before each run.
    goodput[links] = measurement.link_goodput
    return measurement


def _key(planned: Run, suite: Suite, testbed: str) -> str:
    return key(
        planned.scenario,
        testbed=testbed,
        suite=f"{suite.name}@{suite.version}",
        repetition=planned.repetition,
        compute_by=compute_by(planned.scenario),
    )
