"""Files, functions and constructors stay small enough to be read at once."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = [path for package in ("psmodel", "validate") for path in sorted((ROOT / package).rglob("*.py"))]
MOST_LINES, MOST_OF_A_FUNCTION, MOST_ARGUMENTS = 350, 60, 12
TOO_LONG = {
    "validate/runs/real_run.py run",
}
"""Still to be split. Whoever splits one takes it out, and nothing is added."""


ROWS = "psmodel/simulation/messages/"
"""Compiled loops here take each array as an argument of its own."""


def functions(path: Path) -> Iterator[tuple[str, int, int]]:
    """Names, lines of code (its docstring left out), and arguments besides `self`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1 - (docstring.count("\n") + 1 if docstring else 0)
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            yield node.name, lines, len(names) - (names[:1] in (["self"], ["cls"]))


def test_files_and_functions_are_short() -> None:
    long = set()
    for path in SOURCES:
        name = str(path.relative_to(ROOT))
        if path.read_text(encoding="utf-8").count("\n") > MOST_LINES:
            long.add(name)
        long |= {f"{name} {function}" for function, lines, _ in functions(path) if lines > MOST_OF_A_FUNCTION}
    assert long == TOO_LONG


def test_no_function_takes_a_crowd_of_arguments() -> None:
    """A command with many options takes them as one record; a compiled loop has an argument for each array."""
    assert {
        f"{path.relative_to(ROOT)} {function}"
        for path in SOURCES
        for function, _, count in functions(path)
        if not str(path.relative_to(ROOT)).startswith(ROWS)
        and count > (10 if function == "__init__" else MOST_ARGUMENTS)
    } == set()
