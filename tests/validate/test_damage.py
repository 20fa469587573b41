"""Damaged stores and exports: what can be read is used, what cannot is named, and nothing is a traceback."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmodel.errors import BadInput
from tests.command_line import run
from tests.real_records import SCENARIO, record
from validate.measurements.measurement import Instants, Measurement
from validate.measurements.store import Store, default_path
from validate.measurements.stored import Stored, export, read

GOLDEN = Path(__file__).parent / "data" / "store-0.1.0.sqlite"
RUNS = 6
ADDING = """
import sys
from pathlib import Path
from tests.real_records import record
from validate.measurements.store import Store
with Store(Path(sys.argv[1])) as store:
    store.add(record(sys.argv[2]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "runs.sqlite"
    with Store(file) as store:
        for number in range(RUNS):
            store.add(record(f"run-{number}", repetition=number))
    return file


def edit(path: Path, statement: str, *values: Any) -> None:
    db = sqlite3.connect(path)
    db.execute(statement, values)
    db.commit()
    db.close()


def ids(stored: Stored) -> list[str]:
    return [m.run_id for m in stored.runs]


def bad_record(**changes: Any) -> str:
    return json.dumps(record("run-2", repetition=2).record() | changes)


DEEP = '{"a":' * 20_000 + "1" + "}" * 20_000


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("record", "{not json"),
        ("record", ""),
        ("record", 5),
        ("record", b"\x00\x80"),
        ("record", "[]"),
        ("record", "null"),
        ("record", "true"),
        ("record", '"text"'),
        ("record", DEEP),
        ("record", "[" * 100_000),
        ("record", bad_record(started_at=5)),
        ("record", bad_record(started_at="yesterday")),
        ("record", bad_record(run_id="another")),
        ("record", bad_record(run_id=None)),
        ("record", bad_record(suspect="text")),
        ("record", bad_record(suspect=[1])),
        ("record", bad_record(sums_ok="yes")),
        ("record", bad_record(repetition=-1)),
        ("record", bad_record(repetition=True)),
        ("record", bad_record(part="both")),
        ("record", bad_record(compute_by="magic")),
        ("record", bad_record(environment=None)),
        ("record", bad_record(environment={})),
        ("record", bad_record(load={"busy": 1.0})),
        ("record", bad_record(link_goodput={"worker_up": -1.0})),
        ("record", bad_record(link_goodput=[1])),
        ("record", bad_record(duration_s=-1.0)),
        ("record", bad_record(duration_s=float("nan"))),
        ("record", bad_record(clock_uncertainty_s=float("inf"))),
        ("record", bad_record(scenario=None)),
        ("record", bad_record(scenario={"workers": "x"})),
        ("record", bad_record(scenario=SCENARIO.replace(workers=3).to_json())),
        ("record", bad_record(scenario=SCENARIO.to_json() | {"workers": 10**30})),
        ("record", bad_record(format_version=99)),
        ("record", bad_record(format_version=None)),
        ("samples", b"garbage"),
        ("samples", b""),
        ("samples", "text"),
        ("samples", 7),
        ("samples", bytes(5000)),
        ("samples", b"PK\x03\x04" + bytes(100)),
        ("testbed", "elsewhere"),
        ("suite", "other@1"),
        ("part", "held_out"),
        ("run_id", "renamed"),
    ],
    ids=lambda v: str(v)[:30] if isinstance(v, str) else repr(v)[:20],
)  # fmt: skip
@pytest.mark.parametrize("checked", [True, False], ids=["checksum", "no checksum"])
def test_a_bad_row_hides_no_other(path: Path, column: str, value: Any, checked: bool) -> None:
    if not checked:
        edit(path, "UPDATE measurement SET checksum = NULL")
    edit(path, f"UPDATE measurement SET {column} = ? WHERE id = 3", value)
    stored = read(path)
    assert ids(stored) == ["run-0", "run-1", "run-3", "run-4", "run-5"]
    (note,) = stored.notes
    assert note.startswith("1 run is left out")
    assert "row 3: " in note
    assert "\n" not in note
    with Store(path) as store:
        assert len(store.keys()) == 5
        with pytest.raises(BadInput):
            store.load("run-2")
        store.add(record("after", repetition=2))
        assert "after" in [m.run_id for m in store.measurements()]


