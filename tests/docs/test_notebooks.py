"""The notebooks run from top to bottom, what they show holds no error, and their files hold no output."""

import base64
import json
from io import BytesIO
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image

from notebooks import execution

PATHS = execution.paths()
PICTURES = {
    "1-tutorial": 4, "2-capacity-planning": 4, "3-validate-your-cluster": 3, "4-paper-figures": 14, "5-extend": 1,
}  # fmt: skip
"""The least number of them."""
TABLES = 2


def test_there_are_five() -> None:
    assert [path.stem[0] for path in PATHS] == list("12345")


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_the_file_holds_no_output_and_is_written_the_one_way(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == execution.stripped(execution.read(path)), (
        f"strip it: python -m notebooks --strip {path.stem}"
    )


@pytest.mark.ray
@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_it_runs_and_shows_what_it_says(path: Path) -> None:
    notebook = execution.read(path)
    if path.stem == "1-tutorial":
        move = "for slider in sliders:\n    slider.value = slider.max\n    slider.value = slider.min"
        notebook.cells.append(nbformat.v4.new_code_cell(move))
    executed = execution.execute(notebook)
    assert not execution.errors(executed)
    pictures = execution.pictures(executed)
    assert len(pictures) >= PICTURES.get(path.stem, 0)
    for picture in pictures:
        with Image.open(BytesIO(base64.b64decode(picture))) as opened:
            assert np.asarray(opened.convert("L")).std() > 5, "an empty picture"
    last = base64.b64decode(execution.pictures(executed, of_widgets=False)[-1])
    assert alike(last, execution.opening_of(path).read_bytes()), (
        f"python -m notebooks --stored --opening {path.stem}"
    )
    outputs = [
        o.data.get("text/markdown", "") for c in executed.cells for o in c.get("outputs", []) if "data" in o
    ]
    assert sum("| ---" in text for text in outputs) >= TABLES


def alike(one: bytes, other: bytes) -> bool:
    """Whether two pictures show the same, but for what a rendering library of another version does."""
    sides = []
    for data in (one, other):
        with Image.open(BytesIO(data)) as opened:
            sides.append(np.asarray(opened.convert("L").resize((300, 180)), float))
    return float(np.abs(sides[0] - sides[1]).mean()) < 6


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_it_opens_with_a_picture(path: Path) -> None:
    first = execution.read(path).cells[0].source
    picture = execution.opening_of(path)
    assert f"]({picture.relative_to(path.parent)})" in first
    with Image.open(picture) as opened:
        assert np.asarray(opened.convert("L")).std() > 5


def one_cell(source: str) -> NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])


def test_a_cell_that_raises_fails() -> None:
    with pytest.raises(CellExecutionError, match="division by zero"):
        execution.execute(one_cell("1 / 0"))


def test_an_error_inside_a_widget_is_found() -> None:
    executed = execution.execute(
        one_cell("import ipywidgets\nipywidgets.interact(lambda x: 1 / x, x=(0, 0));")
    )
    assert execution.errors(executed) == ["ZeroDivisionError: division by zero"]


def test_stripping_takes_away_what_a_run_left() -> None:
    notebook = one_cell("print(1)")
    before = execution.stripped(notebook)
    executed = execution.execute(notebook)
    executed.cells[0].metadata["collapsed"] = True
    assert executed.cells[0].outputs
    assert execution.stripped(executed) == before


def test_the_home_is_left_alone_and_nothing_listens_beyond_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    ask = (
        "import json, os\nfrom pathlib import Path\n"
        "inodes = {os.readlink(f'/proc/self/fd/{fd}')[8:-1] for fd in os.listdir('/proc/self/fd')\n"
        "          if os.path.exists(f'/proc/self/fd/{fd}') and 'socket:' in os.readlink(f'/proc/self/fd/{fd}')}\n"
        "tcp = [line.split() for line in Path('/proc/net/tcp').read_text().splitlines()]\n"
        "print(json.dumps([row[1] for row in tcp[1:] if row[3] == '0A' and row[9] in inodes], separators=(',', ':')))\n"
        "print(os.environ['IPYTHONDIR'])"
    )
    executed = execution.execute(one_cell(ask))
    listening, folder = "".join(o.text for o in executed.cells[0].outputs).split()
    assert all(address.startswith("0100007F:") for address in json.loads(listening)), listening
    assert not Path(folder).exists()
    assert not list(tmp_path.iterdir())
