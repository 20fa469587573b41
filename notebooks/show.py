"""What the notebooks show things with: tables, and how far a long cell is."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from IPython.display import DisplayHandle, Markdown

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
