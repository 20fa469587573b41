"""Names of the house: nouns for things, one thing for a name."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("psmodel", "validate", "figures", "benchmarks", "notebooks", "docs", "tests")
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
PARTICIPLES = re.compile(
    "_*(asked|begun|brought|chosen|done|drawn|found|given|gone|held|kept|known|listed|lost|made|meant|met|named|refused"
    "|said|seen|shown|taken|told|wanted|written)"
)
"""What was done to a value says nothing of what it is, and cannot be searched for."""


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def names_of_values(path: Path) -> Iterator[tuple[str, int]]:
    """Variables and parameters with their lines; not the fields of a class, which may be keys of a file."""
    nodes = list(ast.walk(tree(path)))
    of_class = {
        id(name)
        for node in nodes
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for name in ast.walk(statement)
    }
    for node in nodes:
        if id(node) in of_class:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs) and node.name:
            yield node.name, node.lineno


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_value_is_called_like_what_it_is(folder: str) -> None:
    participles = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == folder
        for name, line in names_of_values(path)
        if PARTICIPLES.fullmatch(name)
    ]
    assert participles == []


def test_no_two_classes_have_one_name() -> None:
    places = defaultdict(list)
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] != "tests":
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_called_like_what_it_exports(path: Path) -> None:
    """`from psmodel import explain` would be the module or the function, as the order of imports has it."""
    defined = {
        node.name
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    assert path.stem not in defined
