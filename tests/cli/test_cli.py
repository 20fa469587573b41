"""The command line as a user meets it: JSON on stdout, sentences on stderr, exit codes."""

import itertools
import json
from pathlib import Path

import pytest

from tests.command_line import run


@pytest.mark.parametrize(("scenario", "seconds"), [("ingress-single", 8.0), ("ingress-sharded", 0.08)])
@pytest.mark.parametrize("command", ["predict", "simulate"])
def test_the_seed_numbers(
    capsys: pytest.CaptureFixture[str], scenario: str, seconds: float, command: str
) -> None:
    code, out, err = run(capsys, command, scenario, "--json")
    result = json.loads(out)
    assert (code, err) == (0, "")
    exact = seconds if command == "predict" else pytest.approx(seconds, rel=1e-9)
    assert result["ingress_time_s"] == exact
    assert result["push_time_s"] == result["pull_time_s"] == exact
    assert result["iteration_time_s"] == pytest.approx(2 * seconds, rel=1e-9)
    assert result["schema_version"] == 1
    assert result["bottleneck"] == "shard ingress"
    assert {"shard ingress", "worker egress"} <= {bound["resource"] for bound in result["bounds"]}


def test_a_scenario_from_options_alone(capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--workers",
        "100",
        "--shards",
        "1",
        "--model-size",
        "100MB",
        "--bandwidth",
        "10Gbps",
        "--json",
    ]
    _, out, _ = run(capsys, "predict", *options)
    assert json.loads(out)["ingress_time_s"] == 8.0


def test_more_shards_than_workers_are_said_not_to_help(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "predict", "ingress-sharded", "--shards", "200", "--json")
    result = json.loads(out)
    assert result["ingress_time_s"] == pytest.approx(0.08)
    assert result["bottleneck"] == "worker egress"
    assert "do not help" in result["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shards", "0"], ["shards", "0"]),
        (["--model-size", "-1MB"], ["model_size", "-1MB"]),
        (["--bandwidth", "10 Gb"], ["bandwidth", "10 Gb", "10 Gbps"]),
        (["--set", "shardz=3"], ["shardz", "shards"]),
        (["--set", "model_size=nan"], ["model_size", "nan"]),
        (["--set", "shards"], ["--set", "shards=4"]),
        (["--workers", "many"], ["workers", "many"]),
        (["--elements", "1.2B"], ["elements", "1.2B", "bytes", '"1.2 billion"']),
        (["--elements", "350M"], ["elements", "350M", '"350 million"']),
        (["--elements", "2.4GB"], ["elements", "2.4GB", "model_size"]),
        (["--elements", "1.5"], ["elements", "1.5"]),
        (["--fit", "nowhere.json"], ["nowhere.json"]),
        (["--shards", "2", "--set", "shards=4"], ["hards is given twice", "--shards 2"]),
        (["--shards", "2", "--shards", "4"], ["--shards", "2 times (2, 4)"]),
        (["--set", "shards=2", "--set", "shards=4"], ["hards is given twice", "shards=2"]),
        (
            ["--set", "shards_per_host=2", "--set", "shards-per-host=4"],
            ["shards_per_host is given twice", "shards-per-host=4"],
        ),
        (
            ["--set", "bandwidth.shard_up=2", "--set", "bandwidth=4"],
            ["bandwidth", "its parts are already set"],
        ),
        (["--bandwidth", "1Gbps", "--set", "bandwidth.shard_up=2"], ["bandwidth", "already set"]),
        (["--shards", "1:8:1"], ["shards=1:8:1", "8 values", "psmodel sweep"]),
        (["--set", "mode=bsp,asp"], ["mode=bsp,asp", "2 values", "psmodel sweep"]),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    code, out, err = run(capsys, "predict", "ingress-single", *arguments, "--json")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert all(word in err for word in words)


