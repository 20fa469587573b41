"""One glossary: every metric and every heading of a table is in it."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from psmodel.results import Metrics
from psmodel.whatif.targets import NAMES

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in (ROOT / "docs" / "reference" / "glossary.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| term"))
]
TERMS = {term.strip(" `") for row in ROWS for term in row[0].split(";")}
HEADINGS_OF_TABLES = ("add_column", "WordsAndNumbers")
TABLES = [
    path
    for package in ("psmodel", "validate")
    for path in (ROOT / package).rglob("*.py")
    if any(word in path.read_text(encoding="utf-8") for word in HEADINGS_OF_TABLES)
]
NO_TERMS = {"", "varied ½ to 2 ×"}


def headings(path: Path) -> Iterator[str]:
    """Strings that become headings: arguments of a table, of the loop around `add_column`, values of label tables."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(HEADINGS_OF_TABLES):
            yield from (
                a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
            )
        elif (
            isinstance(node, ast.For)
            and "add_column" in ast.unparse(node)
            and isinstance(node.iter, ast.Tuple)
        ):
            yield from (e.value for e in node.iter.elts if isinstance(e, ast.Constant))
        elif (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == "others"
            and isinstance(node.value, ast.Dict)
        ):
            yield from (e.value for e in node.value.values if isinstance(e, ast.Constant))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_every_heading_is_in_it(path: Path) -> None:
    assert set(headings(path)) - NO_TERMS <= TERMS


def test_every_metric_is_in_it() -> None:
    defined = set(re.findall(r"`(\w+)`", " ".join(row[1] for row in ROWS)))
    assert {*NAMES, *(field.name for field in fields(Metrics))} <= defined


def test_every_label_of_a_metric_is_in_it() -> None:
    from psmodel.cli.options import TIMES
    from psmodel.cli.predictions import _ROWS
    from validate.report import report

    assert {*TIMES.values(), *_ROWS.values(), *report.NAMES.values()} <= TERMS


def test_every_method_and_claim_is_in_it() -> None:
    from typing import get_args

    from psmodel.results import Claim, Method

    text = " ".join(" ".join(row) for row in ROWS)
    assert set(get_args(Method)) <= TERMS
    assert all(claim in text for claim in get_args(Claim))
