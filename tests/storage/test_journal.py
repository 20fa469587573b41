"""The journal: whatever byte a kill stops at, finished rows stay and nothing else appears."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel.errors import BadInput
from psmodel.storage.journal import Journal

ROWS = {f"key{i}": {"text": "é" * i * 500, "value": i / 3, "none": None} for i in range(5)}


def filled(path: Path) -> bytes:
    with Journal(path) as journal:
        for key, row in ROWS.items():
            journal.append(key, row)
    return path.read_bytes()


def test_rows_are_there_after_reopening(tmp_path: Path) -> None:
    filled(tmp_path / "j")
    with Journal(tmp_path / "j") as journal:
        assert {key: journal.get(key) for key in ROWS} == ROWS
        assert "other" not in journal


@given(cut=st.floats(0, 1))
def test_cut_anywhere_it_keeps_the_finished_rows_and_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: float
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    whole = filled(path)
    content = whole[: int(cut * len(whole))]
    path.write_bytes(content)
    with Journal(path) as journal:
        keys = [key for key in ROWS if key in journal]
        assert len(keys) == max(0, content.count(b"\n") - 1)
        for key, row in ROWS.items():
            if key not in journal:
                journal.append(key, row)
        assert {key: journal.get(key) for key in ROWS} == ROWS
    assert path.read_bytes() == whole


@pytest.mark.parametrize("text", ["workers = 3\n", '{"journal": "other"}\n', "[]\n"])
def test_another_file_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "j"
    path.write_text(text)
    with pytest.raises(BadInput, match="no journal"):
        Journal(path)
    assert path.read_text() == text


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "j"), pytest.raises(BadInput, match="in use"):
        Journal(tmp_path / "j")
    Journal(tmp_path / "j").close()
