"""What is scored as held out was never fitted: whatever its name, its version, its suite or its place in the store."""

from pathlib import Path
from typing import Any

import pytest

from psmodel.errors import BadInput
from tests.command_line import run as command
from tests.real_records import record
from validate.measurements.measurement import Measurement
from validate.measurements.selection import believable, by_scenario, content, labels, setting
from validate.measurements.store import Store, read_json
from validate.suites.parts import named, split
from validate.suites.suite import Suite, load

MEASURED = Path(__file__).parents[2] / "figures" / "measured"
SUITE = """
schema_version = 1
name = "made"
version = {version}
testbed = "local"

[base]
placement = "single-host"
iterations = 2
warmup = 1
elements = 8

[[calibration]]
workers = {fitted}
shards = 1

[[held_out]]
workers = {scored}
shards = 1
"""


def suite(folder: Path, version: int, fitted: list[int], scored: list[int]) -> Suite:
    file = folder / f"made-{version}.toml"
    file.write_text(SUITE.format(version=version, fitted=fitted, scored=scored))
    return load(str(file))


def made(of: Suite, **changes: Any) -> list[Measurement]:
    """A run of each scenario of a suite, as the machine of the moment has it."""
    return [
        record(
            f"{of.label}-{planned.part}-{planned.scenario.workers}-{planned.repetition}",
            scenario=planned.scenario.replace(cores_per_host=2),
            suite=of.label,
            part=planned.part,
            repetition=planned.repetition,
            **changes,
        )
        for planned in of.runs()
    ]


def workers(runs: Any) -> set[int]:
    return {m.scenario.workers for m in runs}


def test_the_newest_version_counts_and_the_others_are_named(tmp_path: Path) -> None:
    """Four that calibrate in version 2 were held out in version 1, and the other way round."""
    one, two = suite(tmp_path, 1, [1, 2], [3, 4]), suite(tmp_path, 2, [3, 4], [1, 2])
    runs = made(two) + made(one)
    for reference in (None, "made"):
        parts = split(runs, reference)
        assert (workers(parts.calibration), workers(parts.held_out)) == ({3, 4}, {1, 2})
        assert {m.suite for m in parts.calibration + parts.held_out} == {"made@2"}
        (note,) = parts.notes
        assert "12 runs of other versions" in note
        assert "@1" in note
    parts = split(runs, "made@1")
    assert (workers(parts.calibration), workers(parts.held_out)) == ({1, 2}, {3, 4})
    assert parts.notes == ()


def test_versions_are_numbers(tmp_path: Path) -> None:
    runs = made(suite(tmp_path, 9, [1], [2])) + made(suite(tmp_path, 10, [2], [1]))
    assert {m.suite for m in split(runs).calibration} == {"made@10"}


def test_the_part_is_that_of_the_suite_s_file(tmp_path: Path) -> None:
    """After the runs were made, scenario 2 was moved, and scenario 4 taken out."""
    runs = made(suite(tmp_path, 1, [1, 2], [3, 4]))
    suite(tmp_path, 1, [1], [2, 3])
    parts = split(runs, str(tmp_path / "made-1.toml"))
    assert (workers(parts.calibration), workers(parts.held_out)) == ({1}, {2, 3})
    assert len(parts.notes) == 2
    assert "3 runs are left out whose scenarios suite made@1 does not have" in parts.notes[0]
    assert "another part" in parts.notes[1]


def test_a_packaged_suite_s_file_decides() -> None:
    shipped = read_json(MEASURED / "sharding.json")
    runs = [record(m.run_id, scenario=m.scenario, suite=m.suite, part="calibration") for m in shipped]
    parts = split(runs, "sharding")
    assert {m.scenario.shards for m in parts.calibration} == {1, 3}
    assert {m.scenario.shards for m in parts.held_out} == {2, 4}


def test_shipped_runs_are_in_the_parts_they_were_stored_in() -> None:
    for path in MEASURED.glob("*.json"):
        if not path.name.endswith(".fit.json") and path.name != "accuracy.json":
            runs = read_json(path)
            parts = split(runs)
            assert [m.run_id for m in parts.calibration] == [
                m.run_id for m in runs if m.part == "calibration"
            ]
            fitted = {setting(m.scenario) for m in parts.calibration}
            held_out = [m for m in runs if m.part == "held_out"]
            unseen = [m.run_id for m in held_out if setting(m.scenario) not in fitted]
            assert [m.run_id for m in parts.held_out] == unseen
            # The suite training asks for a scenario in both parts; what is not scored is said.
            repeated = len(held_out) - len(unseen)
            assert repeated == (2 if path.stem == "training" else 0)
            assert len(parts.notes) == bool(repeated)
            assert all(note.startswith(f"{repeated} held-out runs are not scored") for note in parts.notes)


