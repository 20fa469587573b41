"""Make the runs of a suite that a store does not hold yet; resumable at any time."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from psmodel.errors import CannotRun
from psmodel.scenario import Scenario
from validate.machine.computing import compute_by
from validate.machine.open_links import is_open
from validate.measurements import suite_progress
from validate.measurements.measurement import Measurement, key
from validate.measurements.store import Store
from validate.runs import failures, supervised
from validate.runs.allowance import Allowance, NoTime
from validate.runs.real_run import RunFailed, TestbedLost, run
from validate.runs.run_forecast import traffic
from validate.suites.suite import PlannedRun, Suite
from validate.testbeds import on_this_machine
from validate.testbeds.base import Testbed

Enter = Callable[[Sequence[Scenario]], AbstractContextManager[Testbed]]
Progress = Callable[[int | None, str], AbstractContextManager[Callable[[int, str], None]]]

UNLIMITED = Allowance()
_LOST_IN_A_ROW = 3
"""After so many lost testbeds the machine is to blame, and the suite ends."""


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
    left
        How many were not even tried, since the testbed was lost and has to be started anew.
    over
        Why what is left was not tried, if time was over.
    given_up
        Keys of the runs that failed.
    lost_in_a_row
        Testbeds that were lost without a run made in between.
    """

    made: int
    found: int
    suspect: int
    failed: tuple[tuple[str, str], ...]
    left: int = 0
    over: str = ""
    given_up: tuple[str, ...] = ()
    lost_in_a_row: int = 0

    def with_runs(self, suspect: Sequence[bool], failed: Sequence[tuple[str, str]]) -> Self:
        """The same and runs made, each suspect or not, and those failed."""
        return replace(
            self,
            made=self.made + len(suspect),
            suspect=self.suspect + sum(suspect),
            failed=(*self.failed, *failed),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "made": self.made,
            "found": self.found,
            "suspect": self.suspect,
            "failed": [{"scenario": scenario, "reason": reason} for scenario, reason in self.failed],
            "left": self.left,
            "over": self.over,
        }

    def handed_on(self) -> dict[str, Any]:
        """All of it in plain JSON types, for the process that goes on with the suite; see `earlier`."""
        return asdict(self)

    @classmethod
    def earlier(cls, handed_on: Mapping[str, Any]) -> Self | None:
        """The reverse of `handed_on`; None of nothing."""
        if not handed_on:
            return None
        failed = tuple((scenario, reason) for scenario, reason in handed_on["failed"])
        return cls(**{**handed_on, "failed": failed, "given_up": tuple(handed_on["given_up"])})


def missing(
    suite: Suite, store: Store, *, testbed: str, skip: frozenset[str] = frozenset()
) -> list[PlannedRun]:
    """The suite's runs that the store does not hold, in the suite's order, as they are on this machine.

    `skip` are keys of runs that another store holds.
    """
    keys = store.keys() | skip
    planned = [replace(r, scenario=on_this_machine(r.scenario, testbed)) for r in suite.runs()]
    return [r for r in planned if _key(r, suite, testbed) not in keys]


def run_suite(
    suite: Suite,
    store: Store,
    *,
    testbed: str,
    entered: Enter,
    progress: Progress,
    earlier: Outcome | None = None,
    allowance: Allowance = UNLIMITED,
    skip: frozenset[str] = frozenset(),
    on_run: Callable[[Measurement], None] | None = None,
) -> Outcome:
    """Make every missing run and store it before the next one begins.

    A run that was disturbed is repeated once at the end; both are kept, the suspect one marked. One that fails is
    written down beside the store. If the testbed is lost, what is left is not tried.

    Parameters
    ----------
    testbed
        Name of the testbed that `entered` starts for the scenarios that are still to be run.
    progress
        Shows how far it is, as `psmodel.cli.options.progress`.
    earlier
        What became of the suite on a testbed that was lost: its failed runs are not tried again.
    allowance
        What the runs may take of a cluster that others use too; what is left when time is over is not tried.
    skip
        Keys of runs that are not to be made, since another store holds them.
    on_run
        Called with each run once it is stored.
    """
    before = earlier or Outcome(made=0, found=0, suspect=0, failed=())
    todo = missing(suite, store, testbed=testbed, skip=skip)
    stored = len(suite.runs()) - len(todo)
    reused = stored if earlier is None else earlier.found
    todo = [r for r in todo if _key(r, suite, testbed) not in before.given_up]
    if not todo:
        return replace(before, found=reused, left=0)
    outcome = before
    try:
        with (
            suite_progress.told(
                store.path, f"{suite.name}@{suite.version}", testbed, planned=len(suite.runs()), stored=stored
            ) as file,
            entered([r.scenario for r in todo]) as bed,
        ):
            with progress(len(todo), f"Suite {suite.name}") as advance:
                outcome, loss = _make_all(
                    todo,
                    suite,
                    store,
                    bed,
                    testbed,
                    advance,
                    replace(before, found=reused),
                    allowance,
                    on_run,
                    file,
                )
            if loss is not None:
                if outcome.left and outcome.lost_in_a_row < _LOST_IN_A_ROW and supervised.inside():
                    # This process ends without putting the testbed in order, and another one goes on.
                    supervised.again(outcome.handed_on(), f"{loss}; the testbed is started anew")
                raise loss  # so that whoever started the testbed knows in which state it is
            if not outcome.left and not outcome.failed:
                file.finished()
    except TestbedLost:
        if outcome is before:
            raise
    return outcome


