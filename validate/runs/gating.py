"""The runs of a gate: a survey of the hosts, real runs one after another, and a survey again."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from psmodel.errors import CannotRun
from psmodel.scenario import Scenario
from validate.machine.computing import compute_by
from validate.measurements.host_survey import HostSurvey
from validate.measurements.measurement import Measurement, key
from validate.measurements.selection import content
from validate.measurements.store import Store
from validate.runs import failures
from validate.runs.allowance import Allowance, NoTime
from validate.runs.real_run import RunFailed, TestbedLost, run
from validate.runs.run_forecast import traffic
from validate.runs.surveying import Surveying
from validate.testbeds.base import Testbed

Advance = Callable[[int, str], None]


@dataclass(kw_only=True)
class GateCourse:
    """What a gate's runs have come to so far.

    Attributes
    ----------
    broken
        Name of a scenario and why a run of it failed.
    untried
        Name of a scenario and why it was not run.
    repetitions
        How often each scenario (by its `content`) has been run by gates of this suite, in earlier ones too.
    allowance
        What the runs may take of a cluster that others use too.
    """

    runs: list[Measurement] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    untried: list[tuple[str, str]] = field(default_factory=list)
    survey: HostSurvey | None = None
    lost: TestbedLost | None = None
    repetitions: Counter[str] = field(default_factory=Counter)
    allowance: Allowance = field(default_factory=Allowance)


def alike(scenarios: Sequence[Scenario], testbed: str) -> Scenario | None:
    """A scenario with all hosts that any of these has and with links alike, for a testbed to shape during a survey.

    None on a testbed whose links are what they are; also where each scenario itself gives hosts unlike links, so that a
    survey could only find that (`can_survey`).
    """
    if testbed != "netns":
        return None
    several = [
        s
        for s in scenarios
        if s.placement != "single-host" and s.bandwidth is not None and len({r for _, r in s.bandwidth}) == 1
    ]
    if not several:
        return None
    shards = max(s.shard_hosts for s in several)
    return Scenario(
        name="survey",
        workers=max(s.worker_hosts for s in several),
        shards=shards,
        elements=shards,
        bandwidth=several[0].bandwidth,
        iterations=1,
        warmup=0,
    )


def can_survey(scenarios: Sequence[Scenario], testbed: str) -> bool:
    """Whether the testbed has hosts that ought to be alike."""
    if testbed == "netns":
        return alike(scenarios, testbed) is not None
    return testbed != "local"


def cycle(
    scenarios: Sequence[Scenario],
    bed: Testbed,
    surveying: Surveying | None,
    store: Store,
    course: GateCourse,
    *,
    suite: str,
    shaped: Scenario | None,
    seed: int,
    advance: Advance = lambda _n, _t: None,
) -> None:
    """Survey, one run of each scenario in order, survey; added to the course.

    Each run is stored before the next one starts. A run that fails is written down beside the store; with the testbed
    the rest is lost.
    """
    first = _survey(bed, surveying, shaped, seed, advance)
    for scenario in scenarios:
        if course.lost is not None:
            course.untried.append((scenario.name, "the testbed was lost before"))
            continue
        advance(0, scenario.name)
        repetition = course.repetitions[content(scenario)]
        course.repetitions[content(scenario)] += 1
        began = course.allowance.clock()
        try:
            measurement = run(
                scenario,
                bed,
                repetition=repetition,
                suite=suite,
                part="held_out",
                link_goodput={},
                logs=store.path.parent / "logs",
                at_most_s=course.allowance.left_s(),
            )
        except RunFailed as error:
            course.broken.append((scenario.name, str(error)))
            course.lost = error if isinstance(error, TestbedLost) else None
            _write_down(store.path, scenario, bed.name, suite, repetition, str(error))
        except CannotRun as error:
            course.untried.append((scenario.name, str(error)))
        else:
            store.add(measurement)
            course.runs.append(measurement)
            with suppress(NoTime):  # the next run says it
                course.allowance.pause(max(traffic(measurement.scenario).values()), began)
        advance(1, "")
    second = None if course.lost else _survey(bed, surveying, shaped, seed, advance, turned=True)
    if first is not None:
        course.survey = first if second is None else first.followed_by(second)


def _survey(
    bed: Testbed,
    surveying: Surveying | None,
    shaped: Scenario | None,
    seed: int,
    advance: Advance,
    *,
    turned: bool = False,
) -> HostSurvey | None:
    if surveying is None:
        return None
    if shaped is not None:
        bed.prepare(shaped)
    return surveying.survey(seed=seed, turned=turned, advance=advance)


def _write_down(store: Path, scenario: Scenario, testbed: str, suite: str, repetition: int, why: str) -> None:
    failures.add(
        store,
        key=key(
            scenario, testbed=testbed, suite=suite, repetition=repetition, compute_by=compute_by(scenario)
        ),
        scenario=scenario.name,
        repetition=repetition,
        suite=suite,
        reason=why,
    )
