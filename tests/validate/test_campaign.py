"""Suites on a store: what is missing is run, once, in the suite's order, whatever goes wrong meanwhile.

The runs are played by a stand-in here, so that each can be told to fail; the real ones are in test_validate_cli.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from psmodel.errors import BadInput, CannotRun
from psmodel.scenario import Scenario
from tests.real_records import record
from validate.measurements.measurement import Measurement
from validate.measurements.store import Store
from validate.runs import failures
from validate.runs import suite_runner as campaign
from validate.runs.real_run import RunFailed, TestbedLost
from validate.suites import suite as suites
from validate.suites.suite import PlannedRun, Suite

TEXT = """
schema_version = 1
name = "made"
version = 1
testbed = "local"
repetitions = 2
seed = 7

[base]
placement = "single-host"
workers = 2
iterations = 2

[[calibration]]
shards = [1, 2]
elements = 8

[[held_out]]
shards = [1, 2, 3]
elements = 8
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    file = tmp_path / "made.toml"
    file.write_text(TEXT)
    return suites.load(str(file))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "runs.sqlite") as opened:
        yield opened


class Stage:
    """A testbed on which runs are played, and a record of what happened in which order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
        self.store = store
        self.entered: list[int] = []
        self.played: list[tuple[str, int]] = []
        self.stored_before: list[int] = []
        self.goodput_given: list[Any] = []
        self.behave: Callable[[str, int], dict[str, Any]] = lambda name, count: {}
        monkeypatch.setattr(campaign, "run", self._run)

    def _run(self, scenario: Scenario, bed: object, **values: Any) -> Measurement:
        assert bed == "bed"
        self.goodput_given.append(values.pop("link_goodput"))
        values.pop("at_most_s")  # how long it may take: test_allowance
        assert values.pop("logs") == self.store.path.parent / "logs"
        self.stored_before.append(len(self.store.rows()))
        self.played.append((scenario.name, values["repetition"]))
        changes = self.behave(scenario.name, len(self.played))
        return record(str(len(self.played)), scenario=scenario, **values, **changes)

    @contextmanager
    def enter(self, scenarios: Sequence[Scenario]) -> Iterator[str]:
        self.entered.append(len(scenarios))
        yield "bed"

    def run(self, suite: Suite, earlier: campaign.Outcome | None = None) -> campaign.Outcome:
        return campaign.run_suite(
            suite, self.store, testbed="local", entered=self.enter, progress=quiet, earlier=earlier
        )


@contextmanager
def quiet(total: int | None, what: str) -> Iterator[Callable[[int, str], None]]:
    yield lambda count, name: None


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, store: Store) -> Stage:
    return Stage(monkeypatch, store)


def planned(runs: list[PlannedRun]) -> list[tuple[str, int]]:
    return [(run.scenario.name, run.repetition) for run in runs]


def test_the_order_is_random_but_always_the_same(suite: Suite) -> None:
    order = planned(suite.runs())
    assert order == planned(suite.runs())
    assert order != sorted(order)
    assert len(set(order)) == len(order) == 6  # what calibrates is not held out as well
    assert [s.shards for s in suite.held_out] == [3]


def test_every_run_is_made_and_stored_before_the_next(suite: Suite, stage: Stage) -> None:
    outcome = stage.run(suite)
    assert (outcome.made, outcome.found, outcome.suspect, outcome.failed) == (6, 0, 0, ())
    assert stage.played == planned(suite.runs())
    assert stage.stored_before == [0, 1, 2, 3, 4, 5]
    assert stage.entered == [6]
    assert {m.part for m in stage.store.measurements(suite="made")} == {"calibration", "held_out"}


def test_a_finished_suite_starts_nothing(suite: Suite, stage: Stage) -> None:
    stage.run(suite)
    outcome = stage.run(suite)
    assert (outcome.made, outcome.found) == (0, 6)
    assert stage.entered == [6]


def test_an_interrupted_suite_goes_on_where_it_was(suite: Suite, stage: Stage) -> None:
    def interrupt(name: str, count: int) -> dict[str, Any]:
        if count == 4:
            raise KeyboardInterrupt
        return {}

    stage.behave = interrupt
    with pytest.raises(KeyboardInterrupt):
        stage.run(suite)
    assert len(stage.store.rows()) == 3
    stage.behave = lambda name, count: {}
    outcome = stage.run(suite)
    assert (outcome.made, outcome.found) == (3, 3)
    assert stage.played[:3] + stage.played[4:] == planned(suite.runs())


def test_a_new_version_of_a_suite_is_run_anew(suite: Suite, stage: Stage, tmp_path: Path) -> None:
    stage.run(suite)
    (tmp_path / "made.toml").write_text(TEXT.replace("version = 1\ntestbed", "version = 2\ntestbed"))
    assert stage.run(suites.load(str(tmp_path / "made.toml"))).made == 6


def test_a_run_that_fails_does_not_stop_the_others(suite: Suite, stage: Stage) -> None:
    errors: dict[int, Exception] = {2: RunFailed("it broke off"), 5: CannotRun("too large")}

    def fail(name: str, count: int) -> dict[str, Any]:
        if count in errors:
            raise errors[count]
        return {}

    stage.behave = fail
    outcome = stage.run(suite)
    order = planned(suite.runs())
    assert outcome.made == 4
    assert outcome.failed == ((order[1][0], "it broke off"), (order[4][0], "too large"))
    stage.behave = lambda name, count: {}
    assert stage.run(suite).made == 2  # and they are tried again the next time


def test_a_suspect_run_is_repeated_once_and_both_are_kept(suite: Suite, stage: Stage) -> None:
    doubted = suite.runs()[0].scenario.name
    stage.behave = lambda name, count: {"suspect": ("noisy",)} if name == doubted else {}
    outcome = stage.run(suite)
    assert outcome.to_json() == {"made": 8, "found": 0, "suspect": 4, "failed": [], "left": 0, "over": ""}
    assert stage.played[6:] == [p for p in planned(suite.runs()) if p[0] == doubted]
    assert sum(bool(m.suspect) for m in stage.store.measurements()) == 4
    assert stage.run(suite).made == 0


def lose(at: set[int]) -> Callable[[str, int], dict[str, Any]]:
    """The testbed is lost during the runs of these numbers."""

    def behave(_name: str, count: int) -> dict[str, Any]:
        if count in at:
            raise TestbedLost("host shard-1 has stopped answering for 10 s")
        return {}

    return behave


def test_a_lost_testbed_ends_the_suite_and_what_failed_is_written_down(suite: Suite, stage: Stage) -> None:
    stage.behave = lose({3})
    outcome = stage.run(suite)
    assert (outcome.made, outcome.left, outcome.lost_in_a_row) == (2, 3, 1)
    victim = suite.runs()[2]
    assert outcome.failed == ((victim.scenario.name, "host shard-1 has stopped answering for 10 s"),)
    (line,) = failures.file_of(stage.store.path).read_text().splitlines()
    assert json.loads(line)["repetition"] == victim.repetition
    assert json.loads(line)["reason"] == outcome.failed[0][1]


def test_the_process_that_goes_on_leaves_out_what_failed(suite: Suite, stage: Stage, monkeypatch) -> None:
    """As the inner processes of a command do, one after the other."""
    stage.behave = lose({3, 4})
    handed: list[dict[str, Any]] = []

    class NextProcess(BaseException):
        pass

    def again(outcome: dict[str, Any], _sentence: str) -> None:
        handed.append(json.loads(json.dumps(outcome)))
        raise NextProcess

    monkeypatch.setattr(campaign.supervised, "inside", lambda: True)
    monkeypatch.setattr(campaign.supervised, "again", again)
    for _ in range(2):
        with pytest.raises(NextProcess):
            stage.run(suite, campaign.Outcome.earlier(handed[-1] if handed else {}))
    outcome = stage.run(suite, campaign.Outcome.earlier(handed[-1]))
    assert (outcome.made, outcome.found, outcome.left, len(outcome.failed)) == (4, 0, 0, 2)
    assert sorted(stage.played) == sorted(planned(suite.runs()))
    assert stage.entered == [6, 3, 2]
    assert stage.run(suite).found == 4  # another command tries them anew


def test_a_machine_that_loses_every_testbed_is_given_up(suite: Suite, stage: Stage, monkeypatch) -> None:
    stage.behave = lose(set(range(1, 10)))
    monkeypatch.setattr(campaign.supervised, "inside", lambda: True)
    handed: list[dict[str, Any]] = []
    monkeypatch.setattr(campaign.supervised, "again", lambda outcome, _sentence: handed.append(outcome))
    outcome = None
    for _ in range(3):
        outcome = stage.run(suite, outcome)
    assert outcome is not None
    assert (len(handed), outcome.left, len(outcome.failed)) == (2, 3, 3)


def test_links_are_measured_once(suite: Suite, stage: Stage) -> None:
    stage.behave = lambda name, count: {"link_goodput": {"worker_up": 1e6}}
    stage.run(suite)
    assert stage.goodput_given == [None] + [{"worker_up": 1e6}] * 5


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (("workers = 2", "workers = 0"), "workers"),
        (('name = "made"', ""), "name"),
        (("[[held_out]]", "[[holdout]]"), "holdout"),
        (("shards = [1, 2]", "shards = ['x']"), "shards"),
        (("elements = 8", "elements = "), "made.toml"),
    ],
)
def test_a_bad_suite_is_a_sentence(tmp_path: Path, change: tuple[str, str], word: str) -> None:
    file = tmp_path / "made.toml"
    file.write_text(TEXT.replace(*change, 1))
    with pytest.raises(BadInput, match=word):
        suites.load(str(file))


@pytest.mark.parametrize("name", suites.packaged())
def test_packaged_suites_are_whole(name: str) -> None:
    packaged = suites.load(name)
    assert packaged.name == name
    assert packaged.calibration
    assert packaged.held_out
    assert packaged.repetitions >= 2  # once tells no noise
    assert not set(packaged.calibration) & set(packaged.held_out)
    assert len({s.name for s in packaged.scenarios}) == len(set(packaged.scenarios))
