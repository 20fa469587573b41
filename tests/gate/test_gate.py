"""The gate's verdicts: their false-alarm rate, their sentences, and the two formats that others read."""

import json
import math
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xmlschema
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

from psmodel.scenario import Scenario
from tests.command_line import run
from tests.gate import made
from tests.real_records import record
from validate.fitting import fit as fits
from validate.fitting.model_response import Forward
from validate.fitting.observables import RESOLUTION_S
from validate.gate import junit, openmetrics, soak
from validate.gate.levels import LEVELS, plan
from validate.gate.result import Reason
from validate.gate.verdict import judge
from validate.history.expectation import Expectation, by_fit, negligible, turns
from validate.measurements.measurement import Instants, Measurement, Updates
from validate.measurements.selection import by_scenario, content
from validate.measurements.stored import read

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "figures" / "measured"
SCHEMA = Path(__file__).parents[1] / "validate" / "data" / "junit-10.xsd"


@pytest.fixture(scope="module")
def runs() -> list[Measurement]:
    return [m for m in read(MEASURED / "ingress.json").runs if m.part == "held_out"]


@pytest.fixture(scope="module")
def expectations(runs):
    fit = fits.load(MEASURED / "ingress.fit.json")
    forward = Forward()
    return {content(g[0].scenario): by_fit(fit, g[0].scenario, forward) for g in by_scenario(runs)}


def slowed(run: Measurement, *, shard: int, factor: float) -> Measurement:
    """The run as it would be if all that goes to one shard took longer: its updates and the ends of pushes move."""
    instants, updates = run.instants, run.updates
    grow = factor - 1
    push = instants.pushed - instants.computed
    shift = np.cumsum(np.concatenate([np.zeros((len(push), 1)), grow * push], axis=1), axis=1)
    moved = {
        name: getattr(instants, name) + shift[:, :-1] for name in ("start", "pulled", "computed", "submitted")
    }
    moved |= {name: getattr(instants, name) + shift[:, 1:] for name in ("pushed", "released")}
    at = updates.worker, updates.iteration
    own = np.where(updates.shard == shard, grow * (updates.begin - instants.computed[at]), 0.0)
    later = shift[:, :-1][at] + own
    return replace(
        run,
        instants=Instants(**moved),
        updates=replace(updates, begin=updates.begin + later, end=updates.end + later),
        hosts=tuple((f"shard {k}", f"shard-{k}") for k in range(run.scenario.shards)),
    )


def exchanges(runs: Iterable[Measurement]) -> int:
    """Pulls and pushes that the scenarios of the runs have; each has a check of its own."""
    scenarios = {content(r.scenario): r.scenario for r in runs}.values()
    return sum((s.pull != "none") + (s.push != "none") for s in scenarios)


def test_held_out_runs_of_a_sound_machine_pass(runs, expectations) -> None:
    checks = judge(runs, expectations, alpha=0.01, margin=0.02)
    assert len(checks) == exchanges(runs)
    assert all(c.passed for c in checks)
    assert all(c.low_s <= c.measured_s <= c.high_s for c in checks)


def test_a_slow_shard_is_found_and_named(runs, expectations) -> None:
    def hit(run: Measurement) -> bool:
        s = run.scenario
        return (s.workers, s.shards, s.push, s.pull) == (2, 4, "blocking", "none")

    mixture = [slowed(r, shard=1, factor=1.5) if hit(r) else r for r in runs]
    failed = [c for c in judge(mixture, expectations, alpha=0.01, margin=0.02) if not c.passed]
    assert failed
    for check in failed:
        assert "push of N2 K4" in check.sentence
        assert "ingress of host shard-1" in check.sentence
        assert not check.low_s <= check.measured_s <= check.high_s


def test_too_fast_fails_and_says_so(runs, expectations) -> None:
    (key, of), *_ = expectations.items()
    slow = {m: replace(e, centre=e.centre + 1) for m, e in of.items()}
    failed = [c for c in judge(runs, {key: slow}, alpha=0.01, margin=0.02) if not c.passed]
    assert failed
    assert all("faster than expected" in c.sentence for c in failed)


