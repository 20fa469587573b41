"""One palette: every colour stands in one module, is told apart, and can be read on its ground."""

import json
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from psmodel.plotting import palette

ROOT = Path(__file__).parents[2]
HEX = re.compile(r"#[0-9A-Fa-f]{6}\b")


def linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio"."""
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_no_other_file_names_a_colour() -> None:
    sources = [
        path
        for folder in ("psmodel", "validate", "figures", "notebooks", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".js", ".css", ".j2", ".html", ".ipynb")
        and not {"vendor", "out", "_generated"} & set(path.parts)
        and path != Path(palette.__file__)
    ]
    assert len(sources) > 100
    assert {str(p): HEX.findall(t) for p in sources if HEX.search(t := p.read_text(encoding="utf-8"))} == {}


@pytest.mark.parametrize("theme", palette.THEMES)
def test_text_and_curves_stand_out_from_their_ground(theme: str) -> None:
    colours = palette.THEMES[theme]
    for ground in ("back", "card", "tint"):
        for text in ("text", "quiet", "accent", "bad", "good"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast(colours["on-accent"], colours["accent"]) >= 4.5
    for curve in ("first", "second", "measured"):
        assert contrast(colours[curve], colours["card"]) >= 2.9, curve


# Viénot, Brettel & Mollon (1999), Color Res. Appl. 24: what protanopes and deuteranopes see, of linear RGB.
LMS = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
DICHROMATS = {
    "protanopia": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
    "deuteranopia": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
}


@pytest.mark.parametrize("who", DICHROMATS)
def test_phases_differ_to_the_colour_blind(who: str) -> None:
    impressions = {
        phase: np.linalg.inv(LMS) @ DICHROMATS[who] @ LMS @ linear(colour)
        for phase, colour in palette.PHASES.items()
    }
    for one, other in combinations(impressions, 2):
        assert np.abs(impressions[one] - impressions[other]).max() > 0.08, (one, other)


def test_the_style_sheet_has_every_colour() -> None:
    sheet = palette.css()
    for name, colour in (palette.THEMES["light"] | palette.THEMES["dark"]).items():
        assert f"--{name}: {colour};" in sheet
    used = {
        name
        for path in (ROOT / "psmodel/app/page").glob("*.css")
        for name in re.findall(r"var\(--([\w-]+)", path.read_text(encoding="utf-8"))
    }
    assert used <= set(re.findall(r"--([\w-]+):", sheet))


def test_the_palette_needs_no_matplotlib() -> None:
    script = "import sys, json, psmodel.plotting.palette; print(json.dumps('matplotlib' in sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) is False
