"""What the notebooks show things with: tables, and how far a long cell is."""

import base64
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from IPython.display import DisplayHandle, Markdown, display
from matplotlib.figure import Figure

from psmodel.units import format_time


def table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str] | None = None) -> Markdown:
    """Rows as a table; columns that end in ``_s`` are times in s.

    Parameters
    ----------
    columns
        Key of a row → heading; all keys of the first row, as they are, if none are given.
    """
    rows = list(rows)
    columns = columns or {key: key for key in rows[0]}
    lines = [list(columns.values()), ["---:" if _number(rows, key) else "---" for key in columns]]
    lines += [[_text(key, row[key]) for key in columns] for row in rows]
    return Markdown("\n".join("| " + " | ".join(cells) + " |" for cells in lines))


def _number(rows: list[Mapping[str, Any]], key: str) -> bool:
    return all(isinstance(row[key], int | float | None) for row in rows)


def _text(key: str, value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return format_time(value) if key.endswith("_s") else f"{value:,.4g}"
    return str(value)


def stored_runs_only() -> bool:
    """Whether nothing is to be run for real: ``python -m notebooks --stored`` says so."""
    return os.environ.get("PSMODEL_NOTEBOOKS") == "stored"


def with_picture(widget: Any, figure: Figure) -> None:
    """Show a widget; where there is no kernel to move it (a page, print, a code host), the figure in its place."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    picture = {"image/png": base64.b64encode(buffer.getvalue()).decode()}
    display(widget._repr_mimebundle_() | picture, raw=True)


@contextmanager
def progress(total: int | None, what: str) -> Iterator[Callable[[int, str], None]]:
    """One line that says how far it is, as `psmodel.cli.options.progress` does on a terminal."""
    display = DisplayHandle()
    display.display(Markdown(f"{what} …"))
    count = 0

    def advance(steps: int = 1, text: str = "") -> None:
        nonlocal count
        count += steps
        display.update(Markdown(f"{what}: {count} of {total} {text}".rstrip()))

    yield advance