def test_few_false_alarms_if_all_is_as_expected() -> None:
    """400 gates of 20 scenarios whose logarithms are drawn as expected: at 5 % more than 32 fail 0.5 % of the time."""
    rng = np.random.default_rng(1)
    scenarios = [Scenario(workers=1, shards=1, elements=8 * n, bandwidth="1Gbps", iterations=2) for n in range(1, 21)]  # type: ignore[arg-type]  # fmt: skip
    expected = Expectation(centre=-1.0, shared=0.03, noise=0.02, freedom=12)
    failed = 0
    for _ in range(400):
        checks = []
        for scenario in scenarios:
            scale = np.sqrt(expected.freedom / rng.chisquare(expected.freedom))
            mean = expected.centre + scale * np.hypot(0.03, 0.02) * rng.standard_normal()
            checks.append((scenario, expected.p_value(float(mean), 1, 0.0)))
        failed += min(p for _, p in checks) < 0.05 / len(checks)
    assert failed <= 32


def test_a_metric_out_of_its_interval_and_its_p_value_agree() -> None:
    expected = Expectation(centre=-1.0, shared=0.03, noise=0.02, freedom=7)
    for level in (0.05, 0.001):
        low, high = expected.interval(2, level, 0.02)
        for edge in (low, high):
            assert expected.p_value(float(np.log(edge + 1e-4)), 2, 0.02) == pytest.approx(level, rel=1e-6)


def test_streams_one_after_the_other_are_not_faster() -> None:
    """Of four equal streams over one link, one at a time, the mean ends at 5/8 of the fair share's time; no sooner."""
    fair = Expectation(centre=float(np.log(0.8)), shared=0.0, noise=1e-3, freedom=50, turns=4)
    in_turns = float(np.log(np.mean([0.2, 0.4, 0.6, 0.8])))
    assert fair.p_value(in_turns, 1, 0.0) == pytest.approx(1.0)
    assert fair.p_value(in_turns - 0.1, 1, 0.0) < 1e-6
    assert fair.p_value(fair.centre + 0.1, 1, 0.0) < 1e-6
    assert turns(4, "pull_time_s") == turns(4, "push_time_s") == 4
    assert turns(4, "iteration_time_s") == 1


def test_a_phase_off_by_a_part_of_the_iteration_that_is_no_concern_passes() -> None:
    """A pull expected to be free takes 1 ms of an iteration of 1 s: 11 times as long on the scale, and no concern."""
    centres = {"pull_time_s": math.log(RESOLUTION_S), "push_time_s": math.log(1.0)}
    free = Expectation(
        centre=centres["pull_time_s"],
        shared=0.0,
        noise=1e-2,
        freedom=50,
        negligible=negligible(centres, "pull_time_s"),
    )
    assert free.p_value(math.log(1e-3 + RESOLUTION_S), 1, 0.02) == pytest.approx(1.0)
    assert free.p_value(math.log(7e-3 + RESOLUTION_S), 1, 0.02) < 1e-6


def test_a_failure_says_that_the_fit_never_saw_such(runs, expectations) -> None:
    (key, of), *_ = expectations.items()
    far = {
        m: replace(e, centre=e.centre - 1, outside=('mode "asp" was not calibrated',)) for m, e in of.items()
    }
    failed = [c for c in judge(runs, {key: far}, alpha=0.01, margin=0.02) if not c.passed]
    assert failed
    assert all('an extrapolation: mode "asp" was not calibrated' in c.sentence for c in failed)


def everything():
    slow = made.verdict(up={"worker-1": 0.5})
    bad = made.check("N3 <K2> & \"quoted\" \x01 ü", measured_s=0.655, passed=False)  # fmt: skip
    return made.gate(
        made.check(), bad, hosts=slow, broken=(Reason(scenario="N1 K1", reason="worker 0 (process 5) has died"),)
    )  # fmt: skip


