"""The page of public names has exactly those that there are, and its example does what it says."""

import doctest
import re
from pathlib import Path

import psmodel

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"


def test_the_page_has_all_public_names() -> None:
    names = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(names) == sorted(psmodel.__all__)


def test_its_example() -> None:
    assert doctest.testfile(str(PAGE), module_relative=False).failed == 0
