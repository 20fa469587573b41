"""The rules of the house (ARCHITECTURE.md), over full module names, and a light start."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
# Folder at the top → those whose modules it may import.
FLOORS = {
    "psmodel": "",
    "validate": "psmodel",
    "figures": "psmodel validate",
    "notebooks": "psmodel validate",
    "benchmarks": "psmodel validate",
    "tests": "psmodel validate figures notebooks benchmarks",
}
EVERYTHING = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for floor in FLOORS
    for path in sorted((ROOT / floor).rglob("*.py"))
}
MODULES = {
    name: path for name, path in EVERYTHING.items() if name.partition(".")[0] in ("psmodel", "validate")
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
# Library → rooms that may import it.
LIBRARIES = {
    "ray": "validate.actors validate.runs validate.testbeds validate.launch",
    "pyspark": "validate.testbeds",
    "aiohttp": "validate.launch",
    "simpy": "psmodel.network psmodel.simulation",
    "numba": "psmodel.network",
    "matplotlib": "psmodel.plotting validate.report",
    "starlette": "psmodel.app",
    "uvicorn": "psmodel.app",
    "jinja2": "validate.report",
    "rich": "psmodel.cli validate.cli validate.report",
    "click": "psmodel.cli validate.cli",
    "pandas": "psmodel.storage",
    "pyarrow": "psmodel.storage",
}


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
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import; give the full name of the module"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in EVERYTHING else str(node.module)


@pytest.mark.parametrize("module", [m for m in MODULES if "." in m])
def test_every_module_stays_in_its_room(module: str) -> None:
    package, here = module.partition(".")[0], room(module)
    allowed = {f"{package}.{name}" for name in MAY_IMPORT[here].split()} | {here}
    names = set(imported(MODULES[module]))
    for name in sorted(names & MODULES.keys()):
        if name.startswith(f"{package}."):
            assert room(name) in allowed, f"{module} imports {name}"
    # The package's own root holds the public names, which rest on everything: nothing inside may rest on it.
    assert package != "psmodel" or "psmodel" not in names, f"{module} imports psmodel itself"
    roots = {name.partition(".")[0] for name in names}
    for library, rooms in LIBRARIES.items():
        assert library not in roots or here in rooms.split(), f"{module} imports {library}"


@pytest.mark.parametrize("module", EVERYTHING)
def test_every_floor_rests_on_lower_ones_alone(module: str) -> None:
    floor = module.partition(".")[0]
    roots = {name.partition(".")[0] for name in imported(EVERYTHING[module])} & FLOORS.keys()
    assert roots <= {floor, *FLOORS[floor].split()}, f"{module} imports {sorted(roots)}"


def test_no_tests_are_imported_by_other_tests() -> None:
    """What several share is a module of its own, and no test runs twice."""
    for module, path in EVERYTHING.items():
        tests_of_others = [name for name in imported(path) if name.rpartition(".")[2].startswith("test_")]
        assert not tests_of_others, f"{module} imports {tests_of_others}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Wherever in them; a package's own name stands for its first file."""
    graph = {name: {*imported(path)} & EVERYTHING.keys() - {name} for name, path in EVERYTHING.items()}
    while ready := {name for name, others in graph.items() if not others}:
        graph = {name: others - ready for name, others in graph.items() if name not in ready}
    assert not graph, f"a circle among {sorted(graph)}"


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


class Line(NamedTuple):
    """A line of the house in ARCHITECTURE.md: its rooms, the rooms and the libraries that they may import."""

    rooms: set[str]
    imports: set[str]
    libraries: set[str]


def lines_of_the_house() -> Iterator[Line]:
    """Of both packages. What is in backticks is a room; "words", "the model" and "all above" are lines before."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text[text.index("| folder |") : text.index("| `figures/`")].splitlines()[2:]
    above: set[str] = set()
    labels: dict[str, set[str]] = {}
    for line in table:
        names, holds, may = (cell.strip() for cell in line.strip("|").split("|"))
        package = re.findall(r"`(psmodel|validate)/", names)[0]
        rooms = {f"{package}.{name}" for name in re.findall(r"`(?:psmodel/|validate/)?(\w+)/?`", names)}
        labels["all above"] = {name for name in above if name.startswith(package)}
        modules, _, libraries = may.partition(";")
        single = {f"{package}.{name}" for name in re.findall(r"`(\w+)`", modules)}
        phrases = [name for name in labels if name in modules]
        yield Line(
            rooms,
            single.union(*(labels[name] for name in phrases)),
            set(libraries.partition(";")[0].lower().replace(",", " ").split()),
        )
        above |= rooms
        for label in re.findall(r"\*([\w ]+)\*:", holds):
            labels[label] = set(above) if label == "the model" else rooms


def test_architecture_says_what_the_rules_say() -> None:
    """Line by line: neither allows what the other does not."""
    lines = list(lines_of_the_house())
    assert sorted(name for line in lines for name in line.rooms) == sorted(MAY_IMPORT)
    for line in lines:
        rule = {
            f"{name.partition('.')[0]}.{other}" for name in line.rooms for other in MAY_IMPORT[name].split()
        }
        assert rule - line.rooms == line.imports - line.rooms, sorted(line.rooms)
        libraries = {name for name, rooms in LIBRARIES.items() if line.rooms & {*rooms.split()}}
        assert line.libraries & LIBRARIES.keys() == libraries, sorted(line.rooms)


def test_every_path_that_architecture_names_is_there() -> None:
    """Files, folders and modules by their full names."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    paths = set(
        re.findall(r"`((?:psmodel|validate|figures|notebooks|benchmarks|tests|docs)/[\w/.*]*)`", text)
    )
    assert len(paths) >= 30
    missing = [
        path for path in sorted(paths) if not list(ROOT.glob(path)) and not list(ROOT.glob(f"{path}.py"))
    ]
    assert not missing
    modules = set(re.findall(r"`((?:psmodel|validate)(?:\.\w+)+)`", text))
    groups = {"psmodel.commands", "psmodel.measurements", "psmodel.real_runs", "psmodel.engines"}
    groups |= {"psmodel.distributions", "psmodel.testbeds", "psmodel.coefficients"}  # of entry points
    unknown = [name for name in modules - groups if name not in MODULES and not attribute(name)]
    assert not unknown


def attribute(name: str) -> bool:
    """Whether it is something that a module holds."""
    module, _, thing = name.rpartition(".")
    return (
        module in MODULES
        and re.search(rf"^(def|class) {thing}\b|^{thing}\b", MODULES[module].read_text(), re.M) is not None
    )


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