def test_broken_files_are_one_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    truncated, empty, wrong = tmp_path / "cut.toml", tmp_path / "empty.json", tmp_path / "list.json"
    truncated.write_text('workers = 3\nmodel_size = "10')
    empty.write_text("")
    wrong.write_text("[1, 2]")
    for path in (truncated, empty, wrong, tmp_path / "absent.toml"):
        code, out, err = run(capsys, "predict", str(path))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert path.name in err


def test_nothing_is_written_on_bad_input(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    code, _, _ = run(capsys, "simulate", "ingress-single", "--shards", "0", "--trace", str(trace))
    assert code == 2
    assert list(tmp_path.iterdir()) == []


def test_trace_is_a_chrome_trace_with_a_row_per_worker_shard_and_link(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    trace = tmp_path / "trace.json"
    changes = ["--set", "push=sequential", "--set", "update_cost=1 ms"]
    options = ["--workers", "2", "--shards", "2", *changes, "--trace", str(trace)]
    assert run(capsys, "simulate", "ingress-sharded", *options)[0] == 0
    events = json.loads(trace.read_text())["traceEvents"]
    rows = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert {"worker-0", "worker-1", "shard-0", "shard-1", "shard-1.down", "worker-0.up"} <= rows
    for event in events:
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
    spans = [event for event in events if event["ph"] == "X"]
    assert all(event["dur"] >= 0 for event in spans)
    for row in {event["tid"] for event in spans}:
        own = sorted((e["ts"], e["ts"] + e["dur"]) for e in spans if e["tid"] == row)
        assert all(end <= begin + 1e-6 for (_, end), (begin, _) in itertools.pairwise(own))


def test_json_schema_describes_a_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "schema")
    assert {"workers", "shards", "bandwidth", "compute"} <= json.loads(out)["properties"].keys()


def test_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "scenarios", "--json")
    names = {scenario["name"] for scenario in json.loads(out)["scenarios"]}
    assert {"tutorial-single", "tutorial-sharded", "ingress-single", "ingress-sharded", "laptop"} <= names


@pytest.mark.parametrize("count", ["1.2 billion", "1.2e9", "1_200_000_000", "1200 million"])
def test_numbers_of_parameters_as_people_say_them(capsys: pytest.CaptureFixture[str], count: str) -> None:
    options = ["--workers", "2", "--shards", "1", "--bandwidth", "10Gbps", "--set", "dtype=float16"]
    code, out, _ = run(capsys, "predict", *options, "--elements", count, "--json")
    assert code == 0
    assert json.loads(out)["bytes_per_iteration"]["push"] == 2 * 2.4e9


def test_a_row_of_a_trace_says_for_how_many_it_stands(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    trace = tmp_path / "t.json"
    options = ["--model-size", "100000008B", "--iterations", "1", "--trace", str(trace)]
    assert run(capsys, "simulate", "ingress-sharded", *options)[0] == 0
    events = json.loads(trace.read_text())["traceEvents"]
    rows = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert {
        "worker-0…99 (100 alike)",
        "shard-0",
        "shard-1…99 (99 alike)",
        "shard-1…99.down (99 alike)",
    } <= rows


def test_samples_are_found_beside_the_scenario_in_every_command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    for name, time in (("a", "1 s"), ("b", "2 s")):
        (folder / f"{name}.csv").write_text(f"{time}\n")
    text = 'workers = 1\nshards = 1\nmodel_size = "8MB"\nplacement = "single-host"\n'
    (folder / "s.toml").write_text(text + 'compute = { kind = "empirical", file = "a.csv" }\n')
    monkeypatch.chdir(tmp_path)
    for file, expected in (("a", 1.0), ("b", 2.0)):
        _, out, _ = run(capsys, "predict", "inner/s.toml", "--set", f"compute.file={file}.csv", "--json")
        assert json.loads(out)["compute_time_s"] == expected
    _, out, err = run(capsys, "sweep", "inner/s.toml", "--set", "compute.file=a.csv,b.csv", "--json")
    assert [row["compute_time_s"] for row in json.loads(out)["rows"]] == [1.0, 2.0], err
