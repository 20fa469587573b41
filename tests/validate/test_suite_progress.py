"""What a suite says of itself beside its store: as long as its process lives, and not a moment longer."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from validate.measurements import suite_progress

HOLDER = """
import sys, time
from pathlib import Path
from validate.measurements.suite_progress import told
with told(Path(sys.argv[1]), "made@1", "local", planned=3, stored=1) as file:
    file.begins("one")
    print("here", flush=True)
    time.sleep(600)
"""


def test_a_process_that_is_killed_leaves_a_stopped_suite(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    command = [sys.executable, "-c", HOLDER, str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        (progress,) = suite_progress.read(store)
        assert (progress.running, progress.scenario) == (True, "one")
        # A second one does not write into the first one's file.
        with suite_progress.told(store, "made@1", "local", planned=9, stored=9) as second:
            second.begins("two")
            second.finished()
        assert suite_progress.read(store) == [progress]
        process.send_signal(signal.SIGKILL)
    (progress,) = suite_progress.read(store)
    assert (progress.running, progress.left_s()) == (False, None)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"{", b"\xff", b'{"schema_version": 2}', b'{"schema_version": 1}', b"[" * 50_000,
        b'{"schema_version": 1, "suite": "a", "testbed": "b", "planned": 1, "stored": 0, "began": Infinity, "made": 0, '
        b'"suspect": 0, "failed": 0, "scenario": "", "run_began": 0, "running": true}',
        b'{"schema_version": 1, "suite": 1, "testbed": "b", "planned": 1, "stored": 0, "began": 1, "made": 0, '
        b'"suspect": 0, "failed": 0, "scenario": "", "run_began": 0, "running": true}',
        b'{"schema_version": 1, "suite": "a", "testbed": "b", "planned": 1' + b"0" * 400 + b', "stored": 0, '
        b'"began": 1, '
        b'"made": 0, "suspect": 0, "failed": 0, "scenario": "", "run_began": 0, "running": true}',
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_left_alone(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "runs.sqlite.suite-x.json").write_bytes(text)
    os.mkfifo(tmp_path / "runs.sqlite.suite-pipe.json")
    (tmp_path / "runs.sqlite.suite-folder.json").mkdir()
    assert suite_progress.read(tmp_path / "runs.sqlite") == []


def test_where_nothing_can_be_written_the_suite_goes_on(tmp_path: Path) -> None:
    with suite_progress.told(
        tmp_path / "absent" / "runs.sqlite", "a@1", "local", planned=1, stored=0
    ) as file:
        file.begins("one")
        file.made(suspect=False, again=False)
        file.finished()
    assert suite_progress.read(tmp_path / "absent" / "runs.sqlite") == []
