"""Baselines, selections side by side, and drift: against histories whose truth is known."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from psmodel.calibration import IDEAL, Calibration
from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from psmodel.simulation import predict
from tests.command_line import run
from tests.real_records import record
from validate.history import baseline as baselines
from validate.history import drift
from validate.history.drift_events import events, series_of
from validate.history.selections import Selection, side_by_side
from validate.machine.environment import this_machine
from validate.measurements.measurement import Instants, Measurement
from validate.measurements.selection import content
from validate.measurements.store import Store

DATA = Path(__file__).parents[1] / "validate" / "data"
FIXTURE = DATA / "ray_release_broadcast.csv"


def steps(series: drift.Series) -> list[tuple[str, str]]:
    return [(c.before, c.after) for c in drift.changes([series])]


def test_ray_s_release_log_has_its_two_steps_and_no_other() -> None:
    (series,) = drift.read_csv(FIXTURE)
    assert steps(series) == [("1.8.0", "1.10.0"), ("2.9.0", "2.10.0")]


@pytest.mark.parametrize("factor", [0.01, 3600.0])
def test_the_unit_of_time_does_not_matter(factor: float) -> None:
    (series,) = drift.read_csv(FIXTURE)
    scaled = replace(series, times=tuple(factor * t for t in series.times))
    assert steps(scaled) == steps(series)


def made_series(seed: int, at: int | None = None, step: float = 0.3, n: int = 30) -> drift.Series:
    rng = np.random.default_rng(seed)
    logs = 0.03 * rng.standard_normal(n)
    if at is not None:
        logs[at:] += step
    return drift.Series(name=f"s{seed}", labels=tuple(map(str, range(n))), times=tuple(np.exp(logs)))


def test_steps_are_found_where_they_are_and_seldom_where_not() -> None:
    series = [made_series(seed, at=12 if seed < 20 else None) for seed in range(60)]
    steps_seen = drift.changes(series)
    right = [c for c in steps_seen if c.index == 12 and int(c.series[1:]) < 20]
    assert len(right) == 20
    assert len(steps_seen) - len(right) <= 3  # 5 % of those found, on average
    assert sum(c.low <= math.exp(0.3) <= c.high for c in right) >= 15


def test_without_steps_a_store_is_seldom_flagged() -> None:
    """200 stores of 10 series each, at 5 %: more than 20 have a probability of 0.1 %."""
    wrong = sum(bool(drift.changes([made_series(1000 + 10 * k + i) for i in range(10)])) for k in range(200))
    assert wrong <= 20


def test_short_series_are_left_alone() -> None:
    assert not drift.changes([drift.Series(name="a", labels=("1", "2", "3"), times=(1.0, 100.0, 100.0))])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no series"),
        ("ray,a\n1.8,fast\n", "'fast' is no time"),
        ("ray,a\n1.8,-3\n", "'-3' is no time"),
        ("ray,a\n1.8,nan\n", "'nan' is no time"),
        ("ray,a\n1.8,1,2\n", "3 cells"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        drift.read_csv(path)


CASES = [
    Scenario(
        name=f"N{n} K{k} {size // 1000}k", workers=n, shards=k, elements=size, bandwidth="1Gbps", pull="none",  # type: ignore[arg-type]
        iterations=2, warmup=0, mtu=1500,
    )
    for n, k, size in ((1, 1, 125_000), (2, 1, 500_000), (2, 2, 125_000), (3, 2, 1_000_000))
]  # fmt: skip


def simulated(
    case: Scenario, calibration: Calibration, rng: np.random.Generator, **changes: object
) -> Measurement:
    """A record whose push takes as long as the simulation says, with 1 % of noise."""
    push = predict(case, calibration).prediction.metrics.push_time_s
    assert push is not None
    edges = np.tile(np.arange(2.0) * 100, (case.workers, 1))
    end = edges + push * math.exp(0.01 * rng.standard_normal())
    instants = Instants(
        start=edges, pulled=edges, computed=edges, submitted=edges, pushed=end, released=end + 1e-6
    )
    return record(scenario=case, instants=instants, **changes)


def history(before: Calibration, after: Calibration, days: int = 10) -> list[Measurement]:
    rng = np.random.default_rng(3)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    other = replace(this_machine(), ray="9.9.9")
    runs = []
    for day in range(2 * days):
        for number, case in enumerate(CASES):
            at = start + timedelta(days=day, minutes=number)
            runs.append(
                simulated(
                    case,
                    before if day < days else after,
                    rng,
                    run_id=f"{day}-{number}",
                    started_at=at.isoformat(),
                    environment=this_machine() if day < days else other,
                )
            )
    return runs


def test_drift_says_which_coefficient_moved() -> None:
    before = Calibration(handle_overhead_s=1e-3, goodput_factor=0.95)
    runs = history(before, replace(before, goodput_factor=0.8))
    pairs = series_of(runs)
    steps_seen = drift.changes([s for s, _ in pairs])
    assert {c.index for c in steps_seen} == {10}
    assert len(steps_seen) == len(CASES)
    (event,) = events(runs, pairs, steps_seen)
    assert event.differences["ray"] == (this_machine().ray, "9.9.9")
    assert "goodput_factor" in [m.coefficient for m in event.moved]
    moved = next(m for m in event.moved if m.coefficient == "goodput_factor")
    assert moved.low <= 0.8 - 0.95 <= moved.high
    assert event.moved[0] == moved


def test_nothing_moves_if_nothing_moved() -> None:
    runs = history(Calibration(goodput_factor=0.95), Calibration(goodput_factor=0.95))
    assert not drift.changes([s for s, _ in series_of(runs)])


def test_a_baseline_comes_back_from_its_file(tmp_path: Path) -> None:
    runs = history(IDEAL, IDEAL, days=3)
    store = tmp_path / "m.sqlite"
    baseline_record = baselines.Baseline.of("good", runs)
    baselines.save(baseline_record, store)
    assert baselines.load(store, "good") == baseline_record
    assert baselines.names(store) == ["good"]
    expected = baseline_record.expectation(content(CASES[0]))["push_time_s"]
    assert expected.seconds == pytest.approx(predict(CASES[0]).prediction.metrics.push_time_s, rel=0.02)
    assert baseline_record.expectation("nothing") == {}
    with pytest.raises(BadInput, match="there is a baseline good already"):
        baselines.save(baseline_record, store)
    baselines.save(baseline_record, store, replace=True)


@pytest.mark.parametrize("name", ["", "../good", "a/b", ".hidden", "x" * 65, "a b"])
def test_a_name_that_is_no_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be used"):
        baselines.load(tmp_path / "m.sqlite", name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 9}, "schema_version 1"),
        ({"entries": 3}, "entries"),
        ({"freedom": -1}, "freedom"),
        ({"machines": None}, "machines"),
    ],
)
def test_a_damaged_baseline_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    store = tmp_path / "m.sqlite"
    path = baselines.save(baselines.Baseline.of("good", history(IDEAL, IDEAL, days=1)), store)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BadInput, match=message):
        baselines.load(store, "good")


def test_two_selections_differ_by_what_changed() -> None:
    before = Calibration(goodput_factor=0.95)
    runs = history(before, replace(before, goodput_factor=0.8))
    result = side_by_side(runs, Selection.parse(f"ray={this_machine().ray}"), Selection.parse("ray=9.9.9"))
    assert len(result.pairs) == len(CASES)
    assert all(p.differs and p.low < 0.95 / 0.8 < p.high for p in result.pairs)
    assert result.environments == {"ray": ((this_machine().ray,), ("9.9.9",))}
    same = side_by_side(
        runs, Selection.parse("until=2026-01-05"), Selection.parse("since=2026-01-05,until=2026-01-11")
    )
    assert not any(p.differs for p in same.pairs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ray", "no key=value"),
        ("colour=red", "keys are ray"),
        ("ray=1,ray=2", "gives ray twice"),
        ("since=yesterday", "is no date"),
        ("ray=0.0.1", "has none of the store's"),
    ],
)
def test_a_selection_that_is_none_is_refused(text: str, message: str) -> None:
    runs = history(IDEAL, IDEAL, days=1)
    with pytest.raises(BadInput, match=message):
        side_by_side(runs, Selection.parse("all"), Selection.parse(text))


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "m.sqlite"
    before = Calibration(goodput_factor=0.95)
    with Store(store) as opened:
        opened.import_runs(history(before, replace(before, goodput_factor=0.8)))
    code, out, _ = run(capsys, "validate", "drift", "--store", str(store), "--json")
    assert code == 1
    document = json.loads(out)
    assert len(document["changes"]) == len(CASES)
    assert document["events"][0]["moved"][0]["coefficient"] == "goodput_factor"
    code, out, _ = run(capsys, "validate", "drift", str(FIXTURE))
    assert (code, out.count("faster from")) == (0, 2)
    code, out, _ = run(
        capsys, "validate", "compare", "ray=9.9.9", "until=2026-01-05", "--store", str(store), "--json"
    )
    assert (code, len(json.loads(out)["pairs"])) == (0, len(CASES))
    code, out, _ = run(
        capsys, "validate", "baseline", "save", "jan", "--select", "until=2026-01-05", "--store", str(store)
    )
    assert code == 0
    assert "4 scenarios, 16 runs" in out
    code, out, _ = run(capsys, "validate", "baseline", "list", "--store", str(store), "--json")
    assert [b["name"] for b in json.loads(out)["baselines"]] == ["jan"]
    code, _, err = run(
        capsys, "validate", "gate", "smoke", "--baseline", "jan", "--fit", "x.json", "--store", str(store)
    )
    assert (code, "both given" in err) == (2, True)
    code, _, err = run(capsys, "validate", "gate", "smoke", "--baseline", "feb", "--store", str(store))
    assert (code, "there are jan" in err) == (2, True)
