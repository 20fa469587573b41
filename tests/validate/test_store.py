"""The store: what goes in comes out, what is not ours is refused, and a kill loses the run in flight at most."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from psmodel.errors import BadInput, UserError
from tests.real_records import SCENARIO, record
from validate.measurements.store import Store, default_path, read_json
from validate.measurements.store_file import SCHEMA_VERSION
from validate.measurements.stored import export


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "runs.sqlite"


def same(a, b) -> bool:
    arrays = a.arrays()
    others = b.arrays()
    return a.record() == b.record() and all(
        np.array_equal(arrays[n], others[n]) and arrays[n].dtype == others[n].dtype for n in arrays
    )


def test_what_goes_in_comes_out(path: Path) -> None:
    measurements_made = record("abc")
    with Store(path) as store:
        store.add(measurements_made)
    with Store(path) as store:
        loaded = store.load("ab")
        assert store.keys() == {measurements_made.key}
    assert same(loaded, measurements_made)
    assert loaded.metrics == measurements_made.metrics


def test_measurements_come_in_order_and_are_chosen(path: Path) -> None:
    larger = SCENARIO.replace(elements=7)
    with Store(path) as store:
        for name, changes in {
            "b": {},
            "a": {"part": "held_out"},
            "c": {"suite": "made@2", "scenario": larger},
            "d": {"suite": "made_up@1", "testbed": "netns"},
            "e": {"suite": None, "part": None},
        }.items():
            store.add(record(name, **changes))

        def chosen(**by) -> str:
            return "".join(m.run_id for m in store.measurements(**by))

        machine = store.load("a").environment.fingerprint
        assert chosen() == "bacde"
        assert chosen(suite="made") == "bac"
        assert chosen(suite="made@2") == "c"
        assert chosen(part="held_out") == "a"
        assert chosen(testbed="netns", suite="made_up") == "d"
        assert chosen(scenario=larger) == "c"
        assert (chosen(machine=machine), chosen(machine="another")) == ("bacde", "")
        assert [row["run_id"] for row in store.rows()] == list("bacde")


@pytest.mark.parametrize("prefix", ["b", "", "%", "a' OR '1'='1"])
def test_an_id_that_is_not_one_run_is_refused(path: Path, prefix: str) -> None:
    with Store(path) as store:
        store.add(record("a1"))
        store.add(record("a2"))
        with pytest.raises(BadInput, match=r"psmodel validate list"):
            store.load(prefix)


def test_a_run_is_kept_once(path: Path) -> None:
    with Store(path) as store:
        store.add(record("a"))
        with pytest.raises(UserError, match="cannot be written"):
            store.add(record("a"))
        assert len(store.rows()) == 1


def test_a_full_disk_is_a_sentence_and_loses_nothing(path: Path) -> None:
    with Store(path) as store:
        store.add(record("a"))
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")  # what SQLite does when a write finds no room
        big = SCENARIO.replace(iterations=20_000)
        with pytest.raises(UserError, match="full"):
            store.add(record("b", scenario=big))
    with Store(path) as store:
        assert [m.run_id for m in store.measurements()] == ["a"]


@pytest.mark.parametrize("what", ["file", "folder", "replaced"])
def test_a_store_that_is_taken_away_meanwhile_loses_nothing(path: Path, tmp_path: Path, what: str) -> None:
    """SQLite itself goes on writing to the file that has no name any more."""
    aside = tmp_path / "aside"
    with Store(path) as store:
        store.add(record("a"))
        (path.parent if what == "folder" else path).rename(aside)
        if what == "replaced":
            with Store(path) as other:
                other.add(record("b"))
        with pytest.raises(UserError, match="was moved or removed"):
            store.add(record("c"))
        store.add(record("d"))
    with Store(path) as store:
        assert [m.run_id for m in store.measurements()] == [*(["b"] if what == "replaced" else []), "c", "d"]
        assert store.import_runs([record("e")]) == 1


def test_another_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no database, but long enough to have a header " * 10)
    with pytest.raises(BadInput, match=r"notes\.txt"):
        Store(text)
    assert text.read_text().startswith("no database")

    other = tmp_path / "other.sqlite"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE theirs (x)")
    db.commit()
    db.close()
    before = other.read_bytes()
    with pytest.raises(BadInput, match="no store"):
        Store(other)
    assert other.read_bytes() == before

    with pytest.raises(BadInput, match="cannot be used"):
        Store(tmp_path)
    with pytest.raises(BadInput, match="cannot be used"):
        Store(text / "below.sqlite")


@pytest.mark.parametrize("place", ["a folder", "a pipe", "a device"])
def test_what_is_no_regular_file_is_no_store(tmp_path: Path, place: str) -> None:
    path = Path("/dev/null") if place == "a device" else tmp_path / "runs.sqlite"
    if place == "a folder":
        path.mkdir()
    elif place == "a pipe":
        os.mkfifo(path)
    with pytest.raises(BadInput, match="cannot be used as a store of measurements: it is no regular file"):
        Store(path)
    assert not path.is_file()


def test_a_store_of_a_later_version_is_refused(path: Path) -> None:
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(BadInput, match="later psmodel"):
        Store(path)


def test_a_record_of_a_later_version_is_refused(path: Path) -> None:
    with Store(path) as store:
        store.add(record("a", format_version=99))
        with pytest.raises(BadInput, match="format_version 99"):
            store.load("a")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_have_a_row_per_run(path: Path, ending: str) -> None:
    file = path.parent / f"all.{ending}"
    with Store(path) as store:
        for name in "ab":
            store.add(record(name))
        export(store.measurements(), file)
        rows = store.rows()
    if ending == "parquet":
        assert pyarrow.parquet.read_table(file).to_pylist() == rows
    else:
        lines = file.read_text().splitlines()
        assert lines[0].split(",") == list(rows[0])
        assert [line.split(",")[0] for line in lines[1:]] == ["a", "b"]


def test_json_holds_everything(path: Path, tmp_path: Path) -> None:
    file = path.parent / "all.json"
    measurements_made = [record("a"), record("b", suspect=("too warm",))]
    with Store(path) as store:
        for measurement in measurements_made:
            store.add(measurement)
        export(store.measurements(), file)
    assert all(same(a, b) for a, b in zip(read_json(file), measurements_made, strict=True))
    with Store(tmp_path / "other.sqlite") as other:
        other.add(record("b"))
        assert (other.import_json(file), other.import_json(file)) == (1, 0)
        assert [m.run_id for m in other.measurements()] == ["b", "a"]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"format_version": 1}]', '[{"format_version": 2}]'])
def test_what_is_no_export_is_not_imported(path: Path, text: str) -> None:
    with Store(path) as store:
        file = path.parent / "bad.json"
        file.write_text(text)
        with pytest.raises(BadInput):
            store.import_json(file)
        assert store.rows() == []


def test_an_import_is_whole_or_not_at_all(path: Path) -> None:
    file = path.parent / "half.json"
    with Store(path) as store:
        file.write_text(json.dumps([record("a").to_json(), record("b").to_json() | {"run_id": None}]))
        with pytest.raises(UserError):
            store.import_json(file)
        assert store.rows() == []
        store.add(record("c"))
        assert len(store.rows()) == 1


def test_the_environment_names_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PSMODEL_STORE", raising=False)
    assert default_path() == Path(".psmodel/measurements.sqlite")
    monkeypatch.setenv("PSMODEL_STORE", "/elsewhere/x.sqlite")
    assert default_path() == Path("/elsewhere/x.sqlite")


WRITER = """
import sys
from itertools import count
from pathlib import Path
from tests.real_records import record
from validate.measurements.store import Store
with Store(Path(sys.argv[1])) as store:
    for i in count():
        store.add(record(f"{i:06}"))
        print(i, flush=True)
"""


def test_a_killed_writer_loses_the_run_in_flight_at_most(path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert writer.stdout is not None
    for _ in range(20):
        writer.stdout.readline()
    time.sleep(0.003)
    os.kill(writer.pid, signal.SIGKILL)
    count = 19 + sum(1 for line in writer.stdout if line.endswith("\n"))
    writer.wait()
    writer.stdout.close()
    with Store(path) as store:
        assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        stored = [m.run_id for m in store.measurements()]
        assert stored == [f"{i:06}" for i in range(len(stored))]
        assert (
            count + 1 <= len(stored) <= count + 2
        )  # what it told of, and maybe the one that it had no time to tell
        store.add(record("after"))
        assert store.load("after").run_id == "after"


def test_two_processes_write_at_once(path: Path) -> None:
    Store(path).close()
    script = WRITER.replace("count()", "range(int(sys.argv[2]), int(sys.argv[2]) + 30)")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(first)],
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        for first in (0, 100)
    ]
    assert [w.wait() for w in writers] == [0, 0]
    with Store(path) as store:
        assert len(store.rows()) == 60