def test_junit_is_valid_by_the_common_schema() -> None:
    schema = xmlschema.XMLSchema(str(SCHEMA))
    document = junit.document(everything()).decode()
    schema.validate(document)
    root = xmlschema.XMLResource(document).root
    assert root.get("tests") == "9"  # two judged, one broken, one left out, five hosts
    assert (root.get("failures"), root.get("errors")) == ("2", "1")
    by_name = {s.get("name"): s for s in root}
    properties = {p.get("name"): p.get("value") for p in by_name["N3 K2"].iter("property")}
    assert float(properties["push_time_s.measured"]) == 0.4
    assert by_name["left <out>"].find("testcase/skipped") is not None
    assert "host worker-1" in by_name["host worker-1"].find("testcase/failure").get("message")
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        schema.validate(document.replace("<testcase name", "<testcase nom"))


def test_openmetrics_is_read_by_prometheus() -> None:
    text = openmetrics.text(everything())
    # node_exporter's textfile collector reads Prometheus' older format, in which it is valid too.
    older = {f.name: f for f in prometheus_text(text)}
    assert older["psmodel_gate_passed"].samples[0].value == 0
    families = {f.name: f for f in text_string_to_metric_families(text)}
    assert families["psmodel_gate_passed"].samples[0].value == 0
    measured = {s.labels["scenario"]: s.value for s in families["psmodel_gate_measured_seconds"].samples}
    assert measured["N3 K2"] == 0.4
    assert len(measured) == 2
    slow = {
        (s.labels["host"], s.labels["aspect"]): s.value for s in families["psmodel_gate_host_slow"].samples
    }
    assert slow["worker-1", "up"] == 1
    assert sum(slow.values()) == 1


def test_json_keeps_its_keys() -> None:
    document = json.loads(json.dumps(everything().to_json()))
    assert document["schema_version"] == 1
    assert set(document) == {
        "schema_version", "suite", "against", "passed", "alpha", "margin", "checks", "broken", "unjudged", "hosts",
        "machine", "started_at", "duration_s",
    }  # fmt: skip
    assert set(document["checks"][0]) == {
        "scenario", "content", "metric", "runs", "measured_s", "expected_s", "low_s", "high_s", "p_value", "passed",
        "cause", "outside", "sentence",
    }  # fmt: skip
    assert document["hosts"]["lists"]["slurm"] == "--exclude=worker-1"


def test_exit_codes() -> None:
    assert made.gate(made.check()).exit_code == 0
    assert made.gate(made.check(passed=False)).exit_code == 1
    assert made.gate(made.check(), hosts=made.verdict(down={"shard-0": 0.8})).exit_code == 1
    assert made.gate(broken=(Reason(scenario="a", reason="b"),)).exit_code == 1
    assert made.gate(hosts=made.verdict()).exit_code == 0
    assert made.gate().exit_code == 3


def test_a_longer_level_runs_more_and_first_one_of_each_kind() -> None:
    from psmodel.calibration import IDEAL
    from validate.suites import suite

    scenarios = suite.load("ingress").scenarios
    plans = {level: plan(scenarios, seconds, IDEAL) for level, seconds in LEVELS.items()}
    assert len(plans["1min"].runs) < len(plans["10min"].runs) < len(plans["1h"].runs)
    assert all(p.seconds <= LEVELS[level] for level, p in plans.items())
    assert {(s.push, s.pull) for s in plans["1min"].runs} == {(s.push, s.pull) for s in scenarios}
    assert not plans["1h"].left_out
    assert len(plans["1min"].runs) + len(plans["1min"].left_out) == len(scenarios)
    assert len(plan(scenarios, 0.1, IDEAL).runs) == 1


def test_running_percentiles_are_those_of_numpy() -> None:
    made_runs = [record(str(i)) for i in range(5)]
    key = content(made_runs[0].scenario)
    pushed = made_runs[0].metrics.push_time_s
    expected = Expectation(centre=float(np.log(pushed + 1e-4)), shared=0.01, noise=0.01, freedom=5)
    (running,) = soak.percentiles(made_runs, {key: {"push_time_s": expected}})
    assert running.runs == 5
    assert running.p50 == pytest.approx(1.0)
    assert running.p99 == pytest.approx(1.0)


