"""The figures: their data are what the model gives, and the pictures are whole, the same each time and up to date."""

import json
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from figures.kit import build, data
from figures.kit.style import SERIES, STYLES
from psmodel.errors import BadInput

NAMES = build.names()


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_data_are_what_the_model_gives(name: str) -> None:
    stored, computed = data.read(name), build.script(name).compute()
    assert data.same(computed, stored), f"remake them: python -m figures {name} --refresh"
    assert data.provenance(name)["data_sha256"] == data.sha256(data.csv_path(name))
    assert data.provenance(name)["scenario"] == build.script(name).SCENARIO.to_json()


def test_a_changed_model_is_noticed() -> None:
    stored = data.read("ingress")
    changed = [row | {"closed_form_s": row["closed_form_s"] * (1 + 1e-5)} for row in stored]
    assert not data.same(changed, stored)
    assert not data.same(stored[1:], stored)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off_and_no_type_is_too_small(name: str, style: str) -> None:
    figure = build.drawn(name, style)
    canvas = FigureCanvasAgg(figure)
    with STYLES[style].applied():
        canvas.draw()
    renderer = canvas.get_renderer()
    assert figure.get_figwidth() in (STYLES[style].column, STYLES[style].page)
    box = figure.get_tightbbox(renderer)
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= figure.get_figwidth() + 0.01
    assert box.y1 <= figure.get_figheight() + 0.01
    sizes = [t.get_fontsize() for t in figure.findobj(Text) if t.get_text()]  # type: ignore[attr-defined]
    assert min(sizes) >= (6.5 if style != "slides" else 12)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One figure, by two interpreters that hash differently."""
    folders = (tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two"))
    for seed, folder in enumerate(folders, start=1):
        subprocess.run(
            [sys.executable, "-m", "figures", "push_floor", "--style", "acm", "--out", str(folder)],
            cwd=data.FOLDER.parent, env=os.environ | {"PYTHONHASHSEED": str(seed)}, check=True, capture_output=True,
        )  # fmt: skip
    return folders[0] / "acm", folders[1] / "acm"


def test_made_again_it_is_the_same_bytes(result: tuple[Path, Path]) -> None:
    one, two = result
    names = sorted(f.name for f in one.iterdir())
    assert names == [f"push_floor.{ending}" for ending in ("json", "pdf", "png", "svg", "tex", "txt")]
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_fonts_are_embedded_and_nothing_is_a_bitmap(result: tuple[Path, Path]) -> None:
    pdf = (result[0] / "push_floor.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"/Subtype /Image" not in pdf


def test_provenance_lies_beside_and_inside_every_file(result: tuple[Path, Path]) -> None:
    folder = result[0]
    record = json.loads((folder / "push_floor.json").read_text(encoding="utf-8"))
    assert {"scenario", "commit", "versions", "seed", "inputs_sha256", "data_sha256"} <= record.keys()
    digest = record["inputs_sha256"]
    assert digest in (folder / "push_floor.svg").read_text(encoding="utf-8")
    with Image.open(folder / "push_floor.png") as picture:
        assert json.loads(picture.text["Description"]) == record  # type: ignore[attr-defined]
    pdf = (folder / "push_floor.pdf").read_bytes()
    assert digest.encode() in pdf or any(digest.encode() in s for s in _streams(pdf))


def _streams(pdf: bytes) -> list[bytes]:
    rows = []
    for match in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            rows.append(zlib.decompress(match[1]))
        except zlib.error:
            rows.append(match[1])
    return rows


def test_only_what_changed_is_made(tmp_path: Path) -> None:
    assert build.make("ingress", "ieee", tmp_path).changed
    assert not build.make("ingress", "ieee", tmp_path).changed
    (tmp_path / "ieee" / "ingress.svg").unlink()
    assert build.make("ingress", "ieee", tmp_path).changed


def test_an_unknown_figure_is_refused_in_a_sentence() -> None:
    with pytest.raises(BadInput, match=r"figure 'ingres' is not known; there are .*ingress"):
        build.script("ingres")


def test_series_are_told_apart_without_colour() -> None:
    assert len({str(look["linestyle"]) for look in SERIES}) == len(SERIES)
    assert len({look["marker"] for look in SERIES}) == len(SERIES)


def test_series_are_dark_enough_in_grey() -> None:
    """Contrast with white of at least 3 : 1 (WCAG 2.2, success criterion 1.4.11), all but the third pair's purple."""
    for look in SERIES:
        rgb = np.array([int(look["color"][i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        contrast = 1.05 / (float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05)
        assert contrast >= 2.9, look
