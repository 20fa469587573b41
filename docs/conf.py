"""Sphinx configuration; what can be read off the code (tables, API pages, figures) is written before the build."""

import ast
import pkgutil
import re
import sys
from importlib import import_module
from importlib.metadata import version as installed
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from docutils.nodes import SkipNode  # noqa: E402
from docutils.utils.math.latex2mathml import tex2mathml  # noqa: E402
from reference_pages import commands, features, scenario, table  # noqa: E402

from figures.kit import accuracy, build  # noqa: E402
from notebooks import execution  # noqa: E402
from psmodel import load, predict  # noqa: E402
from psmodel.calibration import COEFFICIENTS  # noqa: E402
from psmodel.plotting import palette  # noqa: E402

project = "psmodel"
release = version = installed("psmodel")
copyright = "the psmodel authors, Apache-2.0"  # noqa: A001
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_generated/*.inc.md"]
html_theme = "furo"
html_math_renderer = "mathml"  # browsers draw it themselves: nothing is fetched from elsewhere
html_title = "psmodel"
html_static_path = ["_static"]
html_favicon = "../psmodel/app/page/icon.svg"  # browsers ask for one, and a page without answers 404
html_css_files = ["pages.css"]
html_js_files = ["pages.js"]
html_theme_options = {
    f"{theme}_css_variables": {
        "color-brand-primary": colours["accent"],
        "color-brand-content": colours["accent"],
        "color-brand-visited": colours["accent"],
    }
    for theme, colours in palette.THEMES.items()
}
default_role = "literal"
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    "member-order": "bysource",
    "ignore-module-all": True,
}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_mock_imports = ["ray"]
napoleon_google_docstring = False
napoleon_use_ivar = True
suppress_warnings = ["ref.python"]  # two classes of one name in two packages


def _coefficients() -> str:
    return table(
        ["coefficient", "unit", "ideal", "usual ± spread", "what it is", "source of the usual value"],
        [
            [
                f"`{name}`", about.unit, f"{1.0 if name == 'goodput_factor' else 0.0:g}",
                f"{about.usual:g} ± {about.spread:g}", about.meaning, about.source,
            ]
            for name, about in COEFFICIENTS.items()
        ],
    )  # fmt: skip


def _bounds() -> str:
    bounds = predict(load("ingress-sharded")).bounds
    return table(
        ["phase", "resource", "no faster than"], [[b.phase, b.resource, f"`{b.formula}`"] for b in bounds]
    )


def _gallery() -> str:
    parts = []
    for figure in build.make_all(build.names(), ["ieee"]):
        picture = figure.folder / f"{figure.name}.svg"
        heading, _, text = build.caption(figure.name).partition("\n")
        source = f"`figures/{figure.name}.py`, data `figures/{figure.name}.csv`"
        parts.append(
            f"## {heading.rstrip('.:')}\n\n![{heading}](../{picture.relative_to(HERE.parent)})\n\n"
            f"{text.strip()}\n\n{source}\n"
        )
    return "\n".join(parts)


def _notebooks() -> str:
    parts = []
    for path in execution.paths():
        heading, _, text = execution.read(path).cells[0].source.partition("\n")
        summary = " ".join(text.strip().split("\n\n")[0].split())
        picture = execution.opening_of(path).relative_to(HERE.parent)
        title = heading.lstrip("#0123456789. ")
        parts.append(f"## {title}\n\n{summary}\n\n![Where {path.name} ends](../{picture})\n\n`{path.name}`\n")
    return "\n".join(parts)


def _modules(package: str) -> list[str]:
    root = import_module(package)
    modules = [package]
    for module in pkgutil.walk_packages(root.__path__, prefix=f"{package}."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            modules.append(module.name)
    return modules


def _contents(name: str) -> str:
    """What a package offers under its own name, and its modules with the first sentence of each; else nothing."""
    package = sys.modules.get(name)
    if package is None or not hasattr(package, "__path__"):
        return ""
    offered = []
    for word in getattr(package, "__all__", ()):
        thing = getattr(package, word)
        origin = getattr(thing, "__module__", None) if callable(thing) else None
        offered.append(f":py:obj:`{word} <{origin}.{word}>`" if origin else f"``{word}``")
    parts = [f"It offers {', '.join(offered)}.\n\n"] if offered else []
    for module in pkgutil.iter_modules(package.__path__, prefix=f"{name}."):
        spec = find_spec(module.name)
        if spec is None or spec.origin is None or module.name.rpartition(".")[2].startswith("_"):
            continue
        docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
        parts.append(f":doc:`{module.name}`\n   {' '.join(docstring.split(chr(10) * 2)[0].split())}\n\n")
    return "".join(parts)


def _write(name: str, text: str) -> None:
    path = HERE / "_generated" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _api() -> None:
    pages = set()
    for package in ("psmodel", "validate"):
        names = _modules(package)
        pages |= {*names, f"{package}-index"}
        for name in names:
            heading = f"{name}\n{'=' * len(name)}"
            _write(f"api/{name}.rst", f"{heading}\n\n.. automodule:: {name}\n\n{_contents(name)}")
        toc = "\n".join(f"   {name}" for name in names)
        _write(f"api/{package}-index.rst", f"{package}/\n{'=' * 20}\n\n.. toctree::\n\n{toc}\n")
    for page in (HERE / "_generated" / "api").glob("*.rst"):
        if page.stem not in pages:
            page.unlink()  # of a module that has gone, or has another name


_write("coefficients.inc.md", _coefficients())
_write("bounds.inc.md", _bounds())
_write("features.inc.md", features())
_write("scenario.inc.md", scenario())
_write("commands.inc.md", commands())
_write("accuracy.inc.md", accuracy.page(accuracy.read()))
_write("gallery.inc.md", _gallery())
_write("notebooks.inc.md", _notebooks())
_api()


def _absolute_values(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """In a docstring |x| is an absolute value, not a substitution."""
    lines[:] = [re.sub(r"(`+[^`]*`+)|\|", lambda m: m[1] or r"\|", line) for line in lines]


def _formula(visitor: Any, node: Any) -> None:
    visitor.body.append(tex2mathml(node.astext(), as_block=False))
    raise SkipNode


def _displayed_formula(visitor: Any, node: Any) -> None:
    visitor.body.append(f"<p>{tex2mathml(node.astext(), as_block=True)}</p>")
    raise SkipNode


def _levels_of_captions(
    _app: Any, _page: str, _template: str, context: dict[str, Any], _doctree: Any
) -> None:
    """Sphinx makes the captions of the navigation headings without a level, which a screen reader needs."""
    if tree := context.get("furo_navigation_tree"):
        context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app: Any) -> None:
    """Connect what must see the docstrings, and the renderer of formulas."""
    app.add_html_math_renderer("mathml", (_formula, None), (_displayed_formula, None))
    app.connect("autodoc-process-docstring", _absolute_values, priority=1000)
    app.connect("html-page-context", _levels_of_captions, priority=1000)