def test_the_cause_is_the_worker_if_it_alone_is_late() -> None:
    from validate.gate.blame import cause

    scenario = Scenario(workers=3, shards=2, elements=100, bandwidth="1Gbps", iterations=4, pull="none")  # type: ignore[arg-type]  # fmt: skip
    base = np.arange(4.0)
    push = np.array([[0.2], [0.2], [0.5]])
    start = np.tile(base, (3, 1))
    end = start + push
    released = np.zeros_like(end) + base + 0.6
    instants = Instants(
        start=start, pulled=start, computed=start, submitted=start, pushed=end, released=released
    )
    shard, iteration, worker = (a.ravel() for a in np.indices((2, 4, 3)))
    arrived = end[worker, iteration] - 0.01
    updates = Updates(
        shard=shard, worker=worker, iteration=iteration, staleness=worker * 0, begin=arrived, end=arrived
    )
    late = record("x", scenario=scenario, instants=instants, updates=updates, hosts=(("worker 2", "node-c"),))
    assert cause([late], "push_time_s") == "egress of host node-c"
    even = replace(late, instants=replace(instants, pushed=start + 0.2))
    arrived = (start + 0.19)[worker, iteration]
    even = replace(even, updates=replace(updates, begin=arrived, end=arrived))
    assert cause([even], "push_time_s").endswith("no host stands out")


def test_stored_runs_are_judged_without_making_any(
    runs, tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit, store = MEASURED / "ingress.fit.json", MEASURED / "ingress.json"
    gate = ("validate", "gate", "ingress", "--store", str(store), "--select", "all", "--json")
    code, out, err = run(
        capsys, *gate, "--fit", str(fit), "--mix-machines", "--junit", str(tmp_path / "g.xml")
    )
    assert code == 0, err
    document = json.loads(out)
    assert document["hosts"] is None
    assert len(document["checks"]) == exchanges(runs)
    xmlschema.XMLSchema(str(SCHEMA)).validate(str(tmp_path / "g.xml"))
    code, _, err = run(capsys, *gate)
    assert (code, "give one" in err) == (2, True)
    code, _, err = run(capsys, *gate[:-2], "since=2100-01-01", "--fit", str(fit), "--mix-machines")
    assert (code, "no held-out runs of suite ingress" in err) == (2, True)
    other = json.loads(fit.read_text())
    other["environment"]["fingerprint"] = "0123456789ab"
    (tmp_path / "other.json").write_text(json.dumps(other))
    code, _, err = run(capsys, *gate, "--fit", str(tmp_path / "other.json"))
    assert (code, "of another machine (0123456789ab)" in err) == (2, True)


def test_ray_is_not_imported_before_a_testbed_has_set_it_up() -> None:
    """Ray reads its settings, the token's among them, when it is imported."""
    code = "import sys, validate.runs.real_run, validate.cli.gate_course; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_before_it_starts_a_gate_says_what_it_asks_of_hosts(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "validate", "gate", "cluster", "--dry-run")
    assert code == 0, err
    # The largest of the suite's scenarios has three hosts, and nothing is expected of any without a fit.
    assert "3 hosts send at full rate" in out
    assert "No scenario is run: without --fit or --baseline" in out
    assert "0 B" not in out
    document = json.loads(run(capsys, "validate", "gate", "cluster", "--dry-run", "--json")[1])
    assert (document["runs"], document["survey"]) == (0, {"hosts": 3, "rounds": 12, "round_s": 0.5})

    fit = ("--fit", str(MEASURED / "ingress.fit.json"), "--mix-machines", "--dry-run", "--json")
    runs_at = {
        level: json.loads(run(capsys, "validate", "gate", "ingress", "--level", level, *fit)[1])
        for level in LEVELS
    }
    assert runs_at["1min"]["runs"] < runs_at["10min"]["runs"] < runs_at["1h"]["runs"]
    for level, document in runs_at.items():
        assert 0 < document["expected_s"] <= LEVELS[level]
        assert document["bytes_moved"] > 0

    soak = ("validate", "gate", "ingress", "--duration", "8h", *fit)
    assert json.loads(run(capsys, *soak)[1])["duration_s"] == 8 * 3600
    assert "one round; rounds follow each other for 8" in run(capsys, *soak[:-1])[1]

    code, _, err = run(capsys, "validate", "gate", "smoke", "--dry-run")
    assert (code, "gives nothing to judge" in err) == (3, True)
