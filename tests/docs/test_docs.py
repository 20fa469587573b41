"""The pages build without a warning, and what they show in Python is what Python says."""

import doctest
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
