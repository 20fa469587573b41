"""Tables on stdout: quantities with their units, at most four significant digits, and no rounding noise."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from psmodel.cli.options import console
from psmodel.whatif.parameter_space import written

if TYPE_CHECKING:
    from rich.table import Table

_FILE_WIDTH = 200
"""Columns at least where the output is no terminal, which would say how many it has."""
_DUST = 1e-9
"""Part of what it belongs to below which a number is rounding noise."""


def quantity(
    name: str,
    value: float | None,
    *,
    half_width: float | None = None,
    interval: tuple[float | None, float | None] | None = None,
    scale: float | None = None,
) -> str:
    """A metric or setting with what is known of its spread.

    Parameters
    ----------
    scale
        What the value is a part of, as an iteration of a wait: less than rounding of that is 0.

    >>> quantity("wait_time_s", 5.6e-17, scale=0.1), quantity("push_time_s", 0.08, half_width=1e-17)
    ('0 s', '80 ms')
    >>> quantity("iteration_time_s", 0.5, half_width=0.01, interval=(0.4, 0.6))
    '500 ms ± 10 ms [400 ms, 600 ms]'
    """
    if value is None:
        return "–"
    if scale is not None and abs(value) < _DUST * abs(scale):
        value = 0.0
    text = written(name, value)
    if half_width is not None and half_width > _DUST * abs(value):
        text += f" ± {written(name, half_width)}"
    low, high = interval or (None, None)
    if low is not None and high is not None and high - low > _DUST * abs(value):
        text += f" [{written(name, low)}, {written(name, high)}]"
    return text


class WordsAndNumbers:
    """A table whose first column is words and whose others are numbers, except those named `words`."""

    def __init__(self, *headings: str, words: Sequence[str] = ()) -> None:
        from rich.table import Table

        self._table = Table(box=None, pad_edge=False)
        for index, heading in enumerate(headings):
            is_text = index == 0 or heading in words
            self._table.add_column(heading, justify="left" if is_text else "right", no_wrap=True)

    def add(self, *cells: str) -> None:
        """Add a row."""
        self._table.add_row(*cells)

    def show(self) -> None:
        """Print it, after an empty line."""
        click.echo()
        print_table(self._table)


def print_table(table: "Table") -> None:
    """On stdout, whole where that is no terminal."""
    screen = console()
    if not screen.is_terminal:
        screen.width = max(_FILE_WIDTH, table.__rich_measure__(screen, screen.options).maximum)
    screen.print(table)


_COLUMNS = {
    "iteration_time_s": "iteration",
    "ingress_time_s": "ingress",
    "updates_per_s": "updates",
    "cost_per_hour": "{currency}/h",
    "cost_per_1000_iterations": "{currency}/1000 it.",
    "bottleneck": "bottleneck",
}


def show_rows(
    rows: Sequence[Mapping[str, Any]], keys: Sequence[str], *, also: Sequence[str] = (), origin: bool = False
) -> None:
    """A table on stdout: the settings `keys`, the main metrics with their intervals, cost and bottleneck.

    Parameters
    ----------
    also
        Further metrics to show.
    origin
        Whether to say by which method each row is, and what it claims.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    first = rows[0]
    columns = {key: key for key in keys} | {key: title for key, title in _COLUMNS.items() if key in first}
    columns |= {name: name.replace("_", " ") for name in also if name not in columns}
    for key, heading in columns.items():
        title = heading.replace("{currency}", str(first.get("currency") or "cost"))
        table.add_column(title, justify="left" if key == "bottleneck" else "right", no_wrap=True)
    if origin:
        table.add_column("by", no_wrap=True)
    for row in rows:
        cells = [_cell(key, row) for key in columns]
        table.add_row(*cells, *([_origin(row)] if origin else []))
    print_table(table)


def _cell(key: str, row: Mapping[str, Any]) -> str:
    value = row[key]
    if not isinstance(value, int | float):
        return written(key, value)
    low = row.get(f"{key}_low")
    scale = row["iteration_time_s"] if key.endswith("time_s") else None
    interval = None if low is None else (low, row[f"{key}_high"])
    return quantity(key, value, half_width=row.get(f"{key}_half_width"), interval=interval, scale=scale)


def _origin(row: Mapping[str, Any]) -> str:
    claim = row.get("claim")
    from psmodel.whatif.verdicts import METHODS

    return METHODS[row["method"]] + (f", {claim}" if claim else "")