def _make_all(
    todo: Sequence[PlannedRun],
    suite: Suite,
    store: Store,
    bed: Testbed,
    testbed: str,
    advance: Callable[[int, str], None],
    before: Outcome,
    allowance: Allowance,
    on_run: Callable[[Measurement], None] | None,
    file: suite_progress.ProgressFile,
) -> tuple[Outcome, TestbedLost | None]:
    suspect: list[bool] = []  # the runs themselves are in the store, and would fill the memory here
    broken: list[tuple[PlannedRun, RunFailed | CannotRun]] = []
    again: list[PlannedRun] = []
    goodput: dict[object, Mapping[str, float]] = {}
    remaining = len(todo)
    loss: TestbedLost | None = None
    over = before.over
    for runs, remark, step in ((todo, "", 1), (again, ", once more", 0)):
        for planned in runs:
            if loss is not None or over:
                break
            advance(0, f"{planned.scenario.name}{remark}")
            file.begins(planned.scenario.name)
            began = allowance.clock()
            try:
                measurement = _make(
                    planned, suite, bed, goodput, store.path.parent / "logs", allowance.left_s()
                )
            except NoTime as error:
                over = str(error)
                break
            except (RunFailed, CannotRun) as error:
                broken.append((planned, error))
                loss = error if isinstance(error, TestbedLost) else None
                _write_down(store.path, planned, suite, testbed, error)
                file.failed()
            else:
                store.add(measurement)
                file.made(suspect=bool(measurement.suspect), again=runs is not todo)
                if on_run is not None:
                    on_run(measurement)
                suspect.append(bool(measurement.suspect))
                if measurement.suspect and runs is todo:
                    again.append(planned)
            remaining -= step
            advance(step, "")
            if remaining > 0 or again:
                over = _paused(allowance, planned.scenario, began)
    outcome = replace(
        before.with_runs(suspect, [(run.scenario.name, str(error)) for run, error in broken]),
        left=remaining,
        given_up=before.given_up + tuple(_key(run, suite, testbed) for run, _ in broken),
        over=over,
        lost_in_a_row=(loss is not None) + (0 if suspect else before.lost_in_a_row),
    )
    return outcome, loss


def _paused(allowance: Allowance, scenario: Scenario, began: float) -> str:
    """Pause after a run as far as need be; why no other run is made, if so."""
    try:
        allowance.pause(max(traffic(scenario).values()), began)
    except NoTime as error:
        return str(error)
    return ""


def _write_down(store: Path, planned: PlannedRun, suite: Suite, testbed: str, error: Exception) -> None:
    failures.add(
        store,
        key=_key(planned, suite, testbed),
        scenario=planned.scenario.name,
        repetition=planned.repetition,
        suite=f"{suite.name}@{suite.version}",
        reason=str(error),
    )


def _make(
    planned: PlannedRun,
    suite: Suite,
    bed: Testbed,
    goodput: dict[object, Mapping[str, float]],
    logs: Path,
    at_most_s: float | None,
) -> Measurement:
    scenario = planned.scenario
    links = (scenario.bandwidth, scenario.placement)
    measurement = run(
        scenario,
        bed,
        repetition=planned.repetition,
        suite=f"{suite.name}@{suite.version}",
        part=planned.part,
        link_goodput=None if is_open(scenario) else goodput.get(links),
        logs=logs,
        at_most_s=at_most_s,
    )
    # The same links need not be measured again before each run.
    goodput[links] = measurement.link_goodput
    return measurement


def _key(planned: PlannedRun, suite: Suite, testbed: str) -> str:
    return key(
        planned.scenario,
        testbed=testbed,
        suite=f"{suite.name}@{suite.version}",
        repetition=planned.repetition,
        compute_by=compute_by(planned.scenario),
    )
