"""The pages as a reader sees them: in Chromium, light and dark, narrow and wide, searched."""

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.browsing import SCHEMES, WIDTHS, clean_tab, hindrances, picture
from tests.docs.conftest import ROOT, Site

pytestmark = [pytest.mark.browser, pytest.mark.long]
PAGES = [
    str(path.relative_to(ROOT / "docs").with_suffix(".html"))
    for path in sorted((ROOT / "docs").rglob("*.md"))
    if "_generated" not in path.parts
] + ["search.html", "_generated/api/psmodel.scenario.html"]
_ALWAYS = {"index.html", "background/accuracy.html", "reference/scenario.html"}
"""The first page and the widest tables; all the others with --runslow, for each takes some seconds."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Says nothing of each request."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    assert site.code == 0, site.stderr
    handler = partial(Quiet, directory=str(site.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "path", [path if path in _ALWAYS else pytest.param(path, marks=pytest.mark.slow) for path in PAGES]
)
def test_a_page_fits_and_nothing_serious_hinders_anyone(
    url: str, browser: Any, path: str, scheme: str
) -> None:
    with clean_tab(browser, url) as tab:
        tab.emulate_media(color_scheme=scheme)
        tab.goto(f"{url}{path}")
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": 800})
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, width
            picture(tab, f"docs-{Path(path).stem}-{scheme}-{width}")
        broken = "[...document.images].filter(i => i.complete && i.naturalWidth === 0).map(i => i.src)"
        assert tab.evaluate(broken) == []
        assert hindrances(tab) == []


def test_the_theme_can_be_chosen_and_is_kept(url: str, browser: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with clean_tab(browser, url) as tab:
        tab.emulate_media(color_scheme="light")
        tab.goto(url)
        light = tab.evaluate(ground)
        while tab.evaluate("document.body.dataset.theme") != "dark":
            tab.locator(".theme-toggle-header, .theme-toggle-content").locator("visible=true").first.click()
        dark = tab.evaluate(ground)
        assert dark != light
        tab.goto(f"{url}tutorial.html")
        assert tab.evaluate(ground) == dark


def test_a_search_finds_the_page_that_says_it(url: str, browser: Any) -> None:
    from playwright.sync_api import expect

    with clean_tab(browser, url) as tab:
        tab.goto(url)
        tab.get_by_role("searchbox").or_(tab.get_by_placeholder("Search")).first.fill("straggler")
        tab.keyboard.press("Enter")
        expect(tab.locator("#search-results li").first).to_be_visible()
        tab.get_by_role("link", name="Glossary").first.wait_for()
        results = tab.locator("#search-results li a")
        results.first.click()
        expect(tab.locator("body")).to_contain_text("traggler")
