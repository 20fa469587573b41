"""``python -m benchmarks.faults``: put every fault into suites of real runs, print and keep the table."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

from benchmarks.faults import ends, starts
from benchmarks.faults.cases import LOCAL, NETNS
from benchmarks.faults.course import Case, Course, FaultRow
from benchmarks.faults.victims import NotFound
from validate.machine.environment import this_machine

_PAGE = Path(__file__).parents[2] / "docs" / "background" / "faults.md"
_HEADINGS = ("testbed", "fault", "noticed after", "what is said", "lost", "left")
Testbed = Literal["local", "netns"]
_REPETITIONS = 100


def rows(testbed: Testbed, cases: Sequence[Case], words: Sequence[str]) -> Iterator[FaultRow]:
    """Every fault on a testbed whose name has one of the words in it."""
    groups: list[list[tuple[str, Callable[[Course], FaultRow]]]] = [
        [(case.name, partial(_struck, case)) for case in cases],
        [(end.name, partial(_ended, end)) for end in ends.ENDS],
    ]
    for start in starts.STARTS:
        groups.append([(start.name, partial(_begun, start))])
    for group in groups:
        course = Course(testbed, repetitions=_REPETITIONS)
        try:
            for name, attempt in group:
                if not words or any(word in name for word in words):
                    try:
                        yield attempt(course)
                    except (TimeoutError, NotFound, subprocess.SubprocessError) as error:
                        reason = f"could not be tried: {' '.join(str(error).split())[-300:]}"
                        yield FaultRow(testbed=testbed, fault=name, noticed_s=None, sentence=reason)
        finally:
            course.close()


def _struck(case: Case, course: Course) -> FaultRow:
    return course.meet(case)


def _ended(end: ends.End, course: Course) -> FaultRow:
    return ends.meet(course, end)


def _begun(start: starts.Start, course: Course) -> FaultRow:
    return starts.meet(course, start)


def page(table: Sequence[FaultRow]) -> str:
    """The documentation's page of it."""
    machine = this_machine()
    load = os.getloadavg()[2]
    lines = [
        "# Faults during real runs",
        "",
        "What `make faults` found: faults put into suites of real runs, from outside, one a run. "
        "`noticed after` is the time until the sentence was said, or until the command had ended; a run that was "
        "only disturbed is told of when it has finished. `lost` counts finished measurements. `left` counts what is "
        "there 10 s later: processes of the run that the fault struck; once the command has ended all processes, "
        "temporary files, shared memory and namespaces.",
        "",
        f"Taken on {machine.cpu_model}, {machine.cores} cores, kernel {machine.kernel}, Ray {machine.ray}. "
        f"On average {load:.1f} processes wanted these cores during the last 15 minutes"
        + (", so that times here are those of a busy machine." if load > 1.5 * machine.cores else "."),
        "",
        "| " + " | ".join(_HEADINGS) + " |",
        "| " + " | ".join(["---", "---", "---:", "---", "---:", "---:"]) + " |",
    ]
    return "\n".join([*lines, *map(_line, table)]) + "\n"


def _line(row: FaultRow) -> str:
    noticed = "not noticed" if row.noticed_s is None else f"{row.noticed_s:.1f} s"
    sentence = " ".join(row.sentence.split()).replace("|", r"\|")
    cells = (row.testbed, row.fault, noticed, sentence, str(row.lost), _count(row.left))
    return "| " + " | ".join(cells) + " |"


def _renewed(text: str, table: Sequence[FaultRow]) -> str:
    """The page with rows that were tried again in the place of the old ones."""
    anew = {f"| {row.testbed} | {row.fault} |": _line(row) for row in table}
    lines = [
        next((new for start, new in anew.items() if line.startswith(start)), line)
        for line in text.splitlines()
    ]
    names = ", ".join(f"{row.fault} ({row.testbed})" for row in table)
    return "\n".join([*lines, "", f"Tried again by itself, with what it had found mended: {names}."]) + "\n"


def _count(left: int | None) -> str:
    return "–" if left is None else str(left)


def main() -> None:
    """Print the table as it grows; exit with 1 if a fault was not named, or something was lost or left."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("words", nargs="*", help="only faults with one of these words in their name")
    parser.add_argument("--testbed", choices=("local", "netns"), help="only this one")
    options = parser.parse_args()
    table = []
    beds: list[tuple[Testbed, list[Case]]] = [("local", LOCAL), ("netns", NETNS)]
    for row in chain.from_iterable(
        rows(bed, cases, options.words) for bed, cases in beds if options.testbed in (None, bed)
    ):
        table.append(row)
        noticed = "not noticed" if row.noticed_s is None else f"{row.noticed_s:6.1f} s"
        print(
            f"{row.testbed:6} {row.fault:50} {noticed}  lost {row.lost}  left {_count(row.left)}  {row.sentence}",
            flush=True,
        )
    if not options.words and options.testbed is None:
        _PAGE.write_text(page(table), encoding="utf-8")
    else:
        _PAGE.write_text(_renewed(_PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")
    print(f"Written: {_PAGE}")
    if any(row.noticed_s is None or row.lost or row.left for row in table):
        sys.exit(1)


if __name__ == "__main__":
    main()
