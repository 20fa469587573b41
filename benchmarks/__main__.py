"""``python -m benchmarks``: run cases, print them, keep them as JSON."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cases import CASES, USUAL, Row
from benchmarks.peer import simgrid
from validate.machine.environment import this_machine

_ROOT = Path(__file__).parents[1]
_BY_THE_BROWSER = "of the browser's clock; browser and server share the machine"
_BY_THE_PROCESSOR = (
    "processor time of one thread, the shortest of several runs where they are short; "
    "other work may run on the machine"
)
_SOFTWARE = ("cpu_model", "cores", "memory_bytes", "kernel", "python", "numpy", "psmodel", "git_commit")


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name.endswith("_bytes"):
        return f"{value / 1e6:.0f} MB"
    if name.endswith("difference"):
        return f"{value:.0e}"
    if isinstance(value, float):
        return f"{value:.3g}×" if name.endswith("ratio") else f"{value:.3g}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell("", item) for item in value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _show(console: Console, title: str, rows: list[Row]) -> None:
    table = Table(title=title, title_justify="left", box=None)
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        table.add_column(name.removesuffix("_bytes"), justify="right")
    for row in rows:
        table.add_row(*(_cell(name, row.get(name)) for name in names))
    console.print(table)
    console.print()


def main() -> None:
    """Run the cases asked for, by default all; `gate` is a program of its own."""
    if sys.argv[1:2] == ["gate"]:
        from benchmarks.gate.__main__ import main as gate

        gate(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("case", nargs="*", help=f"of {', '.join(CASES)}; {', '.join(USUAL)} if none is given")
    parser.add_argument(
        "--patience",
        type=float,
        default=120.0,
        metavar="S",
        help="stop SimGrid after S seconds (default 120)",
    )
    parser.add_argument(
        "--save",
        type=Path,
        default=_ROOT / ".benchmarks",
        metavar="DIR",
        help="where a JSON file per case goes",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.case) - set(CASES):
        parser.error(f"there is no case {min(unknown)!r}; there are {', '.join(CASES)}")
    console = Console(width=200, highlight=False)
    peer = simgrid()
    if peer is None:
        console.print(
            "SimGrid is not installed (apt install libsimgrid-dev g++): nothing is compared with it."
        )
    here = {name: value for name, value in this_machine().to_json().items() if name in _SOFTWARE}
    arguments.save.mkdir(parents=True, exist_ok=True)
    for name in arguments.case or USUAL:
        title = (CASES[name].__doc__ or name).strip()
        rows = list(CASES[name](arguments.patience))
        _show(console, title, rows)
        document = {
            "case": name,
            "title": title,
            "taken": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": here,
            "peer": None if peer is None else peer.name,
            "patience_s": arguments.patience,
            "seconds": _BY_THE_BROWSER if name == "page" else _BY_THE_PROCESSOR,
            "rows": rows,
        }
        path = arguments.save / f"{name}.json"
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
