"""Every row of the table of faults (``make faults``), each as a test: ``pytest --runslow``."""

from collections.abc import Iterator

import pytest

from benchmarks.faults import ends, starts
from benchmarks.faults.cases import LOCAL, NETNS
from benchmarks.faults.course import Case, Course
from validate.testbeds import sandbox

pytestmark = [pytest.mark.ray, pytest.mark.netns, pytest.mark.slow]
BEDS = {"local": LOCAL, "netns": NETNS}
CASES = [(bed, case) for bed, cases in BEDS.items() for case in cases]
ENDS = [(bed, end) for bed in BEDS for end in ends.ENDS]
STARTS = [(bed, start) for bed in BEDS for start in starts.STARTS]


@pytest.fixture(scope="module")
def courses() -> Iterator[dict[str, Course]]:
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no namespaces here: {reason}")
    by_bed: dict[str, Course] = {}
    yield by_bed
    for course in by_bed.values():
        course.close()


def test_the_table_has_thirty_rows() -> None:
    rows = {(bed, row.name) for bed, row in [*CASES, *ENDS, *STARTS]}
    assert len(rows) == len(CASES) + len(ENDS) + len(STARTS) >= 30


@pytest.mark.parametrize(("bed", "case"), CASES, ids=[f"{bed}: {case.name}" for bed, case in CASES])
def test_a_fault_is_noticed_and_nothing_is_lost(courses: dict[str, Course], bed: str, case: Case) -> None:
    if bed not in courses:
        courses[bed] = Course(bed, repetitions=100)
    row = courses[bed].meet(case)
    assert row.noticed_s is not None, row  # and named: see `Case.says`
    assert (row.lost, row.left) == (0, 0), row
    assert len(row.sentence.splitlines()) == 1


@pytest.mark.parametrize(("bed", "end"), ENDS, ids=[f"{bed}: {end.name}" for bed, end in ENDS])
def test_an_end_is_in_order_and_leaves_nothing(bed: str, end: ends.End) -> None:
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no namespaces here: {reason}")
    course = Course(bed, repetitions=100)
    try:
        row = ends.meet(course, end)
        assert row.noticed_s is not None, row
        assert (row.lost, course.left()) == (0, [])
        assert "Traceback" not in course.said()
    finally:
        course.close()


@pytest.mark.parametrize(("bed", "start"), STARTS, ids=[f"{bed}: {start.name}" for bed, start in STARTS])
def test_a_testbed_that_does_not_start_is_started_again(bed: str, start: starts.Start) -> None:
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no namespaces here: {reason}")
    course = Course(bed, repetitions=100)
    try:
        row = starts.meet(course, start)
        assert row.noticed_s is not None, row
        assert (row.lost, row.left) == (0, 0), row
    finally:
        course.close()
