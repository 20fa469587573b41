"""``python -m benchmarks.faults``: put every fault into suites of real runs, print and keep the table."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

from benchmarks.faults import ends
from benchmarks.faults.cases import LOCAL, NETNS
from benchmarks.faults.course import Case, Course, FaultRow
from validate.machine.environment import this_machine

_PAGE = Path(__file__).parents[2] / "docs" / "background" / "faults.md"
_HEADINGS = ("testbed", "fault", "noticed after", "what is said", "lost", "left")
Testbed = Literal["local", "netns"]


def rows(testbed: Testbed, cases: Sequence[Case], words: Sequence[str]) -> Iterator[FaultRow]:
    """Every fault on a testbed whose name has one of the words in it."""

    def chosen(name: str) -> bool:
        return not words or any(word in name for word in words)

    course = Course(testbed, repetitions=20)
    try:
        for case in cases:
            if chosen(case.name):
                yield course.meet(case)
    finally:
        course.close()
    course = Course(testbed, repetitions=20)
    try:
        for end in ends.ENDS:
            if chosen(end.name):
                yield ends.meet(course, end)
    finally:
        course.close()


def page(table: Sequence[FaultRow]) -> str:
    """The documentation's page of it."""
    machine = this_machine()
    load = os.getloadavg()[2]
    lines = [
        "# Faults during real runs",
        "",
        "What `make faults` found: faults put into suites of real runs, from outside, one a run. "
        "`noticed after` is the time until the sentence was said, or until the command had ended; a run that was "
        "only disturbed is told of when it has finished. `lost` counts finished measurements; `left` counts processes, "
        "temporary files, shared memory and namespaces, once the command has ended.",
        "",
        f"Taken on {machine.cpu_model}, {machine.cores} cores, kernel {machine.kernel}, Ray {machine.ray}. "
        f"On average {load:.1f} processes wanted these cores during the last 15 minutes"
        + (", so that times here are those of a busy machine." if load > 1.5 * machine.cores else "."),
        "",
        "| " + " | ".join(_HEADINGS) + " |",
        "| " + " | ".join(["---", "---", "---:", "---", "---:", "---:"]) + " |",
    ]
    for row in table:
        noticed = "not noticed" if row.noticed_s is None else f"{row.noticed_s:.1f} s"
        sentence = " ".join(row.sentence.split()).replace("|", r"\|")
        cells = (row.testbed, row.fault, noticed, sentence, str(row.lost), _count(row.left))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _count(left: int | None) -> str:
    return "–" if left is None else str(left)


def main() -> None:
    """Print the table as it grows; exit with 1 if a fault was not noticed, or something was lost or left."""
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
        print(f"Written: {_PAGE}")
    if any(row.noticed_s is None or row.lost or row.left for row in table):
        sys.exit(1)


if __name__ == "__main__":
    main()
