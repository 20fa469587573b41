"""Commands about runs: tables are whole in a pipe, and a typing mistake is not taken for an empty store."""

import os
from pathlib import Path

import pytest

from psmodel.errors import BadInput
from tests.command_line import run
from validate.measurements.store import Store


@pytest.mark.long
@pytest.mark.parametrize("columns", ["40", "80"])
def test_tables_are_whole_in_a_pipe(capsys, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    store = str(Path(__file__).parents[2] / "figures" / "measured" / "parallel-updates.json")
    for arguments in (
        ["doctor"],
        ["validate", "testbed", "check"],
        ["validate", "compare", "all", "all", "--store", store],
    ):
        code, out, _ = run(capsys, *arguments)
        assert code in (0, 3)
        assert "…" not in out.replace("KEY=VALUE,…", "")
        assert max(map(len, out.splitlines())) > int(columns)


def test_what_a_typing_mistake_names_is_not_taken_for_empty(capsys, tmp_path: Path) -> None:
    store = str(Path(__file__).parents[2] / "figures" / "measured" / "parallel-updates.json")
    code, out, err = run(capsys, "validate", "list", "--suite", "paralel", "--store", store)
    assert (code, out.splitlines()[-1].split()[0]) == (0, "0")
    assert err == "Note: there are no runs of suite 'paralel'; there are some of parallel-updates@2.\n"
    code, _, err = run(capsys, "validate", "baseline", "list", "--store", str(tmp_path / "none.sqlite"))
    assert (code, err.count("\n")) == (2, 1)
    assert "none.sqlite is not there" in err
    code, _, err = run(capsys, "validate", "run", "laptop", "--repetitions", "1000000000", "--dry-run")
    assert (code, err.count("\n")) == (2, 1)


def test_an_odd_file_is_not_taken_for_a_missing_store(capsys, tmp_path: Path) -> None:
    pipe, exported = tmp_path / "pipe", tmp_path / "runs.json"
    os.mkfifo(pipe)
    exported.write_text("[]", encoding="utf-8")
    for path in (pipe, tmp_path):
        code, _, err = run(capsys, "app", "--no-browser", "--store", str(path))
        assert (code, err.count("\n")) == (2, 1)
        assert "it is no regular file" in err
    for write in (False, True):
        with pytest.raises(
            BadInput, match=r"is an exported list, and this needs a store; `psmodel validate import"
        ):
            Store(exported, write=write)
