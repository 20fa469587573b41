"""The page beside a store that changes: suites under way, runs that come in, drift."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

pytest.importorskip("starlette", reason="the extra app is not installed")

from psmodel.app import overlay
from psmodel.app.query import Settings
from tests.app.serving import served
from tests.browsing import SCHEMES, WIDTHS, clean_tab, hindrances, picture
from tests.real_records import record
from validate.measurements import suite_progress
from validate.measurements.measurement import Instants
from validate.measurements.store import Store

STEP = 6
"""The first run that is slower."""


def watched(store: Path) -> Settings:
    return Settings(store=store, measured=overlay.read(store))


def ask(url: str, what: str) -> Any:
    with urlopen(f"{url}api/{what}") as answer:
        return json.load(answer)


def add(store: Path, number: int) -> None:
    """One more run of a scenario that became 1.3 times slower; neighbours differ by less than 1 %."""
    factor = (1.3 if number >= STEP else 1.0) * (1 + 0.004 * (number % 3 - 1))
    instants = Instants(**{name: factor * array for name, array in vars(record().instants).items()})
    when = f"2026-01-{number + 1:02d}T00:00:00+00:00"
    with Store(store) as opened:
        opened.add(record(f"run{number}", repetition=number, started_at=when, instants=instants))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "runs [1].sqlite"
    for number in range(12):
        add(path, number)
    return path


def test_runs_that_come_in_are_shown(store: Path) -> None:
    with served(watched(store)) as url:
        before = ask(url, "progress")["state"]
        assert ask(url, "runs")["suites"][0]["scenarios"][0]["runs"] == 12
        add(store, 12)
        assert ask(url, "progress")["state"] != before
        assert ask(url, "runs")["suites"][0]["scenarios"][0]["runs"] == 13
        store.unlink()
        assert ask(url, "runs")["suites"][0]["scenarios"][0]["runs"] == 13


def test_a_suite_is_followed_and_one_that_was_stopped_is_resumed(store: Path) -> None:
    with served(watched(store)) as url:
        assert ask(url, "progress")["suites"] == []
        with suite_progress.told(store, "made@1", "local", planned=14, stored=12) as file:
            file.begins("the first")
            (suite,) = ask(url, "progress")["suites"]
            assert (suite["running"], suite["stored"], suite["planned"]) == (True, 12, 14)
            assert (suite["scenario"], suite["left_s"]) == ("the first", None)
            file.made(suspect=True, again=False)
            (suite,) = ask(url, "progress")["suites"]
            assert (suite["stored"], suite["suspect"]) == (13, 1)
            assert suite["left_s"] >= 0
        (suite,) = ask(url, "progress")["suites"]
        assert not suite["running"]
        assert suite["resume"] == f"psmodel validate suite made --store '{store}'"
        with suite_progress.told(store, "made@1", "local", planned=14, stored=13) as file:
            file.finished()
        assert ask(url, "progress")["suites"] == []


def test_drift_is_what_the_command_finds(store: Path) -> None:
    with served(watched(store)) as url:
        drift = ask(url, "drift")
    command = [sys.executable, "-m", "psmodel", "validate", "drift", "--store", str(store), "--json"]
    printed = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
    steps = [[change["index"], change["sentence"]] for change in printed["changes"]]
    assert [step for course in drift["courses"] for step in course["steps"]] == steps
    assert {index for index, _ in steps} == {STEP}
    assert drift["series"] == printed["series"]


@pytest.mark.browser
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_shows_what_is_under_way_and_what_has_drifted(
    store: Path, browser: Any, scheme: str
) -> None:
    from playwright.sync_api import expect

    with (
        served(watched(store)) as url,
        suite_progress.told(store, "made@1", "local", planned=14, stored=12) as file,
        clean_tab(browser, url) as page,
    ):
        file.begins("a scenario whose name is long, N2 K2 40 B 100Mbit/s pull=sequential push=none")
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{url}measurements.html")
        expect(page.locator("#suites-underway")).to_contain_text("12 of 14 runs")
        expect(page.locator("#drift-steps")).to_contain_text("1.3 times slower")
        expect(page.locator("#courses .chart")).to_have_count(2)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            picture(page, f"drift-{scheme}-{width}")
        assert hindrances(page) == []
        add(store, 12)
        file.made(suspect=False, again=False)
        expect(page.locator("#suites-underway")).to_contain_text("13 of 14 runs")
        expect(page.locator("#summary")).to_contain_text("13 runs")
        file.finished()
        file.close()
        expect(page.locator("#underway")).to_be_hidden()


@pytest.mark.ray
@pytest.mark.browser
def test_a_real_suite_is_followed_until_it_is_stopped(browser: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    store = tmp_path / "runs.sqlite"
    command = [sys.executable, "-m", "psmodel", "validate", "suite", "smoke", "--store", str(store)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as suite:
        try:
            until = time.monotonic() + 120
            while not store.is_file():
                assert suite.poll() is None
                assert time.monotonic() < until
                time.sleep(0.2)
            with served(watched(store)) as url, clean_tab(browser, url) as page:
                page.set_default_timeout(180_000)
                page.goto(f"{url}measurements.html")
                underway = page.locator("#suites-underway")
                expect(underway).to_contain_text("smoke@", timeout=180_000)
                expect(underway).to_contain_text("Now ", timeout=180_000)
                expect(page.locator("#summary")).to_contain_text("runs of", timeout=180_000)
                suite.send_signal(signal.SIGINT)
                suite.wait()
                expect(underway).to_contain_text("Stopped: ")
                expect(underway).to_contain_text(f"psmodel validate suite smoke --store {store}")
        finally:
            suite.send_signal(signal.SIGINT)
            suite.wait()
