"""Makes the pictures: those whose data, script or style changed, on all cores, the same bytes each time."""

import importlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import matplotlib
from matplotlib.figure import Figure

from figures.kit import data
from figures.kit.data import FOLDER, Rows
from figures.kit.style import STYLES, Style
from psmodel.errors import BadInput
from psmodel.plotting import palette
from psmodel.scenario import Scenario

FORMATS = ("pdf", "svg", "png")
OUT = FOLDER / "out"


class Script(Protocol):
    """A figure's module.

    Attributes
    ----------
    SCENARIO
        What is varied to make the data.
    """

    __doc__: str
    __file__: str
    SCENARIO: Scenario

    def compute(self) -> Rows:
        """Make the data anew."""
        ...

    def draw(self, rows: Rows, style: Style) -> Figure:
        """Draw the data."""
        ...


def names() -> list[str]:
    """All figures."""
    return sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))


def script(name: str) -> Script:
    """The module of a figure.

    Raises
    ------
    BadInput
        If there is none of that name.
    """
    if name not in names():
        raise BadInput(f"figure {name!r} is not known; there are {', '.join(names())}")
    return cast(Script, importlib.import_module(f"figures.{name}"))


def caption(name: str) -> str:
    """What a figure shows: the whole docstring of its script."""
    return script(name).__doc__.strip()


def title(name: str) -> str:
    """The first sentence of the caption."""
    return caption(name).split("\n", 1)[0].rstrip(".")


def latex(name: str) -> str:
    """A float that includes the PDF beside it, with the caption and a label."""
    text = " ".join(caption(name).split())
    for character in "&%#_":
        text = text.replace(character, f"\\{character}")
    text = re.sub(r"`+([^`]*)`+", r"\\texttt{\1}", text)
    return (
        "\\begin{figure}\n  \\centering\n"
        f"  \\includegraphics[width=\\columnwidth]{{{name}.pdf}}\n"
        f"  \\caption{{{text}}}\n  \\label{{fig:{name.replace('_', '-')}}}\n\\end{{figure}}\n"
    )


def drawn(name: str, style: str = "ieee") -> Figure:
    """A figure from its stored data."""
    with STYLES[style].applied():
        return script(name).draw(data.read(name), STYLES[style])


@dataclass(frozen=True, kw_only=True)
class Made:
    """What became of a figure: made, or found as it should be."""

    name: str
    folder: Path
    changed: bool


def refresh(name: str) -> bool:
    """Compute a figure's data; store them if they say something else than those that are there."""
    module = script(name)
    rows = module.compute()
    if data.csv_path(name).exists() and data.same(rows, data.read(name)):
        return False
    origin: Callable[[], dict[str, Any]] = getattr(module, "origin", dict)
    data.write(name, rows, module.SCENARIO, origin())
    return True


def make(name: str, style: str, out: Path = OUT) -> Made:
    """Draw one figure in one style, unless its files are there and made from the same inputs."""
    folder = out / style
    record = _record(name, style)
    note = folder / f"{name}.json"
    files = [folder / f"{name}.{ending}" for ending in FORMATS]
    texts = {folder / f"{name}.txt": caption(name) + "\n", folder / f"{name}.tex": latex(name)}
    files += texts
    if all(f.exists() for f in files) and note.exists() and note.read_text(encoding="utf-8") == record:
        return Made(name=name, folder=folder, changed=False)
    folder.mkdir(parents=True, exist_ok=True)
    note.unlink(missing_ok=True)
    with STYLES[style].applied():
        figure = script(name).draw(data.read(name), STYLES[style])
        for file in files[: len(FORMATS)]:
            figure.savefig(file, metadata=_metadata(file.suffix, name, record))
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    note.write_text(record, encoding="utf-8")  # last: only then are the others whole
    return Made(name=name, folder=folder, changed=True)


def make_all(
    names: Sequence[str], styles: Sequence[str], out: Path = OUT, processes: int | None = None
) -> Iterator[Made]:
    """Draw figures in parallel, and give each one's fate in the order asked for."""
    jobs = [(name, style, out) for style in styles for name in names]
    with ProcessPoolExecutor(min(len(jobs), processes or os.cpu_count() or 1)) as pool:
        yield from pool.map(make, *zip(*jobs, strict=True))


def _record(name: str, style: str) -> str:
    """The provenance file: that of the data, and a hash of everything else the picture depends on."""
    inputs = data.sha256(
        data.csv_path(name),
        Path(script(name).__file__),
        Path(palette.__file__),
        *sorted((FOLDER / "kit").glob("*.py")),
    )
    drawing = {"style": style, "matplotlib": matplotlib.__version__, "inputs_sha256": inputs}
    return json.dumps(data.provenance(name) | drawing, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _metadata(ending: str, name: str, record: str) -> dict[str, Any]:
    """The title and the provenance, under the names that a format has for them; no date."""
    if ending == ".pdf":
        return {"Title": title(name), "Subject": record, "CreationDate": None}
    if ending == ".svg":
        return {"Title": title(name), "Description": record, "Date": None}
    return {"Title": title(name), "Description": record}
