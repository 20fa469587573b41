"""The rules of the rooms (ARCHITECTURE.md), and a light start."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "psmodel").rglob("*.py"), *(ROOT / "validate").rglob("*.py")])


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def uses(path: Path, package: str) -> bool:
    return any(name == package or name.startswith(package + ".") for name in imported(path))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_stays_in_its_room(path: Path) -> None:
    where = path.relative_to(ROOT)
    if where.parts[0] == "psmodel":
        assert not uses(path, "validate")
        assert not uses(path, "ray")
    if uses(path, "ray"):
        assert where.parts[1] == "testbeds" or where.stem in {"server", "worker", "actors", "run"}
    if uses(path, "simpy"):
        assert where.parts[:2] == ("psmodel", "simulation")
    if where.parts[:2] == ("psmodel", "simulation"):
        assert not any(uses(path, f"psmodel.{module}") for module in ("analytic", "queueing", "mva"))
    if uses(path, "matplotlib"):
        assert where.stem in {"plot", "report"} or "plot" in where.stem


def loaded_by(*arguments: str) -> set[str]:
    script = (
        "import sys, json, contextlib, io\n"
        "from psmodel.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    try: main(sys.argv[1:])\n"
        "    except SystemExit as stop: assert stop.code == 0, stop.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(json.loads(result.stdout))


def test_predict_starts_light() -> None:
    loaded = loaded_by("predict", "ingress-single", "--json")
    assert not loaded & {"ray", "matplotlib", "scipy", "simpy", "pandas", "numba", "pyarrow", "validate"}


def test_simulate_needs_neither_ray_nor_matplotlib() -> None:
    loaded = loaded_by("simulate", "ingress-single", "--json")
    assert "simpy" in loaded
    assert not loaded & {"ray", "matplotlib", "numba", "validate"}
