"""Tidy tables: rows with the same columns, written as CSV, JSON or Parquet."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from psmodel.errors import BadInput, CannotRun
from psmodel.storage.atomic import whole, writable
from psmodel.wording import plain

Row = Mapping[str, Any]
Rows = Callable[[], Iterable[Row]]
"""Gives the rows from the first one on, each time it is called: a table is read twice and never held whole."""
_BATCH = 4096


def check(path: Path) -> None:
    """See whether a table can be written there, before hours are spent on its rows.

    Raises
    ------
    BadInput
        If the suffix names no kind of table, the folder is missing, or something else than a file is there.
    CannotRun
        If it is Parquet and pyarrow is not installed.
    """
    if path.suffix not in _WRITERS:
        raise BadInput(
            f"{plain(str(path))}: {plain(path.suffix) or 'no suffix'} is no table; it is one of {', '.join(_WRITERS)}"
        )
    writable(path)
    if path.suffix == ".parquet":
        _pyarrow()


def write(rows: Rows, path: Path, *, columns: Sequence[str] = ()) -> None:
    """Write a table, by the file's suffix; the file appears once it is complete.

    Parameters
    ----------
    columns
        Its header if it turns out to have no rows.

    Raises
    ------
    BadInput, CannotRun
        As `check`; also if the file cannot be written.
    """
    check(path)
    with whole(path) as file:
        _WRITERS[path.suffix](rows, file, columns)


def _csv(rows: Rows, file: IO[bytes], columns: Sequence[str]) -> None:
    import io

    # A lone surrogate is no UTF-8; it is written out as in Python.
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    # A setting may be a number in one row and a table in another, with a column for each.
    names = dict.fromkeys(name for row in rows() for name in row)
    writer = csv.DictWriter(text, fieldnames=list(names), lineterminator="\n")
    if names:
        writer.writeheader()
    for row in rows():
        writer.writerow({name: _cell(value) for name, value in row.items()})
    if not names and columns:
        csv.writer(text, lineterminator="\n").writerow(columns)
    text.detach()


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe; numbers stay numbers.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return (
        f"'{value}"
        if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
        else value
    )


def _json(rows: Rows, file: IO[bytes], columns: Sequence[str]) -> None:
    separator = b"[\n"
    for row in rows():
        file.write(separator + json.dumps(row, allow_nan=False).encode())
        separator = b",\n"
    file.write(b"\n]\n" if separator == b",\n" else b"[]\n")


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise CannotRun(
            "Parquet needs pyarrow: install psmodel[data], or write the table as .csv or .json"
        ) from None
    return pyarrow


def _parquet(rows: Rows, file: IO[bytes], columns: Sequence[str]) -> None:
    arrow = _pyarrow()
    kinds: dict[str, set[type]] = {}
    for row in rows():
        for name, value in row.items():
            kinds.setdefault(name, set()).add(type(value))
    kinds = kinds or {name: {str} for name in columns}
    schema = arrow.schema([(name, _arrow_type(arrow, types)) for name, types in kinds.items()])
    text = {name for name, types in kinds.items() if str in types}
    with arrow.parquet.ParquetWriter(file, schema) as writer:
        for batch in _batches(rows()):
            cells = [
                [str(v) if name in text and v is not None else v for v in (row.get(name) for row in batch)]
                for name in kinds
            ]
            arrays = [
                arrow.array(column, type=kind) for column, kind in zip(cells, schema.types, strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


_WRITERS: Mapping[str, Callable[[Rows, IO[bytes], Sequence[str]], None]] = {
    ".csv": _csv, ".json": _json, ".parquet": _parquet,
}  # fmt: skip


def _arrow_type(arrow: Any, types: set[type]) -> Any:
    if str in types:
        return arrow.string()
    types = types - {type(None)}
    if types == {bool}:
        return arrow.bool_()
    return arrow.int64() if types == {int} else arrow.float64()


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def to_frame(rows: Iterable[Row]) -> Any:
    """The rows as a pandas data frame.

    Raises
    ------
    CannotRun
        If pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise CannotRun("to_frame needs pandas, which is not installed; to_rows gives plain rows") from None
    return pandas.DataFrame(list(rows))
