"""The report: names are somebody's, and say nothing to a terminal, a page or a picture; nobody is named in it."""

import getpass
import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from psmodel.errors import BadInput, CannotRun
from psmodel.scenario import Scenario, ScenarioError
from tests.command_line import run
from tests.real_records import SCENARIO, record
from validate.machine.environment import this_machine
from validate.measurements.measurement import Instants, Measurement
from validate.measurements.store import Store
from validate.measurements.suspect_runs import suspicions
from validate.report import page as report_page
from validate.report import plots, report
from validate.report import terminal as report_terminal
from validate.report.report import Report

NAMES = {
    "markup": "run [/x] [bold]",
    "link": "[link=file:///etc]a[/link]",
    "emoji": ":smile: [red]",
    "mathtext": r"$\frac{1$ and $x_1$",
    "dollar": "a $ b $ c",
    "html": "<script>alert(1)</script>&amp;",
    "long": "x" * 100_000,
    "control": "tab\tbell\x07null\x00line\nreturn\r",
    "ansi": "\x1b[31mred\x1b]0;title\x07",
    "surrogate": "a\ud800b",
    "direction": "a\u202eb",
    "chinese": "参数服务器",
    "formula": "=1+1",
    "empty": "",
    "blank": "   ",
    "jinja": "{{ 7*7 }} {% raw %}",
}


REFUSED = ("long", "control", "ansi", "surrogate", "direction")
"""No scenario is called like that; what speaks against a run may still be any text."""


@contextmanager
def silent(total: int | None, what: str) -> Iterator[Callable[[int, str], None]]:
    yield lambda steps, text: None


def slower(by: float) -> Instants:
    instants = record().instants
    return Instants(**{name: by * array for name, array in vars(instants).items()})


def runs(name: str, suspect: tuple[str, ...] = ()) -> list[Measurement]:
    small, large = SCENARIO.replace(name="calibrating"), SCENARIO.replace(elements=9)
    scored = Scenario.model_construct(**{**vars(large), "name": name})
    return [
        record("a", scenario=small),
        record("b", scenario=small, repetition=1, instants=slower(1.02)),
        record("c", scenario=scored, part="held_out", suspect=suspect),
        record("d", scenario=scored, part="held_out", repetition=1, instants=slower(0.97), suspect=suspect),
    ]


@pytest.fixture(scope="module")
def result() -> Report:
    """Fitted once; the names are put in afterwards, as a report shows them."""
    return report.from_runs(runs("plain"), "x", progress=silent)


def renamed(result: Report, name: str, suspect: tuple[str, ...] = ()) -> Report:
    from validate.comparison.comparisons import compare

    rows = runs(name, suspect)
    held_out = tuple(rows[2:])
    compared = compare(result.fit, held_out, calibration_runs=rows[:2])
    return replace(result, comparison=compared, held_out=held_out)


