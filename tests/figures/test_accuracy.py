"""The accuracy record: what is predicted now is no worse than what was, and a spoilt coefficient is noticed."""

from dataclasses import replace

import pytest

from figures.kit import accuracy, measured


@pytest.fixture(scope="module")
def record() -> list[accuracy.Entry]:
    return accuracy.read()


def of(record: list[accuracy.Entry], suite: str) -> list[accuracy.Entry]:
    return [entry for entry in record if entry.suite == suite]


def test_the_record_holds_every_shipped_suite(record: list[accuracy.Entry]) -> None:
    assert {entry.suite for entry in record} == set(accuracy.suites())


@pytest.mark.parametrize("suite", accuracy.suites())
def test_no_group_has_become_worse_by_a_tenth(record: list[accuracy.Entry], suite: str) -> None:
    errors = accuracy.errors_now(suite)
    assert errors.keys() == {(entry.content, entry.metric) for entry in of(record, suite)}
    assert accuracy.worse(of(record, suite), errors) == []


@pytest.mark.parametrize(
    ("suite", "coefficient", "factor"),
    [
        ("ingress", "goodput_factor", 0.95),
        ("sharding", "goodput_factor", 0.9),
        ("tutorial", "put_s_per_byte", 0.3),
    ],
)
def test_a_spoilt_coefficient_fails(
    record: list[accuracy.Entry], suite: str, coefficient: str, factor: float
) -> None:
    fitted = measured.fit(suite).calibration
    spoilt = replace(fitted, **{coefficient: factor * getattr(fitted, coefficient)})
    sentences = accuracy.worse(of(record, suite), accuracy.errors_now(suite, spoilt))
    assert sentences
    assert all(sentence.startswith(suite) and "recorded" in sentence for sentence in sentences)


def test_the_page_shows_every_value_worst_first_with_the_direction(record: list[accuracy.Entry]) -> None:
    page = accuracy.page(record)
    table = page[page.index("worst first") :].splitlines()[4:]
    assert len(table) == len(record)
    errors = [abs(float(line.split("|")[7].rstrip(" %"))) for line in table]
    assert errors == sorted(errors, reverse=True)
    assert page.count("too long") + page.count("too short") + page.count("no clear direction") >= 1


@pytest.mark.parametrize(("level", "low", "high"), [(0.95, 0.93, 0.97), (0.8, 0.78, 0.82)])
def test_intervals_hold_on_a_suite_that_gave_them_nothing(
    record: list[accuracy.Entry], level: float, low: float, high: float
) -> None:
    """Each suite's intervals are stretched by the scores of the others alone; all single values, counted."""
    inside, values = accuracy.coverage(record, level)
    assert values >= 400
    assert low <= inside / values <= high