def test_huge_samples_are_not_even_read(path: Path) -> None:
    edit(path, "UPDATE measurement SET samples = zeroblob(300000000) WHERE id = 3")
    assert len(read(path).runs) == RUNS - 1


def test_samples_that_would_unpack_without_end_are_left_packed(path: Path) -> None:
    import io

    packed = io.BytesIO()
    np.savez_compressed(packed, start=np.zeros(30_000_000))  # 240 MB in 240 kB
    edit(path, "UPDATE measurement SET samples = ?, checksum = NULL WHERE id = 3", packed.getvalue())
    (note,) = read(path).notes
    assert "more than its scenario makes" in note


def test_a_flipped_bit_that_still_reads_is_noticed(path: Path) -> None:
    """A digit of a record has become another one: valid in every way, and wrong."""
    text = record("run-2", repetition=2).record()
    edit(path, "UPDATE measurement SET record = ? WHERE id = 3", json.dumps(text | {"duration_s": 9.75}))
    stored = read(path)
    assert len(stored.runs) == RUNS - 1
    assert "checksum" in stored.notes[0]


def moved(name: str, by: float, iteration: int = 1) -> Instants:
    instants = {n: a.copy() for n, a in vars(record().instants).items()}
    instants[name][0, iteration] += by
    return Instants(**instants)


@pytest.mark.parametrize(
    "instants",
    [
        moved("released", -2.0),
        moved("released", float("nan")),
        moved("start", float("inf")),
        moved("start", 5.0),
        moved("pulled", -0.5),
        moved("computed", -0.3),
        moved("pushed", 9.0),
        moved("start", -0.45),
    ],
)
def test_instants_that_cannot_be_are_not_scored(tmp_path: Path, instants: Instants) -> None:
    """An iteration that ends before it starts, starts before the one before it has ended, or at no time."""
    file = tmp_path / "runs.json"
    runs = [record("good"), record("bad", instants=instants)]
    file.write_text(json.dumps([to_json(m) for m in runs]))
    stored = read(file)
    assert ids(stored) == ["good"]
    assert "run 2" in stored.notes[0]


def to_json(measurement: Measurement) -> dict[str, Any]:
    arrays = {name: array.tolist() for name, array in measurement.arrays().items()}
    return measurement.record() | {"samples": arrays}


@pytest.mark.parametrize(
    "change",
    [
        {"shard": -1}, {"shard": 9}, {"worker": 2}, {"iteration": 3}, {"staleness": -1}, {"begin": float("nan")},
        {"end": -1.0}, {"shard": 0.5},
    ],
    ids=str,
)  # fmt: skip
def test_updates_that_cannot_be_are_refused(change: dict[str, float]) -> None:
    values = to_json(record())
    ((name, value),) = change.items()
    values["samples"][f"update_{name}"][0] = value
    with pytest.raises(BadInput, match="update"):
        Measurement.from_json(values)


@pytest.mark.parametrize(
    "values",
    [None, 5, [], {}, {"samples": 5}, {"samples": {"start": "x"}}, {"samples": {"start": [[1], [1, 2]]}}],
)
def test_entries_that_are_no_measurement(tmp_path: Path, values: Any) -> None:
    file = tmp_path / "runs.json"
    file.write_text(json.dumps([values, to_json(record("good"))]))
    stored = read(file)
    assert ids(stored) == ["good"]
    assert "run 1" in stored.notes[0]


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("DROP TABLE measurement", "no table measurement"),
        ("ALTER TABLE measurement RENAME COLUMN record TO text", "no column record"),
        ("ALTER TABLE measurement RENAME COLUMN samples TO text", "no column samples"),
        ("PRAGMA application_id = 5", "no store"),
        ("PRAGMA user_version = 99", "later psmodel"),
        ("PRAGMA user_version = -1", "no psmodel"),
    ],
)
def test_files_that_are_no_store(path: Path, statement: str, word: str) -> None:
    edit(path, "CREATE TABLE other (x)")  # so that something is left
    edit(path, statement)
    with pytest.raises(BadInput, match=word) as error:
        read(path)
    assert "runs.sqlite" in str(error.value)


def pages(path: Path) -> Iterator[tuple[int, bytes]]:
    content = path.read_bytes()
    size = int.from_bytes(content[16:18], "big")
    return (
        (number, content[at : at + size]) for number, at in enumerate(range(0, len(content), size), start=1)
    )


