"""The report as a person sees it: in Chromium, light and dark, narrow and wide, and on paper."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from psmodel.scenario import Scenario
from tests.browsing import SCHEMES, WIDTHS, clean_tab, hindrances, picture
from validate.comparison.comparisons import compare
from validate.fitting import fit as fit_record
from validate.measurements.measurement import Measurement
from validate.measurements.selection import believable
from validate.measurements.store import read_json
from validate.report import claim, page
from validate.report.report import Report

pytestmark = pytest.mark.long
MEASURED = Path(__file__).parents[2] / "figures" / "measured"


def stored(suite: str) -> Report:
    """The report of shipped runs with the fit that is shipped with them, so that nothing is fitted here."""
    runs = believable(read_json(MEASURED / f"{suite}.json"))
    calibration, held_out = (tuple(m for m in runs if m.part == part) for part in ("calibration", "held_out"))
    fitted = fit_record.load(MEASURED / f"{suite}.fit.json")
    compared = compare(fitted, held_out, calibration_runs=calibration)
    return Report(
        title=f"suite {suite}", fit=fitted, comparison=compared, staleness=(), calibration=calibration,
        held_out=held_out,
    )  # fmt: skip


@pytest.fixture(scope="module")
def report() -> Report:
    return stored("sharding")


@contextmanager
def written(report: Report, folder: Path) -> Iterator[str]:
    (folder / "report.html").write_text(page.html(report), encoding="utf-8")
    yield (folder / "report.html").as_uri()


def test_the_claim_of_sharding_is_drawn_of_its_runs(report: Report) -> None:
    """Against what the runs themselves say, and the bound of the links: max(N·M/(K·B), M/B)."""
    series = claim.series(report.comparison.rows, report.comparison.calibration, scenarios(report))
    assert series is not None
    first, steps = series
    assert [step.shards for step in steps] == [1, 2, 3, 4]
    for step in steps:
        times = [m.metrics.push_time_s or 0.0 for m in report.runs if m.scenario.shards == step.shards]
        assert step.measured_s == pytest.approx(sum(times) / len(times))
        assert step.calibration == (step.shards in (1, 3))
        assert first.bandwidth is not None
        per_link = max(first.workers / step.shards, 1.0)
        # Headers take a part of the rate, the same of each step.
        assert step.links_s / steps[0].links_s == pytest.approx(per_link / first.workers, rel=1e-6)


def scenarios(report: Report) -> list[Scenario]:
    return [m.scenario for m in report.runs]


def test_a_series_differs_in_shards_alone(report: Report) -> None:
    """Runs without links, or of fewer than three numbers of shards, are no series."""
    rows = (report.comparison.rows, report.comparison.calibration)
    few = [s for s in scenarios(report) if s.shards < 3]
    assert claim.series(*rows, few) is None
    others: list[Measurement] = [m for m in report.runs if m.scenario.shards > 1]
    assert claim.series(*rows, [m.scenario for m in others]) is not None
    assert claim.series(*rows, []) is None


@pytest.mark.browser
@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_fits_and_nothing_serious_hinders_anyone(
    report: Report, browser: Any, tmp_path: Path, scheme: str
) -> None:
    with written(report, tmp_path) as url, clean_tab(browser, url) as tab:
        tab.emulate_media(color_scheme=scheme)
        tab.goto(url)
        assert tab.get_by_role("heading", name="What sharding does").is_visible()
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": 800})
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            picture(tab, f"report-{scheme}-{width}")
        assert hindrances(tab) == []
        ground, text = (
            tab.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")
        )
        assert (sum(map(int, ground[4:-1].split(","))) < sum(map(int, text[4:-1].split(",")))) == (
            scheme == "dark"
        )
        # The pictures' own text follows the page's.
        inks = tab.evaluate(
            "[...document.querySelectorAll('svg [style*=\"--text\"]')].map(e => getComputedStyle(e).fill)"
        )
        assert text in inks


@pytest.mark.browser
def test_each_part_is_reached_from_the_contents_and_by_keyboard(
    report: Report, browser: Any, tmp_path: Path
) -> None:
    with written(report, tmp_path) as url, clean_tab(browser, url) as tab:
        tab.goto(url)
        links = tab.locator("nav a")
        assert links.count() == tab.locator("section").count()
        for index in range(links.count()):
            target = links.nth(index).get_attribute("href")
            assert tab.locator(f"{target} h2").text_content() == links.nth(index).text_content()
        assert tab.evaluate("[...document.querySelectorAll('.scroll')].every(e => e.tabIndex === 0)")


@pytest.mark.browser
def test_on_paper_nothing_is_cut(report: Report, browser: Any, tmp_path: Path) -> None:
    with written(report, tmp_path) as url, clean_tab(browser, url) as tab:
        tab.emulate_media(media="print", color_scheme="dark")
        tab.set_viewport_size({"width": 718, "height": 1000})  # A4 less margins of 10 mm, at 96 dpi
        tab.goto(url)
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 248)"
        assert (
            tab.evaluate(
                "Math.max(...[...document.querySelectorAll('svg, table')].map(e => e.getBoundingClientRect().right))"
            )
            <= 718
        )
        tab.pdf(path=tmp_path / "report.pdf", format="A4")
        assert (tmp_path / "report.pdf").stat().st_size > 10_000
