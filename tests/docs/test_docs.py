"""The pages build without a warning, and what they show in Python is what Python says."""

import doctest
import json
from pathlib import Path

import pytest

from tests.docs.conftest import Site

ROOT = Path(__file__).parents[2]
PAGES = sorted(p for p in (ROOT / "docs").rglob("*.md") if "_generated" not in p.parts)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_examples_say_what_python_says(page: Path) -> None:
    failed, _ = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert not failed


def test_the_examples_are_found() -> None:
    assert sum(">>> " in page.read_text(encoding="utf-8") for page in PAGES) >= 2


def test_the_pages_build_without_a_warning(site: Site) -> None:
    assert site.code == 0, site.stderr


def test_the_table_of_estimates_is_that_of_the_benchmark() -> None:
    """Closed forms and mean value analysis out of step or overlapped, at most 10 % off on average."""
    page = (ROOT / "docs/background/limits.md").read_text(encoding="utf-8")
    rows = json.loads((ROOT / "benchmarks/results/estimates.json").read_text(encoding="utf-8"))["rows"]
    kinds = ("asynchronous", "stale-synchronous", "prefetched pulls", "layers", "all")
    for kind, row in zip(kinds, rows, strict=True):
        assert row["closed form, mean"] <= 0.10
        assert row["mean value analysis, mean"] <= 0.10
        cells = [f"{100 * row[f'closed form, {what}']:.1f} %" for what in ("mean", "bias", "90 %", "largest")]
        cells += [f"{100 * row[f'mean value analysis, {what}']:.1f} %" for what in ("mean", "largest")]
        sign = "" if row["closed form, bias"] < 0 else "+"
        cells[1] = sign + cells[1].replace("-", "−")
        assert f"| {kind} | {row['scenarios']} | {' | '.join(cells)} |" in page
    assert rows[-1]["scenarios"] == 300
