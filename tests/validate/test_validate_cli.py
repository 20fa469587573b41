"""The commands of `psmodel validate` on a real Ray, from a suite file to the report."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
schema_version = 1
name = "tiny"
version = 1
testbed = "local"
repetitions = 2

[base]
placement = "single-host"
iterations = 8
warmup = 2

[[calibration]]
workers = 1
shards = 1
model_size = ["80 kB", "8MB"]

[[held_out]]
workers = 1
shards = 3
model_size = "4MB"
"""


def psmodel(*arguments: str | Path, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    process = subprocess.run(
        [sys.executable, "-m", "psmodel", *map(str, arguments)], cwd=cwd, capture_output=True, text=True
    )
    assert process.returncode == code, process.stderr
    assert "Traceback" not in process.stderr
    return process


def read(*arguments: str | Path, cwd: Path) -> dict:
    document = json.loads(psmodel(*arguments, "--json", cwd=cwd).stdout)
    assert document["schema_version"] == 1
    return document


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a store that holds all runs of the tiny suite."""
    folder = tmp_path_factory.mktemp("validate")
    (folder / "tiny.toml").write_text(SUITE)
    outcome = read("validate", "suite", "tiny.toml", cwd=folder)
    assert outcome["found"] == 0
    assert outcome["made"] >= 6  # more if the machine was busy and runs were repeated
    assert outcome["failed"] == []
    return folder


pytestmark = pytest.mark.ray


def test_a_suite_is_not_run_twice(place: Path) -> None:
    again = read("validate", "suite", "tiny.toml", cwd=place)
    assert (again["made"], again["found"]) == (0, 6)


def test_shards_hold_what_was_pushed(place: Path) -> None:
    rows = read("validate", "list", cwd=place)["measurements"]
    assert all(row["sums_ok"] for row in rows)
    assert {row["part"] for row in rows} == {"calibration", "held_out"}


def test_the_fit_is_what_predict_takes(place: Path) -> None:
    fitted = read("validate", "fit", "--suite", "tiny", cwd=place)
    assert {row["scenario"] for row in fitted["comparison"]["rows"]} == {"N1 K3 4MB"}
    question = (
        "predict",
        "--set",
        "placement=single-host",
        "--workers",
        "1",
        "--shards",
        "1",
        "--model-size",
        "8MB",
    )
    ideal = read(*question, cwd=place)
    fitted = read(*question, "--fit", "fit.json", cwd=place)
    assert ideal["push_time_s"] == 0 < fitted["push_time_s"]


def test_the_report_is_one_page_with_its_pictures(place: Path) -> None:
    paths = read("validate", "report", "--suite", "tiny", "--out", "out", cwd=place)["written"]
    assert [Path(p).name for p in paths] == ["report.html", "report.json", "fit.json"]
    page = (place / "out" / "report.html").read_text()
    assert page.count("<svg") == 7
    for outside in ("src=", "<link", "<script", "@import"):
        assert outside not in page
    assert json.loads((place / "out" / "report.json").read_text())["sums_ok"]


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_export(place: Path, ending: str) -> None:
    psmodel("validate", "export", f"all.{ending}", cwd=place)
    assert (place / f"all.{ending}").stat().st_size > 500


def test_a_diagnosis_sums_up_to_what_was_measured(place: Path) -> None:
    run = read("validate", "list", cwd=place)["measurements"][0]
    psmodel("validate", "fit", "--suite", "tiny", cwd=place)
    command = ("validate", "diagnose", run["run_id"][:8], "--fit", "fit.json", "--plot", "why.svg")
    result = read(*command, cwd=place)
    assert result["bound_s"] + sum(loss["seconds"] for loss in result["losses"]) == pytest.approx(
        result["measured_s"]
    )
    assert result["measured_s"] == run["iteration_time_s"]
    assert (place / "why.svg").read_text().count("<svg") == 1


def test_a_run_by_itself_is_stored_and_traced(place: Path) -> None:
    before = len(read("validate", "list", cwd=place)["measurements"])
    run = (
        "validate",
        "run",
        "laptop",
        "--iterations",
        "4",
        "--repetitions",
        "1",
        "--trace",
        "t.json",
        "--watch",
    )
    process = psmodel(*run, "--json", cwd=place)
    document = json.loads(process.stdout)
    assert document["prediction"].keys() >= document["measurements"][0]["metrics"].keys()
    assert len(read("validate", "list", cwd=place)["measurements"]) == before + 1
    rows = {
        e["args"]["name"] for e in json.loads((place / "t.json").read_text())["traceEvents"] if e["ph"] == "M"
    }
    assert rows >= {"worker-0", "worker-1", "shard-0", "shard-1"}


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("suite", "smok"), "smok"),
        (("suite", "missing.toml"), "missing.toml"),
        (("run", "laptop", "--testbed", "cluster"), "--address"),
        (("run", "laptop", "--shards", "0"), "shards"),
        (("fit", "--suite", "none"), "none"),
        (("fit", "--store", "tiny.toml"), "tiny.toml"),
        (("export", "table.docx"), ".docx"),
        (("diagnose", "zzz"), "zzz"),
        (("design", "--budget", "soon"), "soon"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(place: Path, arguments, names) -> None:
    before = sorted(place.iterdir())
    error = psmodel("validate", *arguments, cwd=place, code=2).stderr
    assert len(error.strip().splitlines()) == 1
    assert names in error
    assert sorted(place.iterdir()) == before