@pytest.mark.parametrize("key", REFUSED)
def test_a_name_that_would_be_more_than_text_is_refused(key: str) -> None:
    with pytest.raises(ScenarioError, match="name"):
        SCENARIO.replace(name=NAMES[key])


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_are_text_and_nothing_else(
    result: Report, name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        called = "plain" if name in (NAMES[key] for key in REFUSED) else name
        changed = renamed(result, called, suspect=(name, f"{name} 5 %"))
        report_terminal.show(changed)
        files = report_page.write(changed, tmp_path)
    out, err = capsys.readouterr()
    page = files[0].read_text(encoding="utf-8")
    document = json.loads(files[1].read_text(encoding="utf-8"))
    assert err == ""
    for text in (out, page):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert max(map(len, text.splitlines())) < 100_000 or "<svg" in text
    assert "<script>" not in page
    assert ("{{ 7*7 }}" in page) == (name == NAMES["jinja"])
    assert page.count("<svg") == 7
    assert len(document["runs"]) == 4
    if name == NAMES["markup"]:
        assert "run [/x] [bold]" in out


def test_markup_in_the_title_and_the_notes(result: Report, capsys: pytest.CaptureFixture[str]) -> None:
    changed = replace(result, title="[/x] <b>", notes=("suite [/x] is <b>",))
    report_terminal.show(changed)
    assert "Suite [/x] is <b>." in capsys.readouterr().out
    assert "<b>" not in report_page.html(changed)


def test_suspect_runs_are_one_sentence() -> None:
    """How many, why, and the range: not a sentence for each percentage."""
    rows = [
        record("a"),
        *(record(str(p), suspect=(f"other processes used {p} % of the CPU time",)) for p in (6, 64, 13)),
        record("s", suspect=("the hypervisor kept 3 % of the CPU time", "other processes used 9 % of the CPU time")),
    ]  # fmt: skip
    assert suspicions(rows) == [
        "4 of 5 runs are suspect: other processes used 6 to 64 % of the CPU time (4 runs); "
        "the hypervisor kept 3 % of the CPU time (1 run)."
    ]
    assert suspicions(rows[:1]) == []
    many = [record(str(i), suspect=(f"reason {chr(97 + i)}",)) for i in range(20)]
    assert suspicions(many)[0].endswith("; 15 reasons more.")


def test_nobody_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the user, nor the machine, nor where on it the store lies, nor a token of the environment."""
    home = tmp_path / "home" / "alice-the-user"
    home.mkdir(parents=True)
    secret = "token-0123456789abcdef"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", "alice-the-user")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secret)
    here = replace(this_machine(), host="alices-laptop", machine_id="feedface" * 4)
    with Store(home / "runs.sqlite") as store:
        for measurement in runs("plain"):
            store.add(replace(measurement, environment=here))
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "validate", "report", "--store", str(home / "runs.sqlite"), "--out", "out")[0] == 0
    assert run(capsys, "validate", "fit", "--store", str(home / "runs.sqlite"), "--out", "fit.json")[0] == 0
    files_written = [*(tmp_path / "out").iterdir(), tmp_path / "fit.json"]
    assert len(files_written) == 4
    for file in files_written:
        text = file.read_text(encoding="utf-8")
        for word in ("alice", "feedface", secret, str(tmp_path), "/home/", str(Path.cwd())):
            assert word not in text, (file.name, word)
        if getpass.getuser() != "root":
            assert getpass.getuser() not in text
    assert here.fingerprint in (tmp_path / "fit.json").read_text()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "runs.sqlite"
    with Store(path) as opened:
        for measurement in runs("plain"):
            opened.add(measurement)
    return path


@pytest.mark.parametrize("command", ["fit", "report"])
@pytest.mark.parametrize("kind", ["device", "pipe", "file", "below a file"])
def test_what_cannot_be_written_is_said_before_the_fit(
    tmp_path: Path,
    store: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    kind: str,
) -> None:
    monkeypatch.setattr(report, "fit", lambda *a, **k: pytest.fail("it was fitted"))
    out = tmp_path / "out"
    if kind == "device":
        out = Path("/dev/null")
    elif kind == "pipe":
        os.mkfifo(out)
    elif kind == "file" and command == "report":
        out.write_text("here")
    else:
        (tmp_path / "file").write_text("here")
        out = tmp_path / "file" / "below"
    code, _, err = run(capsys, "validate", command, "--store", str(store), "--out", str(out))
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert str(out) in err
    assert Path("/dev/null").is_char_device()


def test_a_file_where_the_report_s_page_should_be_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(BadInput, match=r"report\.html"):
        report_page.check_folder(tmp_path)


def test_a_folder_that_nothing_can_be_written_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(CannotRun, match="nothing can be written"):
        report_page.check_file(tmp_path / "fit.json")
    assert CannotRun.exit_code == 3


def test_damaged_rows_are_said_in_the_report(store: Path, tmp_path: Path) -> None:
    import sqlite3

    db = sqlite3.connect(store)
    db.execute("UPDATE measurement SET record = 'x' WHERE id = 4")
    db.commit()
    db.close()
    outcome = report.from_store(store, None, progress=silent)
    assert len(outcome.runs) == 3
    assert any("1 run is left out" in sentence for sentence in report.warnings(outcome))


def test_the_summary_has_a_word_and_a_direction(result: Report) -> None:
    text = report.summary(result)
    score = result.comparison.score()
    assert f"is called {score.quality}." in text
    assert score.bias in text
    assert "of 1 held-out scenario were" in text


def test_the_first_sentence_is_the_verdict(result: Report) -> None:
    """How far off, to which side, and whether a simpler model does as well."""
    score = result.comparison.score()
    first = report.verdict(result)
    assert report.summary(result).startswith(first)
    assert f"is {100 * score.mape:.1f} % off" in first
    best = result.comparison.best_baseline
    assert best is not None
    assert best.model in first
    assert ("is closer" in first) == (best.mape < score.mape)


def test_what_no_run_tells_has_one_line_and_the_run_that_would(result: Report) -> None:
    assert result.fit.unidentified
    assert result.telling.keys() == result.fit.unidentified.keys()
    rows = {name: text for name, _, text, _ in report.coefficient_rows(result.fit, result.telling)}
    for name, sentence in result.telling.items():
        assert rows[name].endswith(sentence)
        assert "\n" not in rows[name]


def test_a_coefficient_that_ended_at_nothing_is_shown_as_nothing(result: Report) -> None:
    calibration = replace(result.fit.calibration, submit_overhead_s=1.556e-18)
    rows = {
        name: text for name, text, *_ in report.coefficient_rows(replace(result.fit, calibration=calibration))
    }
    assert rows["submit_overhead_s"] == "0 s"


def test_a_baseline_that_is_far_off_leaves_our_bar_visible() -> None:
    """1302 % beside 2 %: on the axis ours is at least a twentieth of the width."""
    figure = plots.model_errors(["psmodel", "bad"], [0.02, 13.02], [0.08, 40.0])
    axes = figure.axes[0]
    left, right = (axes.transData.transform((x, 0))[0] for x in axes.get_xlim())
    ours = axes.patches[0]
    ends = [axes.transData.transform((x, 0))[0] for x in (ours.get_x(), ours.get_x() + ours.get_width())]
    assert (ends[1] - ends[0]) / (right - left) > 0.05


def test_nothing_to_fit_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store(tmp_path / "x.sqlite") as store:
        store.add(record("a", part="held_out"))
    for arguments in ((), ("--suite", "made"), ("--suite", "none")):
        code, _, err = run(capsys, "validate", "fit", "--store", str(tmp_path / "x.sqlite"), *arguments)
        assert code == 2
        assert "x.sqlite" in err
