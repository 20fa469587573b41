"""The page in a real Chromium: its first answer in a new profile, and how soon each change is answered and drawn.

Times are those of the browser's own clock, from the event that a person's hand makes to the frame after the answer is
in the page. "Drawn" is when the answer and all four charts are, on the screen or below it. Other work on the machine
counts: the figures are upper limits.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

FIRST_S, CHANGE_S = 1.0, 0.150
"""What the page is to keep: a cold page's first answer, and each change."""
_ROOT = Path(__file__).parents[1]
_TIMES = 8
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
_WATCH_FIRST = """
new MutationObserver((_, observer) => {
  const text = document.getElementById("iteration")?.textContent;
  if (!text || text === "–") return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.firstAnswer = performance.now(); }));
}).observe(document, { childList: true, subtree: true, characterData: true });
"""
_CHANGE = """
([id, value, event]) => new Promise(resolve => {
  const begin = performance.now(), times = {};
  const after = name => requestAnimationFrame(() => setTimeout(() => { times[name] = performance.now() - begin; }));
  const command = new MutationObserver(() => { command.disconnect(); after("answered"); });
  command.observe(document.getElementById("command"), { childList: true, subtree: true, characterData: true });
  const results = document.getElementById("results");
  const busy = new MutationObserver(() => {
    if (results.hasAttribute("aria-busy")) return;
    busy.disconnect();
    requestAnimationFrame(() => setTimeout(() => { times.drawn = performance.now() - begin; done(); }));
  });
  const notes = document.getElementById("notes"), fitted = notes.textContent.includes("of the fit");
  const done = () => {
    if (!("drawn" in times)) return;
    if (!fitted) resolve(times);
    else if (notes.textContent.includes("95 %")) { times.sure = performance.now() - begin; resolve(times); }
    else setTimeout(done, 5);
  };
  busy.observe(results, { attributes: true });
  const element = document.getElementById(id);
  element.value = value;
  element.dispatchEvent(new Event(event, { bubbles: true }));
})
"""


@dataclass(frozen=True, kw_only=True)
class _Change:
    """Something that a hand does: an element, the values that it is given in turn, and the event that it fires."""

    what: str
    element: str
    values: tuple[str, str]
    event: str
    query: Mapping[str, str]


_PLAIN = {"scenario": "ingress-single"}
_RANDOM = {"workers": "64", "shards": "16", "compute": '{"kind": "lognormal", "mean": "80 ms", "cv": 0.3}'}
_RICH = {
    "workers": "64", "shards": "16", "compute": "80 ms", "racks": '{"count": 4, "oversubscription": 2}',
    "layers": '[{"share": 0.5, "compute_share": 0.3}, {"share": 0.5, "compute_share": 0.7}]',
}  # fmt: skip
_CHANGES = (
    _Change(what="a slider moves", element="shards", values=("12", "13"), event="input", query=_PLAIN),
    _Change(what="a number in the sentence", element="q-shards", values=("50", "60"), event="change", query=_PLAIN),
    _Change(what="the mode", element="q-mode", values=("asp", "bsp"), event="change", query=_PLAIN),
    _Change(what="a target", element="q-workers", values=("90", "80"), event="change",
            query=_PLAIN | {"target": "1 s", "budget": "500"}),
    _Change(what="beside a pinned scenario", element="q-shards", values=("50", "60"), event="change",
            query=_PLAIN | {"pin": "scenario=ingress-sharded"}),
    _Change(what="random compute times", element="q-shards", values=("8", "9"), event="change", query=_RANDOM),
    _Change(what="racks and layers", element="q-shards", values=("8", "9"), event="change", query=_RICH),
    _Change(what="10 000 workers, 1000 shards", element="q-shards", values=("1000", "999"), event="change",
            query=_PLAIN | {"workers": "10000"}),
)  # fmt: skip


@contextmanager
def _server(*options: str) -> Iterator[tuple[str, float]]:
    """Address of a page that has just been started, and how long that took (s)."""
    began = time.monotonic()
    command = [sys.executable, "-m", "psmodel", "app", "--no-browser", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            match = re.search(r"http://\S+", process.stdout.readline())
            assert match is not None
            yield match[0], time.monotonic() - began
        finally:
            process.terminate()


def page(_: float) -> Iterator[dict[str, Any]]:
    """9. The page in Chromium: first answer of a cold page, and each change (seconds in the browser)."""
    path = shutil.which("chromium")
    if path is None:
        yield {"what": "not run: there is no chromium"}
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as api:
        browser = api.chromium.launch(executable_path=path, args=_FLAGS)
        yield from _first(browser)
        for coefficients, options in (
            ("ideal", ()),
            ("fitted", ("--fit", str(_ROOT / "figures/measured/ingress.fit.json"))),
        ):
            with _server(*options) as (url, _):
                for change in _CHANGES:
                    yield {
                        "what": change.what,
                        "coefficients": coefficients,
                        **_changed(browser, url, change),
                    }
        browser.close()


def _first(browser: Any) -> Iterator[dict[str, Any]]:
    """The first answer of a server that has answered nobody yet, in a new profile; then in another new profile."""
    rows: dict[str, list[float]] = {"cold server, new profile": [], "warm server, new profile": []}
    starts = []
    for _ in range(_TIMES):
        with _server() as (url, seconds):
            starts.append(seconds)
            for what in rows:
                rows[what].append(_first_answer(browser, url))
    yield {"what": "start of the server", "median_s": median(starts), "most_s": max(starts)}
    for what, times in rows.items():
        yield {
            "what": what,
            "coefficients": "ideal",
            "median_s": median(times),
            "most_s": max(times),
            "allowed_s": FIRST_S,
        }


def _first_answer(browser: Any, url: str) -> float:
    profile = browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
    try:
        tab = profile.new_page()
        tab.add_init_script(_WATCH_FIRST)
        tab.goto(url)
        tab.wait_for_function("window.firstAnswer !== undefined")
        return float(tab.evaluate("window.firstAnswer")) / 1e3
    finally:
        profile.close()


def _changed(browser: Any, url: str, change: _Change) -> dict[str, Any]:
    """Median and largest time until a change is answered, drawn and, with a fit, given its interval."""
    profile = browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
    try:
        tab = profile.new_page()
        tab.goto(f"{url}?{urlencode(change.query)}")
        tab.wait_for_function(
            "document.querySelector('#bounds td') && !document.getElementById('results').hasAttribute('aria-busy')"
            " && !document.getElementById('notes').textContent.includes('worked out')"
        )
        times = []
        for number in range(2 * _TIMES):
            tab.wait_for_timeout(50)  # a hand is no faster
            value = change.values[number % 2]
            times.append(tab.evaluate(_CHANGE, [change.element, value, change.event]))
    finally:
        profile.close()
    row: dict[str, Any] = {}
    for name, prefix in (("answered", ""), ("drawn", "drawn_"), ("sure", "interval_")):
        if seconds := [t[name] / 1e3 for t in times if name in t]:
            row |= {f"{prefix}median_s": median(seconds), f"{prefix}most_s": max(seconds)}
    return row | {"allowed_s": CHANGE_S}