def overwrite(path: Path, which: Callable[[int], bool], filling: bytes) -> None:
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    for number in range(1, len(content) // size + 1):
        if which(number):
            content[(number - 1) * size : number * size] = (filling * size)[:size]
    path.write_bytes(content)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A store of many pages."""
    file = tmp_path / "large.sqlite"
    with Store(file) as store:
        for number in range(60):
            store.add(record(f"{number:03}", repetition=number, scenario=SCENARIO.replace(iterations=30)))
    return file


@pytest.mark.parametrize(
    "filling", [b"\x00", b"\xff", b"\x0d" + bytes(4095)], ids=["zeros", "ones", "no rows"]
)
def test_every_page_may_be_damaged(large: Path, filling: bytes) -> None:
    """Whichever page it is: a sentence, or the runs that lie on other pages, and they are what was stored."""
    whole = large.read_bytes()
    count = len(list(pages(large)))
    some = 0
    for page in range(2, count + 1, max(1, count // 12)):
        large.write_bytes(whole)
        overwrite(large, lambda number, page=page: number == page, filling)
        try:
            stored = read(large)
        except BadInput as error:
            sentence = str(error)
            refusal = True
        else:
            refusal = False
        if refusal:
            assert "large.sqlite" in sentence
            continue
        some += 1
        for m in stored.runs:
            assert m.record() == record(m.run_id, repetition=m.repetition, scenario=m.scenario).record()
        assert len(stored.runs) == 60 or stored.notes
    assert some > 5


def test_a_damaged_middle_and_every_other_page(large: Path) -> None:
    whole = bytearray(large.read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 256] = bytes(range(256))
    large.write_bytes(whole)
    stored = read(large)
    assert len(stored.runs) >= 55
    assert stored.notes
    overwrite(large, lambda number: number > 1 and number % 2 == 0, b"\xaa")
    with pytest.raises(BadInput, match=r"large\.sqlite"):
        read(large)


def test_damage_that_a_killed_writer_left_is_looked_for(large: Path, tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from tests.real_records import record; "
        "from validate.measurements.store import Store; s = Store(Path(sys.argv[1])); "
        "s.add(record('last')); os._exit(9)"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(large)], check=False, cwd=Path(__file__).parents[2], env=os.environ
    )
    log = large.with_name(large.name + "-wal")
    assert log.stat().st_size > 0
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(large.read_bytes())
    copy.with_name(copy.name + "-wal").write_bytes(log.read_bytes())
    assert "last" in ids(read(large))
    # The same end with a page that was lost: reading says so, writing refuses and says what to do.
    overwrite(copy, lambda number: number == 30, b"\x55")
    log = copy.with_name(copy.name + "-wal").read_bytes()
    assert any("is damaged" in note for note in read(copy).notes)
    copy.with_name(copy.name + "-wal").write_bytes(log)
    with pytest.raises(BadInput, match="validate import"):
        Store(copy)


@pytest.mark.parametrize("command", ["list", "fit", "report", "export", "diagnose"])
def test_nothing_is_made_by_reading(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = {"export": ["x.csv"], "diagnose": ["0"]}.get(command, [])
    code, out, err = run(capsys, "validate", command, *arguments, "--store", "typo/none.sqlite")
    assert code == 2
    assert "typo/none.sqlite" in err
    assert "no such file" in err
    assert len(err.strip().splitlines()) == 1
    assert not out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "pipe", "text", "sqlite", "garbage"])
def test_other_things_are_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "sqlite":
        edit(path, "CREATE TABLE x (y)")
    else:
        path.write_bytes(b"hello " * 500 if kind == "text" else b"SQLite format 3\x00" + b"\xff" * 5000)
    for command in (["list"], ["fit"], ["export", str(tmp_path / "x.csv")]):
        code, _, err = run(capsys, "validate", *command, "--store", str(path))
        assert code == 2
        assert len(err.strip().splitlines()) == 1
        assert kind in err


def test_an_empty_file_is_an_empty_store(tmp_path: Path) -> None:
    """A process that was killed before it had written anything leaves one."""
    (tmp_path / "empty.sqlite").touch()
    assert read(tmp_path / "empty.sqlite").runs == ()


def test_a_store_of_0_1_0_is_read_as_it_is(tmp_path: Path) -> None:
    copy = tmp_path / "old.sqlite"
    copy.write_bytes(GOLDEN.read_bytes())
    before = copy.read_bytes()
    stored = read(copy)
    assert ids(stored) == ["golden-a", "golden-b"]
    assert [m.part for m in stored.runs] == ["calibration", "held_out"]
    assert [m.metrics.iteration_time_s for m in stored.runs] == pytest.approx([0.4, 0.4])
    assert stored.notes == ()
    assert copy.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["old.sqlite"]


def test_an_old_store_is_copied_before_it_is_changed(tmp_path: Path) -> None:
    copy = tmp_path / "old.sqlite"
    copy.write_bytes(GOLDEN.read_bytes())
    with Store(copy) as store:
        (note,) = store.notes
        assert "old.sqlite.schema-1" in note
        store.add(record("new"))
    assert ids(read(copy)) == ["golden-a", "golden-b", "new"]
    assert ids(read(tmp_path / "old.sqlite.schema-1")) == ["golden-a", "golden-b"]
    with Store(copy) as store:
        assert store.notes == ()
    other = tmp_path / "again"
    other.mkdir()
    (other / "old.sqlite").write_bytes(GOLDEN.read_bytes())
    (other / "old.sqlite.schema-1").write_text("of an earlier time")
    with Store(other / "old.sqlite"):
        pass
    assert (other / "old.sqlite.schema-1").read_text() == "of an earlier time"
    assert ids(read(other / "old.sqlite.schema-1.2")) == ["golden-a", "golden-b"]


def test_two_processes_bring_up_one_store_once(tmp_path: Path) -> None:
    copy = tmp_path / "old.sqlite"
    copy.write_bytes(GOLDEN.read_bytes())
    root = Path(__file__).parents[2]
    processes = [
        subprocess.Popen([sys.executable, "-c", ADDING, str(copy), str(i)], cwd=root) for i in range(3)
    ]
    assert [p.wait() for p in processes] == [0] * 3
    assert sorted(ids(read(copy))) == ["0", "1", "2", "golden-a", "golden-b"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["old.sqlite", "old.sqlite.schema-1"]


READER = """
import sys
from pathlib import Path
from validate.measurements.stored import read
stored = read(Path(sys.argv[1]))
print(len(stored.runs), *stored.notes)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
@pytest.mark.parametrize("clean", [True, False])
def test_read_only_media(path: Path, tmp_path: Path, clean: bool) -> None:
    """On a file system that is mounted read-only, after a clean end and after a kill that has left a log."""
    if not clean:
        script = (
            "import os, sys; from pathlib import Path; from tests.real_records import record; "
            "from validate.measurements.store import Store; s = Store(Path(sys.argv[1])); "
            "s.add(record('last')); os._exit(9)"
        )
        root = Path(__file__).parents[2]
        subprocess.run([sys.executable, "-c", script, str(path)], check=False, cwd=root)
    mounts = f'mount --bind "{tmp_path}" "{tmp_path}" && mount -o remount,ro,bind "{tmp_path}"'
    command = f'{mounts} && exec "$0" -c "$1" "$2"'
    shell = ["unshare", "--mount", "sh", "-c", command, sys.executable, READER, str(path)]
    process = subprocess.run(
        shell, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    if "unshare" in process.stderr or "mount" in process.stderr:
        pytest.skip(f"no mounts here: {process.stderr.strip()}")
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == str(RUNS + (not clean))


def test_exports_are_read_and_imported(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "all.json"
    assert run(capsys, "validate", "export", str(file), "--store", str(path))[0] == 0
    code, out, _ = run(capsys, "validate", "list", "--store", str(file), "--json")
    assert code == 0
    assert [row["run_id"] for row in json.loads(out)["measurements"]] == [f"run-{i}" for i in range(RUNS)]
    fresh = tmp_path / "new" / "fresh.sqlite"
    for added in (RUNS, 0):
        code, out, _ = run(capsys, "validate", "import", str(file), "--store", str(fresh))
        assert code == 0
        assert out.startswith(f"{added} of {RUNS} runs added")
    code, out, _ = run(capsys, "validate", "import", str(path), "--store", str(tmp_path / "copy.sqlite"))
    assert (code, out.split()[0]) == (0, str(RUNS))


def test_what_can_be_read_of_a_damaged_store_is_imported(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(path, "UPDATE measurement SET record = 'x' WHERE id = 3")
    code, out, err = run(capsys, "validate", "import", str(path), "--store", str(tmp_path / "new.sqlite"))
    assert code == 0
    assert out.startswith("5 of 5 runs added")
    assert "row 3" in err


def test_shipped_measurements_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = Path(__file__).parents[2] / "figures" / "measured" / "sharding.json"
    code, out, err = run(capsys, "validate", "list", "--store", str(shipped), "--suite", "sharding@2")
    assert (code, err) == (0, "")
    assert out.count(" UTC ") == len(read(shipped).runs)
    run_id = out[:8]
    code, out, _ = run(capsys, "validate", "diagnose", run_id, "--store", str(shipped))
    assert code == 0
    assert "iteration" in out
    assert run(capsys, "validate", "diagnose", "", "--store", str(shipped))[0] == 2


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_an_export_of_nothing_has_a_header(tmp_path: Path, ending: str) -> None:
    import pyarrow.parquet

    from validate.measurements.store import COLUMNS, row

    file = tmp_path / f"none.{ending}"
    export([], file)
    assert list(row(record())) == list(COLUMNS)
    if ending == "csv":
        assert file.read_text().strip().split(",") == list(COLUMNS)
    elif ending == "parquet":
        assert pyarrow.parquet.read_table(file).column_names == list(COLUMNS)
    else:
        assert json.loads(file.read_text()) == []


def test_a_reader_beside_a_writer_sees_whole_runs_and_leaves_nothing(path: Path) -> None:
    with Store(path) as store:
        store.add(record("more"))
        assert ids(read(path))[-1] == "more"
        store.add(record("still more"))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_two_processes_make_one_store(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    path = tmp_path / "x.sqlite"
    processes = [
        subprocess.Popen([sys.executable, "-c", ADDING, str(path), str(i)], cwd=root) for i in range(4)
    ]
    assert [p.wait() for p in processes] == [0] * 4
    assert sorted(ids(read(path))) == ["0", "1", "2", "3"]


def test_names_of_suites_are_no_patterns(tmp_path: Path) -> None:
    with Store(tmp_path / "x.sqlite") as store:
        store.add(record("a", suite="a_b@1"))
        store.add(record("b", suite="a-b@1"))
        assert [m.run_id for m in store.measurements(suite="a_b")] == ["a"]
        assert list(store.measurements(suite="%")) == []


def test_the_store_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSMODEL_STORE", "")
    assert default_path() == Path(".psmodel/measurements.sqlite")


@settings(max_examples=80)
@given(st.data())
def test_whatever_bytes_change_no_run_comes_out_changed(data: st.DataObject) -> None:
    """Any bytes of a store overwritten: a sentence, or runs that are exactly what was stored."""
    whole = _whole()
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 20))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.sqlite"
        path.write_bytes(content)
        try:
            stored = read(path)
        except BadInput:
            return
        for measurement in stored.runs:
            original = record(measurement.run_id, repetition=measurement.repetition)
            assert measurement.record() == original.record()
            arrays = original.arrays()
            assert all(np.array_equal(array, arrays[n]) for n, array in measurement.arrays().items())


@cache
def _whole() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.sqlite"
        with Store(path) as store:
            for number in range(3):
                store.add(record(f"run-{number}", repetition=number))
        return path.read_bytes()


PIECES = ["", "null", "{", "]", '"', "-", "9", "1e999", "NaN", "[[]]", "\x00", "\ud800"]


@settings(max_examples=150)
@given(st.data())
def test_whatever_letters_change_an_export_is_read_or_refused(data: st.DataObject) -> None:
    text = json.dumps([to_json(record("a")), to_json(record("b"))])
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text) - 1))
        piece = data.draw(st.sampled_from(PIECES))
        text = text[:at] + piece + text[at + data.draw(st.integers(0, 8)) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.json"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            stored = read(path)
        except BadInput as error:
            sentence = str(error)
            assert len(sentence) < 1000
            return
        assert len(stored.runs) <= 2
        for measurement in stored.runs:
            assert measurement.metrics.iteration_time_s >= 0
