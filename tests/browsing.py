"""A real Chromium for tests of pages, what it complains of, and what axe-core finds on a page."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDTHS = (1920, 1280, 768, 360)
SCHEMES = ("light", "dark")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Debian's chromium, installed if this may be done."""
    if shutil.which("chromium") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-qq", "-y", "chromium"], capture_output=True, check=False)
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip(
            "there is no chromium, and apt-get cannot install it here: the page was NOT tested in a browser"
        )
    return browser


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    """A headless one, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the group dev is not installed")
    playwright.expect.set_options(timeout=60_000)
    with playwright.sync_playwright() as api:
        started = api.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield started
        started.close()


@contextmanager
def clean_tab(browser: Any, *origins: str) -> Iterator[Any]:
    """An empty page of a new profile; fails afterwards if it complained or asked anyone but `origins`."""
    profile = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = profile.new_page()
    complaints, requests = [], []
    tab.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.set_default_timeout(60_000)
    try:
        yield tab
    finally:
        profile.close()
    # Chromium itself reports every answer of 400, which is how a bad value is told.
    assert [text for text in complaints if "400 (Bad Request)" not in text] == [], complaints
    assert [url for url in requests if not url.startswith((*origins, "blob:", "data:"))] == []


def until(tab: Any, question: str, argument: Any = None) -> None:
    """Ask the page until its answer is true, a minute at most.

    Playwright's own `wait_for_function` asks from within the page, where the page's policy forbids to evaluate text.
    """
    for _ in range(600):
        if tab.evaluate(question, argument):
            return
        tab.wait_for_timeout(100)
    raise AssertionError(f"never true within a minute: {question}")


def hindrances(tab: Any) -> list[Any]:
    """What axe-core calls serious or critical on the page as it is now: rule and elements."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(tab).response["violations"]
    return [
        (v["id"], [n["html"][:300] for n in v["nodes"]])
        for v in violations
        if v["impact"] in ("serious", "critical")
    ]


def picture(tab: Any, name: str) -> None:
    """Keep a picture of the whole page where ``PSMODEL_SHOTS`` says, if it does."""
    if folder := os.environ.get("PSMODEL_SHOTS"):
        tab.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
