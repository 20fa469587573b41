"""The what-if page: its server over real HTTP, and the page itself in a headless Chromium."""

import http.client
import json
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlparse

import pytest

from tests.command_line import run

pytest.importorskip("starlette", reason="the extra app is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the extra app is not installed")

from psmodel.app import measured  # noqa: E402
from psmodel.app.asked import Known  # noqa: E402
from psmodel.app.server import address, create, listen  # noqa: E402

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "figures" / "measured" / "ingress.json"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with listen("127.0.0.1", 0) as sock:
        app = create(Known(measured=measured.read(RUNS)))
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        yield address(sock)
        server.should_exit = True
        thread.join()


def get(url: str, path: str, **headers: str) -> tuple[int, Any, str]:
    connection = http.client.HTTPConnection(urlparse(url).netloc, timeout=120)
    connection.request(
        "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, response.headers, text


def answer(url: str, **query: str) -> dict[str, Any]:
    status, _, text = get(url, f"/api/answer?{urlencode(query)}")
    assert status == 200, text
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"scenario": "ingress-single", "workers": "50", "model_size": "1 GB", "bandwidth": "25 Gbit/s"},
        {"mode": "ssp", "staleness_bound": "3", "compute": "80 ms", "compute_cv": "0.3"},
        {"scenario": "laptop", "compute_cv": "0.5", "iterations": "4"},
        {"scenario": "N1 K2 16MB 200Mbit/s pull=none", "shards": "3"},
    ],
)
def test_the_command_that_is_shown_gives_the_same_answer(
    url: str, query: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(url, **query)
    code, out, err = run(capsys, *shlex.split(found["command"])[1:], "--json")
    assert code == 0, err
    assert json.loads(out) == found["prediction"]


def test_curves_map_and_front_agree_with_the_other_commands(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(url, scenario="ingress-single")
    curve = dict(
        zip(found["curves"]["shards"]["x"], found["curves"]["shards"]["ingress_time_s"], strict=True)
    )
    assert curve[1] == 8.0
    assert min(curve.values()) == 0.08
    cells = found["map"]
    first = cells["names"][cells["cells"][0]]
    _, out, _ = run(capsys, "explain", "ingress-single", "--workers", "1", "--shards", "1", "--json")
    assert first == json.loads(out)["binding"]
    row = found["front"]["rows"][0]
    _, out, _ = run(capsys, "sweep", "ingress-single", "--set", f"shards={row['shards']}", "--set",
                    f"machine={row['machine']}", "--catalogue", "example", "--json")  # fmt: skip
    (swept,) = json.loads(out)["rows"]
    assert (row["cost_per_hour"], row["iteration_time_s"]) == (
        swept["cost_per_hour"], pytest.approx(swept["iteration_time_s"]),
    )  # fmt: skip


def test_measurements_lie_over_their_own_scenario(url: str) -> None:
    runs = answer(url, scenario="N1 K2 16MB 200Mbit/s pull=none")["runs"]
    assert any(not r["varies"] for r in runs)
    assert all(r["iteration_time_s"] > 0 for r in runs)
    assert answer(url, scenario="ingress-single")["runs"] == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"workers": "0"}, "workers"),
        ({"bandwidth": "10"}, "no unit"),
        ({"mode": "ssp"}, "staleness_bound"),
        ({"compute_cv": "much"}, "compute_cv"),
        ({"scenario": "/etc/passwd"}, "not on this page"),
        ({"sede": "1"}, "unknown key"),
        ({"replications": "0"}, "replications"),
    ],
)
def test_bad_input_is_one_sentence(url: str, query: dict[str, str], words: str) -> None:
    status, _, text = get(url, f"/api/answer?{urlencode(query)}")
    assert status == 400
    assert words in json.loads(text)["error"]


def test_other_sites_are_refused_and_nothing_is_fetched_from_elsewhere(url: str) -> None:
    assert get(url, "/api/answer", Host="evil.example")[0] == 400
    assert get(url, "/api/simulate", Sec_Fetch_Site="cross-site")[0] == 403
    status, headers, page = get(url, "/")
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert "http" not in page


def events(text: str) -> list[tuple[str, Any]]:
    return [(kind, json.loads(data)) for kind, data in re.findall(r"event: (\w+)\ndata: (.*)\n", text)]