@pytest.mark.parametrize(
    "change", [{"name": "another"}, {"description": "x"}, {"seed": 9}, {"iterations": 7}, {"warmup": 0},
               {"model_size": 64}]
)  # fmt: skip
def test_what_one_suite_fits_another_does_not_score(tmp_path: Path, change: dict[str, Any]) -> None:
    one = suite(tmp_path, 1, [1], [2])
    runs = made(one)
    twin = one.calibration[0].replace(cores_per_host=2).replace(**change)
    runs.append(record("twin", scenario=twin, suite="other@1", part="held_out"))
    parts = split(runs)
    assert workers(parts.held_out) == {2}
    assert "1 held-out runs are not scored" in parts.notes[0]
    assert not {setting(m.scenario) for m in parts.calibration} & {
        setting(m.scenario) for m in parts.held_out
    }


def test_a_lone_run_of_a_held_out_scenario_is_not_fitted(tmp_path: Path) -> None:
    one = suite(tmp_path, 1, [1], [2])
    lone = record("lone", scenario=one.held_out[0].replace(cores_per_host=2), suite=None, part=None)
    other = record("other", suite=None, part=None)
    parts = split([*made(one), lone, other])
    assert "lone" not in {m.run_id for m in parts.calibration}
    assert "other" in {m.run_id for m in parts.calibration}
    assert workers(parts.held_out) == {2}
    assert "lone" not in str(parts.notes)
    assert "1 runs of no suite are not fitted" in parts.notes[0]


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("none", ["'none'", "made@1"]),
        ("made@7", ["made@7", "made@1"]),
        ("made@", ["made@", "made@1"]),
        ("", ["''"]),
        ("missing.toml", ["missing.toml"]),
    ],
)
def test_a_suite_without_runs_is_a_sentence(tmp_path: Path, reference: str, words: list[str]) -> None:
    with pytest.raises(BadInput) as error:
        split(made(suite(tmp_path, 1, [1], [2])), reference)
    for word in words:
        assert word in str(error.value)


def test_a_suite_is_named_in_three_ways(tmp_path: Path) -> None:
    file = suite(tmp_path, 3, [1], [2])
    assert (named("a").name, named("a").version) == ("a", None)
    assert (named("a@2").name, named("a@2").version) == ("a", "2")
    result = named(str(tmp_path / "made-3.toml"))
    assert (result.name, result.version, result.file) == ("made", "3", file)


def test_lists_and_exports_take_a_suite_s_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    of = suite(tmp_path, 1, [1], [2])
    with Store(tmp_path / "x.sqlite") as store:
        store.import_runs([*made(of), record("other", suite="else@1")])
    place = ("--store", str(tmp_path / "x.sqlite"))
    for reference in (str(tmp_path / "made-1.toml"), "made@1", "made"):
        code, out, _ = command(capsys, "validate", "list", "--suite", reference, *place)
        assert code == 0
        assert out.splitlines()[-1].startswith("6 measurements")
        assert "else@1" not in out
        assert " UTC " in out
    out_file = tmp_path / "x.csv"
    assert command(capsys, "validate", "export", str(out_file), "--suite", "made@1", *place)[0] == 0


def test_scenarios_are_told_apart_by_what_they_say() -> None:
    base = record().scenario
    one, two, three = base.replace(name="a"), base.replace(name="b"), base.replace(name="a", shards=1)
    assert content(one) == content(two) != content(three)
    groups = by_scenario([record("1", scenario=one), record("2", scenario=three), record("3", scenario=two)])
    assert [[m.run_id for m in group] for group in groups] == [["1", "3"], ["2"]]
    names = labels([one, three])
    assert len(set(names.values())) == 2
    assert all(name.startswith("a #") for name in names.values())


def test_a_suspect_run_goes_where_a_renamed_one_is_quiet() -> None:
    quiet = record("quiet", scenario=record().scenario.replace(name="renamed"))
    suspect = record("suspect", suspect=("busy",))
    alone = record("alone", scenario=record().scenario.replace(shards=1), suspect=("busy",))
    assert [m.run_id for m in believable([suspect, quiet, alone])] == ["quiet", "alone"]


def test_chance_makes_seeds_count() -> None:
    random = record().scenario.replace(compute={"kind": "exponential", "mean": "1 s"})
    assert content(random) != content(random.replace(seed=4))
    assert setting(random) == setting(random.replace(seed=4))
