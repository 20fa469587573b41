"""The what-if page: its server over real HTTP, and the page itself in a headless Chromium."""

import http.client
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlparse

import pytest
from hypothesis import HealthCheck, given, settings

from psmodel.calibration import IDEAL
from psmodel.scenario import Scenario
from psmodel.scenario.features import FEATURES
from tests import strategies
from tests.browsing import SCHEMES, WIDTHS, clean_tab, hindrances, picture, until
from tests.command_line import run

pytest.importorskip("starlette", reason="the extra app is not installed")

from psmodel.app import event_stream as simulated
from psmodel.app import overlay as measured
from psmodel.app.files import from_file, to_toml
from psmodel.app.query import Query, Settings
from psmodel.app.server import _names, listen
from psmodel.errors import BadInput
from tests.app.serving import served

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "figures" / "measured" / "ingress.json"
FIT = ROOT / "figures" / "measured" / "ingress.fit.json"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(Settings(measured=measured.read(RUNS))) as address_of_page:
        yield address_of_page


def get(url: str, path: str, **headers: str) -> tuple[int, Any, str]:
    connection = http.client.HTTPConnection(urlparse(url).netloc, timeout=120)
    connection.request(
        "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, response.headers, text


def ask(url: str, path: str, query: dict[str, str]) -> Any:
    status, _, text = get(url, f"/api/{path}?{urlencode(query)}")
    assert status == 200, text
    return json.loads(text)


def answer(url: str, **query: str) -> Any:
    return ask(url, "answer", query)


def shown(url: str, query: dict[str, str]) -> tuple[Any, dict[str, Any]]:
    """The answer and its charts as the page gets them, line by line."""
    status, _, text = get(url, f"/api/shown?{urlencode(query)}")
    assert status == 200, text
    first, *charts = (json.loads(line) for line in text.splitlines())
    return first, {line["chart"]: line["values"] for line in charts}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"scenario": "ingress-single", "workers": "50", "model_size": "1 GB", "bandwidth": "25 Gbit/s"},
        {"mode": "ssp", "staleness_bound": "3", "compute": "80 ms", "compute_cv": "0.3"},
        {"scenario": "laptop", "compute_cv": "0.5", "iterations": "4"},
        {"scenario": "N3 K3 8MB 200Mbit/s pull=none", "shards": "3"},
        {"racks": '{"count": 4, "oversubscription": 2}', "prefetch": "true", "compute": "80 ms"},
        {"layers": '[{"share": 0.5, "compute_share": 0.3}, {"share": 0.5, "compute_share": 0.5}]'},
        {
            "scenario": "tutorial-single",
            "total_cores": "null",
            "update_cost": '{"kind": "exponential", "mean": "10 ms"}',
        },
        {
            "file": '{"name": "my \\"two\\"", "workers": 3, "shards": 2, "elements": 40, "placement": "single-host"}'
        },
    ],
)
def test_the_command_that_is_shown_gives_the_same_answer(
    url: str, query: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    result = answer(url, **query)
    code, out, err = run(capsys, *shlex.split(result["command"])[1:], "--json")
    assert code == 0, err
    assert json.loads(out) == result["prediction"]


def test_curves_map_and_front_agree_with_the_other_commands(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    single = {"scenario": "ingress-single"}
    result = shown(url, single)[1]["shards"]
    curve = dict(zip(result["x"], result["ingress_time_s"], strict=True))
    assert curve[1] == 8.0
    assert min(curve.values()) == 0.08
    cells = shown(url, single)[1]["map"]
    first = cells["names"][cells["cells"][0]]
    _, out, _ = run(capsys, "explain", "ingress-single", "--workers", "1", "--shards", "1", "--json")
    explained = json.loads(out)
    assert (first, cells["iteration_time_s"][0]) == (explained["binding"], explained["iteration_time_s"])
    row = shown(url, single)[1]["front"]["rows"][0]
    _, out, _ = run(capsys, "sweep", "ingress-single", "--set", f"shards={row['shards']}", "--set",
                    f"machine={row['machine']}", "--catalogue", "example", "--json")  # fmt: skip
    (swept,) = json.loads(out)["rows"]
    assert (row["cost_per_hour"], row["iteration_time_s"]) == (
        swept["cost_per_hour"], pytest.approx(swept["iteration_time_s"]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted_url() -> Iterator[str]:
    with served(Settings(fit=FIT)) as address_of_page:
        yield address_of_page


def test_a_fit_gives_each_number_its_interval(fitted_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    query = {"scenario": "ingress-single", "mode": "asp"}
    intervals = ask(fitted_url, "intervals", query)
    _, out, _ = run(capsys, *shlex.split(answer(fitted_url, **query)["command"])[1:], "--json")
    assert intervals == json.loads(out)["intervals"]
    low, high = intervals["iteration_time_s"]
    assert 0 < low < high
    whole = ask(fitted_url, "all", query)
    assert whole["intervals"] == intervals
    assert whole["prediction"] == answer(fitted_url, **query)["prediction"]
    assert whole["charts"]["map"] == shown(fitted_url, query)[1]["map"]


def test_measurements_lie_over_their_own_scenario(url: str) -> None:
    runs = answer(url, scenario="N3 K3 8MB 200Mbit/s pull=none")["runs"]
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
        ({"scenario": "/etc/passwd"}, "unknown scenario"),
        ({"sede": "1"}, "unknown key"),
        ({"replications": "0"}, "replications"),
        ({"target": "soon"}, "target: 'soon' is not a time"),
        ({"target": "0"}, "target"),
        ({"budget": "-1"}, "budget"),
        ({"budget": "nan"}, "budget"),
        ({"racks": "{count"}, "racks is not valid JSON"),
        ({"racks": '{"count": 0}'}, "racks.count"),
        ({"layers": "[" * 100_00}, "layers"),
        ({"compute": '{"kind": "exponential", "mean": "1 s"}', "compute_cv": "0.3"}, "compute_cv"),
        ({"compute": '{"kind": "empirical", "file": "/etc/passwd"}'}, "reads no files"),
        ({"file": '{"workers": 1}'}, "shards is missing"),
        ({"file": "workers"}, "not valid TOML"),
        (
            {"file": '{"workers": 1, "update_cost": {"kind": "empirical", "file": "/etc/passwd"}}'},
            "reads no files",
        ),
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
    messages = events(text)
    assert [value[0] for kind, value in messages if kind == "progress"] == [0, 1, 2, 3]
    kind, result = messages[-1]
    assert kind == "result"
    command = answer(url, **query)["simulate_command"]
    _, out, _ = run(capsys, *shlex.split(command)[1:], "--json")
    assert json.loads(out) == result["prediction"]
    assert result["prediction"]["half_widths"]["iteration_time_s"] > 0
    picture = result["timeline"]
    rows = {row["row"]: row["bars"] for row in picture["rows"]}
    assert set(rows) >= {"worker-0", "worker-1", "worker-2", "shard-0.down", "shard-0.up"}
    longest = max(sum(b["end_s"] - b["start_s"] for b in rows[f"worker-{w}"]) for w in range(3))
    assert longest == pytest.approx(picture["length_s"])


def test_the_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "app", "--no-browser", "--store", str(tmp_path / "absent.sqlite"))
    assert (code, err.count("\n")) == (2, 1)
    with listen("127.0.0.1", 0) as listener:
        port = str(listener.getsockname()[1])
        code, _, err = run(capsys, "app", "--no-browser", "--port", port)
    assert (code, err.count("\n")) == (3, 1)
    assert "--port" in err


def post(url: str, path: str, body: bytes) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlparse(url).netloc, timeout=120)
    connection.request("POST", path, body=body)
    response = connection.getresponse()
    reply = response.status, json.loads(response.read())
    connection.close()
    return reply


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(scenario=strategies.scenarios())
def test_a_scenario_that_is_downloaded_and_brought_back_is_the_same(scenario: Scenario) -> None:
    renamed = scenario.replace(name='of "two" \\', description="é\nß")
    assert from_file(to_toml(renamed), "file.toml") == renamed
    query = {"file": json.dumps(renamed.to_settings())}
    assert Query.of(query, Settings()).scenario == renamed


def test_files_are_read_and_refused_in_one_sentence(url: str) -> None:
    status, text = 200, b'workers = 4\nshards = 2\nmodel_size = "100MB"\nbandwidth = "10Gbps"\n'
    assert post(url, "/api/read?source=mine.toml", text)[1]["file"]["name"] == "mine"
    assert post(url, "/api/read?source=mine.toml", b"\xef\xbb\xbf" + text)[0] == status
    _, _, toml = get(url, "/api/scenario.toml?scenario=ingress-single&shards=7")
    assert tomllib.loads(toml)["shards"] == 7
    for body, words in [
        (b"", "is empty"), (b"\xff", "not UTF-8"), (b"workers = ", "not valid TOML"), (b'{"a"', "not valid JSON"),
        (b"x = [" + b"[" * 5000, "mine.toml"), (b"#" * (2 << 20), "longer than"),
        (text + b"compute_factors = [" + b"1.5, " * 9999 + b"1]", "compute_factors"),
        (b"workers = 9999\nshards = 1\nelements = 10\nplacement = 'single-host'\ncompute_factors = ["
         + b"1.5, " * 9998 + b"1]", "at most 16000"),
        (text + b"compute = { kind = 'empirical', file = '/etc/passwd' }", "reads no files"),
    ]:  # fmt: skip
        status, result = post(url, "/api/read?source=mine.toml", body)
        assert (status, words in result["error"], result["error"].count("\n")) == (400, True, 0), result


def test_the_form_has_every_key(url: str) -> None:
    form = ask(url, "form", {})
    keys = [entry["key"] for group in form["groups"] for entry in group["keys"]]
    assert sorted([*keys, "schema_version", "name", "description"]) == sorted(Scenario.model_fields)
    remarks = {e["key"]: e["remarks"] for group in form["groups"] for e in group["keys"]}
    for feature in FEATURES:
        sentences = " ".join(remarks[feature.field])
        assert feature.closed_form.leaves_out in sentences
        assert feature.real_run or "no real run" in sentences


def test_every_missing_chart_says_why(url: str) -> None:
    query = {"workers": "2", "compute_factors": "[1, 2]"}
    assert "compute_factors" in answer(url, **query)["left_out"]["workers"]
    assert shown(url, query)[1]["workers"] is None
    assert shown(url, query)[1]["front"]["rows"]


def test_the_measurements_page_compares_each_run(url: str) -> None:
    (suite,) = ask(url, "runs", {})["suites"]
    runs = measured.read(RUNS)
    assert suite["suite"] == "ingress@4"
    assert sum(row["runs"] for row in suite["scenarios"]) == len(runs)
    assert sum(row["suspect"] for row in suite["scenarios"]) == sum(bool(run.suspect) for run in runs)
    for row in suite["scenarios"]:
        assert row["least_s"] <= row["measured_s"] <= row["most_s"]
        assert row["error"] == pytest.approx(row["predicted_s"] / row["measured_s"] - 1)
        if row["chosen"]:
            seconds = answer(url, scenario=row["scenario"])["prediction"]["iteration_time_s"]
            assert seconds == row["predicted_s"]


def started(connection: socket.socket) -> None:
    """Wait until the server has begun to simulate."""
    text = b""
    while b"progress" not in text:
        more = connection.recv(1000)
        assert more
        text += more


def children(of: int | str = "self") -> set[int]:
    tasks = Path(f"/proc/{of}/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_simulations_that_are_left_leave_nothing(url: str) -> None:
    """Fifty are begun and left; then there are no more processes, threads and open files than after one."""
    long = {
        "workers": "40",
        "shards": "20",
        "mode": "asp",
        "compute": "80 ms",
        "compute_cv": "0.5",
        "replications": "900",
    }
    get(url, "/api/simulate?workers=2&shards=1")  # starts what multiprocessing keeps for all
    answer(url)

    def left() -> tuple[int, int, int]:
        return len(children()), threading.active_count(), sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = left()
    for number in range(50):
        connection = socket.create_connection((urlparse(url).hostname, urlparse(url).port))
        connection.sendall(
            f"GET /api/simulate?{urlencode(long)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        )
        if number % 5 == 0:
            started(connection)
        connection.close()
    until = time.monotonic() + 120
    while left() > before and time.monotonic() < until:
        time.sleep(0.2)
    now = left()
    assert all(a <= b for a, b in zip(now, before, strict=True)), (before, now)
    _, _, text = get(url, "/api/simulate?workers=2&shards=1")
    assert events(text)[-1][0] == "result"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_simulation_does_not_outlive_its_server_which_goes_quietly(ended_by: int) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "psmodel", "app", "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    where = re.search(r"http://\S+", server.stdout.readline())
    assert where is not None
    to = urlparse(where[0])
    query = {
        "workers": "40",
        "shards": "20",
        "mode": "asp",
        "compute": "80 ms",
        "compute_cv": "0.5",
        "iterations": "5000",
    }
    with socket.create_connection((to.hostname, to.port)) as connection:
        connection.sendall(
            f"GET /api/simulate?{urlencode(query)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        )
        started(connection)
        processes = children(server.pid)
        assert processes
        server.send_signal(ended_by)
        _, stderr = server.communicate(timeout=60)
    assert stderr.split() in ([], ["Error:", "Interrupted"])
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in processes) and time.monotonic() < until:
        time.sleep(0.1)
    assert [pid for pid in processes if Path(f"/proc/{pid}").exists()] == []


def test_a_simulation_that_takes_too_much_memory_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    limits = []
    monkeypatch.setattr(resource, "setrlimit", lambda what, pair: limits.append((what, pair[0])))
    simulated._limit_memory()
    assert limits == [(resource.RLIMIT_DATA, simulated._MOST_BYTES)]

    class Told:
        def __init__(self) -> None:
            self.said: list[tuple[str, Any]] = []

        def send(self, event: tuple[str, Any]) -> None:
            self.said.append(event)

    def greedy(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("psmodel.simulation.replications.replicate", greedy)
    monkeypatch.setattr(simulated, "_end_with_parent", lambda: None)
    pipe = Told()
    simulated._simulate(pipe, Query.of({}, Settings()).scenario, IDEAL, 1)  # type: ignore[arg-type]
    ((kind, words),) = pipe.said
    assert (kind, "GiB" in words) == ("problem", True)


@pytest.fixture
def page(url: str, browser: Any) -> Iterator[Any]:
    """An empty page; fails the test afterwards if it complained or asked anyone but us."""
    with clean_tab(browser, url) as tab:
        yield tab


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
    expect(page).to_have_url(re.compile("shards=100"))
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
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_nothing_serious_hinders_anyone(url: str, page: Any, width: int, scheme: str) -> None:
    """With everything open. axe-core finds nothing that it calls serious or critical."""
    from playwright.sync_api import expect

    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    query = {"scenario": "ingress-single", "pin": "scenario=ingress-sharded", "target": "9 s", "budget": "100",
             "layers": '[{"share": 1, "compute_share": 0}]', "racks": '{"count": 2}'}  # fmt: skip
    for path in (f"?{urlencode(query)}", "measurements.html"):
        page.goto(f"{url}{path}")
        page.locator("td").first.wait_for()
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        if "pin" in path:
            expect(page.get_by_label("Racks", exact=True)).to_be_visible()
            expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert hindrances(page) == []
        picture(page, f"{path[:5].strip('?')}-{scheme}-{width}")


@pytest.mark.browser
def test_the_question_is_edited_in_its_sentence(url: str, page: Any) -> None:
    from playwright.sync_api import expect

    ready(page, url, "?scenario=ingress-single")
    question = page.locator("#question")
    expect(question).to_contain_text("workers push")
    page.locator("#q-shards").fill("50")
    page.keyboard.press("Enter")
    expect(page.locator("#ingress")).to_have_text("160 ms")
    expect(page.locator("#shards-text")).to_have_value("50")
    page.locator("#q-bandwidth").fill("20 Gbit/s")
    page.keyboard.press("Tab")
    expect(page.locator("#ingress")).to_have_text("80 ms")
    expect(page.locator("#limits")).to_contain_text("shard ingress")
    expect(page.locator("#advice")).to_contain_text("bandwidth × 2")
    page.locator("#q-mode").select_option("ssp")
    page.locator("#q-staleness_bound").fill("2")
    page.keyboard.press("Enter")
    expect(page.locator("#command")).to_contain_text("--mode ssp --set staleness_bound=2")


@pytest.mark.browser
def test_an_interval_comes_after_the_charts_and_goes_with_its_scenario(fitted_url: str, browser: Any) -> None:
    from playwright.sync_api import expect

    with clean_tab(browser, fitted_url) as tab:
        ready(tab, fitted_url, "?scenario=ingress-single")
        notes = tab.locator("#notes")
        expect(notes).to_contain_text("(95 %, uncertainty of the fit)")
        before = notes.text_content()
        tab.locator("#q-shards").fill("50")
        tab.keyboard.press("Enter")
        expect(notes).to_contain_text("being worked out")
        expect(notes).to_contain_text("(95 %, uncertainty of the fit)")
        assert notes.text_content() != before


@pytest.mark.browser
def test_one_scenario_is_pinned_and_the_other_moves(url: str, page: Any) -> None:
    from playwright.sync_api import expect

    ready(page, url, "?scenario=ingress-single")
    page.get_by_role("button", name="Pin this scenario").click()
    expect(page.locator("#comparison")).to_contain_text("Nothing differs yet")
    page.locator("#q-shards").fill("100")
    page.keyboard.press("Enter")
    row = page.locator("#compared tr")
    expect(row.filter(has_text="shards")).to_have_text("shards1100")
    expect(row.filter(has_text="iteration")).to_have_text("iteration16 s160 ms−99.0 %")
    expect(page).to_have_url(re.compile("shards=100"))
    link = page.url
    ready(page, link)
    expect(row.filter(has_text="iteration")).to_have_text("iteration16 s160 ms−99.0 %")
    page.get_by_role("button", name="Unpin").click()
    expect(page.locator("#comparison")).to_be_hidden()


@pytest.mark.browser
def test_a_wish_marks_what_meets_it(url: str, page: Any) -> None:
    from playwright.sync_api import expect

    ready(page, url, "?scenario=ingress-single")
    page.get_by_label("I need an iteration of at most").fill("1 s")
    page.keyboard.press("Enter")
    expect(page.locator("#verdict")).to_have_text("✗ more than 1 s")
    caption = page.locator("figure small")
    expect(caption.nth(0)).to_contain_text("1 s is met at 16 to 400 shards")
    expect(caption.nth(2)).to_contain_text("Pale where an iteration takes more than 1 s")
    expect(caption.nth(3)).to_contain_text("The cheapest that meets it")
    page.get_by_label("for at most, per hour,").fill("0.01")
    page.keyboard.press("Enter")
    expect(caption.nth(3)).to_contain_text("No machine type and K meets it")
    page.get_by_label("Shards K, exact value").fill("16")
    page.keyboard.press("Enter")
    expect(page.locator("#verdict")).to_have_text("✓ within 1 s")


@pytest.mark.browser
def test_the_map_names_what_binds_at_the_pointer(url: str, page: Any) -> None:
    chart = "echarts.getInstanceByDom(document.querySelectorAll('figure .chart')[2])"
    page.goto(f"{url}?scenario=ingress-single")
    until(page, "!document.getElementById('results').hasAttribute('aria-busy')")
    page.locator("figure .chart").nth(2).scroll_into_view_if_needed()
    box = page.locator("figure .chart").nth(2).bounding_box()
    for workers, shards, words in ((3, 200, "worker egress binds, 160 ms"), (200, 2, "shard ingress binds")):
        x, y = page.evaluate(f"at => {chart}.convertToPixel('grid', at)", [workers, shards])
        page.mouse.move(box["x"] + x, box["y"] + y)
        until(
            page,
            f"words => {chart}.getZr().storage.getDisplayList(true).some(e => e.style?.text?.includes?.(words))",
            words,
        )


@pytest.mark.browser
def test_a_file_is_brought_changed_and_taken_along(url: str, page: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    file = tmp_path / "mine.toml"
    file.write_text(
        'workers = 4\nshards = 2\nmodel_size = "1GB"\nbandwidth = "10Gbps"\nracks = { count = 2 }\n'
    )
    ready(page, url)
    page.get_by_text("Bring a scenario file").click()
    page.get_by_label("A TOML or JSON file").set_input_files(file)
    expect(page.locator("#scenario option:checked")).to_have_text("mine (your file)")
    expect(page.locator("#also")).to_have_text("Also: racks.")
    page.locator("#q-workers").fill("8")
    page.keyboard.press("Enter")
    expect(page.locator("#toml")).to_have_attribute("href", re.compile("workers=8"))
    with page.expect_download() as saved:
        page.get_by_text("Download this scenario").click()
    scenario_back = from_file(saved.value.path().read_text(), "taken.toml")
    assert (saved.value.suggested_filename, scenario_back.workers, scenario_back.total_bytes) == (
        "mine.toml",
        8,
        10**9,
    )
    page.get_by_text("Bring a scenario file").click()
    page.get_by_label("or its text").fill("workers = 0")
    page.get_by_text("Use this text").click()
    expect(page.locator("#problem")).to_contain_text("Pasted text: workers = 0")


@pytest.mark.browser
def test_an_estimate_is_simulated_by_itself_and_an_exact_number_is_not(url: str, page: Any) -> None:
    from playwright.sync_api import expect

    ready(page, url, "?scenario=ingress-single")
    expect(page.locator("#iteration-claim")).to_have_text("exact")
    page.get_by_label("Compute time, exact value").fill("80 ms")
    page.keyboard.press("Enter")
    expect(page.locator("#iteration")).to_have_text("16.08 s")
    assert page.locator("#simulated").text_content() == ""
    ready(page, url, "?" + urlencode({"workers": 6, "shards": 3, "compute": "80 ms", "compute_cv": 0.3}))
    expect(page.locator("#simulated")).to_contain_text("± ")
    expect(page.locator("#iteration-claim")).to_contain_text("simulated ±")
    expect(page.locator("#timeline .chart")).to_be_visible()


@pytest.mark.browser
def test_every_key_can_be_set_and_a_chart_that_is_missing_says_why(url: str, page: Any) -> None:
    from playwright.sync_api import expect

    ready(page, url, "?scenario=ingress-sharded&workers=4&shards=2")
    groups = page.locator("#groups")
    groups.get_by_text("Hosts").click()
    groups.get_by_label("Racks", exact=True).check()
    expect(page.locator("#also")).to_have_text("Also: racks.")
    groups.get_by_label("count").fill("2")
    page.keyboard.press("Enter")
    expect(page.locator("#command")).to_contain_text("--set 'racks={count = 2}'")
    groups.get_by_text("Computing and updates").click()
    groups.get_by_label("Compute factors").fill("1, 2")
    page.keyboard.press("Enter")
    expect(page.locator("#problem")).to_contain_text("compute_factors has 2 numbers with workers = 4")
    groups.get_by_label("Compute factors").fill("1, 1, 1, 2")
    page.keyboard.press("Enter")
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("figure .instead").nth(1)).to_contain_text("The scenario gives compute_factors")
    groups.get_by_text("Order of an iteration").click()
    groups.get_by_label("Prefetch").check()
    expect(page.locator("#also")).to_contain_text("prefetched pulls")
    groups.get_by_label("Compute", exact=True).select_option("gamma")
    groups.get_by_label("mean").first.fill("20 ms")
    page.keyboard.press("Enter")
    expect(page.locator("#command")).to_contain_text('compute={kind = "gamma", mean = "20 ms", cv = 0.3}')
    expect(page.locator("#q-compute")).to_have_value("20 ms")
    groups.get_by_text("Network", exact=True).click()
    groups.get_by_role("button", name="A value for each direction").click()
    groups.get_by_label("shard down").fill("1 Gbit/s")
    page.keyboard.press("Enter")
    expect(page.locator("#q-bandwidth")).to_have_value("1 Gbit/s to 10 Gbit/s")
    groups.get_by_label("Racks", exact=True).uncheck()
    expect(page.locator("#also")).not_to_contain_text("racks")
    page.get_by_text("Reset").click()
    expect(page.locator("#also")).to_be_hidden()


@pytest.mark.browser
def test_the_page_of_measurements_leads_to_each_scenario(url: str, page: Any) -> None:
    from playwright.sync_api import expect

    ready(page, url)
    page.get_by_text("Measurements").click()
    expect(page.locator("#summary")).to_contain_text(f"{len(measured.read(RUNS))} runs")
    page.get_by_role("link", name="N3 K3 8MB 200Mbit/s pull=none").first.click()
    expect(page.locator("#measured")).to_contain_text("Measured:")


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


@pytest.mark.parametrize(
    "host", ["", "my_host", "a b", "-a", "a..b", "x" * 300, "[::1]", "1.2.3.4:80", "0", "127.1", "0x7f.1"]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(BadInput, match="address of this machine"):
        listen(host, 0)


def test_an_answer_is_sent_at_once() -> None:
    """Without TCP_NODELAY its second segment waits 40 ms for an acknowledgement."""
    with listen("127.0.0.1", 0) as sock, socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_of_version_6_is_named_in_brackets() -> None:
    """RFC 3986, section 3.2.2: what a request's Host header says of it."""
    assert "[::1]" in _names("::1")
    assert "[2001:db8::1]" in _names("2001:db8::1")
    assert "host.example" in _names("Host.Example")