def test_a_simulation_tells_its_progress_and_its_interval(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    query = {"workers": "3", "shards": "2", "compute": "80 ms", "compute_cv": "0.3", "replications": "3"}
    _, _, text = get(url, f"/api/simulate?{urlencode(query)}")
    told = events(text)
    assert [value[0] for kind, value in told if kind == "progress"] == [0, 1, 2, 3]
    kind, result = told[-1]
    assert kind == "result"
    command = answer(url, **query)["simulate_command"]
    _, out, _ = run(capsys, *shlex.split(command)[1:], "--json")
    assert json.loads(out) == result["prediction"]
    assert result["prediction"]["half_widths"]["iteration_time_s"] > 0
    drawn = result["timeline"]
    rows = {row["row"]: row["bars"] for row in drawn["rows"]}
    assert set(rows) >= {"worker-0", "worker-1", "worker-2", "shard-0.down", "shard-0.up"}
    longest = max(sum(b["end_s"] - b["start_s"] for b in rows[f"worker-{w}"]) for w in range(3))
    assert longest == pytest.approx(drawn["length_s"])


def test_the_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "app", "--no-browser", "--store", str(tmp_path / "absent.sqlite"))
    assert (code, err.count("\n")) == (2, 1)
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        code, _, err = run(capsys, "app", "--no-browser", "--port", port)
    assert (code, err.count("\n")) == (3, 1)
    assert "--port" in err


def test_without_the_extra_the_command_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = run(capsys, "app")
    assert code == 3
    assert "pip install 'psmodel[app]'" in err


@pytest.fixture(scope="module")
def chromium() -> str:
    """Debian's chromium, installed if this may be done."""
    if shutil.which("chromium") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-qq", "-y", "chromium"], capture_output=True, check=False)
    found = shutil.which("chromium")
    if found is None:
        pytest.skip(
            "there is no chromium, and apt-get cannot install it here: the page was NOT tested in a browser"
        )
    return found


@pytest.fixture
def page(url: str, chromium: str, tmp_path: Path) -> Iterator[Any]:
    """An empty page of a new profile; fails the test afterwards if it complained or asked anyone but us."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the group dev is not installed")
    with playwright.sync_playwright() as api:
        browser = api.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=chromium,
            args=FLAGS,
            viewport={"width": 1280, "height": 900},
        )
        tab = browser.new_page()
        complaints, asked = [], []
        tab.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.set_default_timeout(60_000)
        playwright.expect.set_options(timeout=60_000)
        yield tab
        browser.close()
    # Chromium itself reports every answer of 400, which is how a bad value is told.
    assert [text for text in complaints if "400 (Bad Request)" not in text] == []
    assert all(u.startswith((url, "blob:")) for u in asked)


def ready(tab: Any, url: str, query: str = "") -> None:
    tab.goto(f"{url}{query}")
    tab.locator("#bounds td").first.wait_for()


@pytest.mark.browser
def test_sliders_keys_and_links(url: str, page: Any) -> None:
    from playwright.sync_api import expect

    ready(page, url, "?scenario=ingress-single")
    expect(page.locator("#ingress")).to_have_text("8 s")
    page.locator("#shards").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#ingress")).to_have_text("4 s")
    expect(page.locator("#shards-text")).to_have_value("2")
    page.get_by_label("Shards K, exact value").fill("100")
    page.keyboard.press("Enter")
    expect(page.locator("#ingress")).to_have_text("80 ms")
    expect(page.locator("#command")).to_have_text("psmodel predict ingress-single --shards 100")
    expect(page.locator(".chart").first).to_have_attribute("aria-label", re.compile("at K = 1"))
    link = page.url
    ready(page, link)
    expect(page.locator("#ingress")).to_have_text("80 ms")
    with page.expect_download() as saved:
        page.get_by_label("Iteration time against shards: download data as CSV").click()
    rows = saved.value.path().read_text().splitlines()
    assert rows[0] == "shards,iteration_time_s,ingress_time_s"
    with page.expect_download() as saved:
        page.get_by_label("What binds: download as SVG").click()
    assert saved.value.path().read_text().startswith("<svg")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_fits_and_simulates(url: str, page: Any, width: int, scheme: str) -> None:
    from playwright.sync_api import expect

    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    ready(page, url, "?" + urlencode({"workers": 6, "shards": 3, "compute": "80 ms", "compute_cv": 0.3}))
    page.locator("#simulate").click()
    expect(page.locator("#simulated")).to_contain_text("± ")
    expect(page.locator("#timeline .chart")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if shots := os.environ.get("PSMODEL_SHOTS"):
        page.screenshot(path=f"{shots}/{scheme}-{width}.png", full_page=True)
        ready(page, url, f"?scenario={quote('N1 K2 16MB 200Mbit/s pull=none')}")
        page.screenshot(path=f"{shots}/measured-{scheme}-{width}.png", full_page=True)


@pytest.mark.browser
def test_a_bad_value_shows_its_sentence(url: str, page: Any) -> None:
    from playwright.sync_api import expect

    ready(page, url)
    page.get_by_label("Bandwidth B, exact value").fill("fast")
    page.keyboard.press("Enter")
    expect(page.locator("#problem")).to_contain_text("'fast' is not a bandwidth")
    page.get_by_label("Bandwidth B, exact value").fill("1 Gbit/s")
    page.keyboard.press("Enter")
    expect(page.locator("#iteration")).to_have_text("1.6 s")
    expect(page.locator("#problem")).to_be_hidden()
