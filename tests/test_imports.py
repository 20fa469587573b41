"""The rules of the house (ARCHITECTURE.md), over full module names, and a light start."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "psmodel").rglob("*.py"), *(ROOT / "validate").rglob("*.py")])
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES
}
# Room → rooms that it may import; a room is a folder of a package, or a module that lies in no folder.
_WORDS = "errors wording records units results derived_metrics trace"
_MODEL = (
    f"{_WORDS} engines storage distributions scenario calibration service_demands random_streams backlog limits "
    "region"
)
_ABOVE = f"{_MODEL} analytic queueing output_analysis network simulation predictors"
MAY_IMPORT = {
    "psmodel.errors": "",
    "psmodel.wording": "",
    "psmodel.units": "errors wording",
    "psmodel.results": "",
    "psmodel.trace": "",
    "psmodel.records": "errors wording",
    "psmodel.derived_metrics": "results scenario",
    "psmodel.storage": "errors wording",
    "psmodel.distributions": "errors wording records units storage",
    "psmodel.queueing": "errors",
    "psmodel.output_analysis": "errors",
    "psmodel.network": "errors",
    "psmodel.scenario": "errors wording records units results storage distributions",
    "psmodel.calibration": "errors wording storage",
    "psmodel.region": "errors units distributions scenario",
    "psmodel.fingerprint": "",
    "psmodel.service_demands": "calibration scenario",
    "psmodel.random_streams": "scenario",
    "psmodel.backlog": "results scenario service_demands",
    "psmodel.limits": "errors wording units scenario",
    "psmodel.engines": "errors wording",
    "psmodel.analytic": f"{_MODEL} queueing",
    "psmodel.simulation": f"{_MODEL} network output_analysis",
    "psmodel.predictors": f"{_MODEL} analytic simulation region",
    "psmodel.whatif": _ABOVE,
    "psmodel.plotting": f"{_ABOVE} whatif",
    "psmodel.app": f"{_ABOVE} whatif plotting",
    "psmodel.cli": f"{_ABOVE} fingerprint whatif plotting app",
    "psmodel.__main__": "cli",
    "validate.machine": "",
    "validate.testbeds": "machine",
    "validate.actors": "machine",
    "validate.measurements": "machine",
    "validate.suites": "machine measurements testbeds",
    "validate.runs": "machine testbeds actors measurements suites",
    "validate.fitting": "measurements",
    "validate.comparison": "measurements fitting",
    "validate.published": "comparison",
    "validate.history": "measurements fitting",
    "validate.gate": "machine measurements fitting history",
    "validate.report": "measurements suites fitting comparison",
    "validate.plugin": "measurements history",
    "validate.launch": "testbeds measurements suites",
    "validate.cli": "launch machine testbeds measurements suites runs fitting comparison published history gate report",
}
RAY = {"validate.actors", "validate.runs", "validate.testbeds", "validate.launch"}
SIMPY = {"psmodel.network", "psmodel.simulation"}
MATPLOTLIB = {"psmodel.plotting", "validate.report"}


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def imported(path: Path) -> Iterator[str]:
    """Full names of what a file imports, wherever in it; not what only a type checker reads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module


@pytest.mark.parametrize("module", [m for m in MODULES if "." in m])
def test_every_module_stays_in_its_room(module: str) -> None:
    package, here = module.partition(".")[0], room(module)
    allowed = {f"{package}.{name}" for name in MAY_IMPORT[here].split()} | {here}
    names = set(imported(MODULES[module]))
    for name in sorted(names & MODULES.keys()):
        if package == "psmodel":
            assert name == "psmodel" or room(name) in allowed, f"{module} imports {name}"
        elif name.startswith("validate."):
            assert room(name) in allowed, f"{module} imports {name}"
    roots = {name.partition(".")[0] for name in names}
    assert package != "psmodel" or not roots & {"validate", "ray"}
    for library, rooms in (("ray", RAY), ("simpy", SIMPY), ("matplotlib", MATPLOTLIB)):
        assert library not in roots or here in rooms, f"{module} imports {library}"


def test_the_rules_have_no_circle() -> None:
    """Each room may only import what is listed before it can import it: following the rules never comes back."""
    graph = {
        name: {f"{name.partition('.')[0]}.{other}" for other in rule.split()}
        for name, rule in MAY_IMPORT.items()
    }
    placed: set[str] = set()
    while ready := {name for name, others in graph.items() if name not in placed and others <= placed}:
        placed |= ready
    assert graph.keys() == placed, f"a circle among {sorted(graph.keys() - placed)}"


def test_simulation_and_closed_forms_never_see_each_other() -> None:
    for one, other in (("psmodel.simulation", "psmodel.analytic"), ("validate.runs", "validate.fitting")):
        for here, there in ((one, other), (other, one)):
            for module, path in MODULES.items():
                if room(module) == here:
                    assert not any(room(name) == there for name in imported(path)), module


def test_architecture_names_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`(?:psmodel/|validate/)?(\w+)/?`", text))
    missing = {name.partition(".")[2] for name in MAY_IMPORT} - names - {"__main__"}
    assert not missing


def test_every_path_that_architecture_names_is_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`([\w/.]+\.(?:py|toml|md))`", text))
    assert len(paths) >= 10
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_every_room_is_a_room() -> None:
    assert {room(module) for module in MODULES if "." in module} == MAY_IMPORT.keys()


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
    # Nor what only tables, bars and several processes need, which makes the start longer.
    assert not loaded & {"rich", "multiprocessing", "concurrent"}


def test_every_public_name_is_there_and_is_what_it_says() -> None:
    import psmodel

    for name in psmodel.__all__:
        thing = getattr(psmodel, name)
        assert callable(thing), name
        assert thing.__doc__, name
    assert psmodel.explain(psmodel.load("ingress-single")).binding == "shard ingress"
    assert set(psmodel.__all__) <= set(dir(psmodel))
