"""The shipped measurements, fitted and scored again: what docs/background/measured.md says is what comes out."""

import re
from collections.abc import Container
from pathlib import Path

import pytest

from figures.kit import measured
from psmodel.scenario import Scenario
from psmodel.units import format_time
from validate.comparison.comparisons import OURS, UNFITTED, Comparison, compare
from validate.fitting.estimate import fit
from validate.fitting.fit import Fit
from validate.fitting.model_response import simulated
from validate.fitting.probe_rates import probes
from validate.measurements.selection import believable
from validate.measurements.store import read_json
from validate.report.report import coefficient_rows

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "background" / "measured.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def ingress() -> tuple[Fit, Comparison]:
    runs = read_json(ROOT / "figures" / "measured" / "ingress.json")
    assert all(m.sums_ok for m in runs)
    calibration = believable([m for m in runs if m.part == "calibration"])
    held_out = believable([m for m in runs if m.part == "held_out"])
    assert len({m.scenario for m in calibration}) <= 4
    assert sum(m.duration_s for m in runs if m.part == "calibration") <= 60
    fitted = fit(calibration)
    return fitted, compare(fitted, held_out, calibration_runs=calibration)


def test_errors_on_shaped_links(ingress) -> None:
    """All phases, the shortest of 2 ms included; and iterations of 100 ms and more."""
    fitted, comparison = ingress
    ours = comparison.score()
    assert ours.mape <= 0.06
    assert ours.largest <= 0.60
    times: dict[Scenario, list[float]] = {}
    for m in believable(read_json(ROOT / "figures" / "measured" / "ingress.json")):
        if m.part == "held_out" and m.metrics.iteration_time_s >= 0.1:
            times.setdefault(m.scenario, []).append(m.metrics.iteration_time_s)
    errors = [
        abs(simulated(s, fitted.calibration).iteration_time_s / (sum(values) / len(values)) - 1)
        for s, values in times.items()
    ]
    mean, largest = sum(errors) / len(errors), max(errors)
    assert len(errors) >= 30
    assert mean <= 0.025
    assert largest <= 0.08
    phrase = f"{100 * mean:.1f} % mean error, {100 * largest:.1f} % at most"
    for page in (PAGE, (ROOT / "README.md").read_text(encoding="utf-8")):
        assert phrase in " ".join(page.split())
    assert 0.90 <= comparison.coverage <= 1.0
    assert comparison.score(UNFITTED).mape <= 0.10
    assert ours.mape <= 0.5 * comparison.best_baseline.mape


def test_the_effective_bandwidth_is_that_of_plain_tcp(ingress) -> None:
    """Within a part in a hundred of what a TCP stream got over the same links."""
    fitted, _ = ingress
    probed = probes(read_json(ROOT / "figures" / "measured" / "ingress.json"))["goodput_factor"].value
    assert fitted.calibration.goodput_factor == pytest.approx(probed, rel=0.01)
    assert "goodput_factor" not in fitted.unidentified


def test_what_these_runs_do_not_tell_is_said(ingress) -> None:
    fitted, _ = ingress
    phrases = {name: text for name, _, text, _ in coefficient_rows(fitted)}
    assert fitted.unidentified
    for name, reason in fitted.unidentified.items():
        assert f"not identified: {reason}" in phrases[name]
    assert "not identified" not in phrases["goodput_factor"]


def test_the_readme_s_table(ingress) -> None:
    _, comparison = ingress
    rows = dict(
        re.findall(r"^\| (psmodel|psmodel, not fitted|[^|]+?) \| ([0-9.]+ % \| [0-9.]+ %) \|$", PAGE, re.M)
    )
    for model in (OURS, UNFITTED, "Ernest", "Universal Scalability Law", "plain N·M/(K·B)", "constant"):
        score = comparison.score(model)
        assert rows[model] == f"{100 * score.mape:.1f} % | {100 * score.largest:.1f} %"
    assert f"{100 * comparison.coverage:.1f} % of single runs" in PAGE


def test_goodput_into_a_shard_is_nearly_that_of_plain_tcp() -> None:
    """Pushes of 8 MB and more, by scenario: at least 0.93 of what a plain TCP stream got over the same link."""
    ratios: dict[str, list[float]] = {}
    for m in read_json(ROOT / "figures" / "measured" / "ingress.json"):
        scenario = m.scenario
        if scenario.push != "blocking" or scenario.pull != "none" or min(scenario.shard_sizes) < 8e6:
            continue
        into_shard = scenario.workers * max(scenario.shard_sizes) / m.metrics.ingress_time_s
        # With more shards than workers the worker's own link is what is full.
        limit = min(
            m.link_goodput["shard_down"], m.link_goodput["worker_up"] * scenario.workers / scenario.shards
        )
        ratios.setdefault(scenario.name, []).append(into_shard / limit)
    assert len(ratios) >= 5
    assert min(sum(r) / len(r) for r in ratios.values()) >= 0.93


def _errors(suite: str, metric: str) -> dict[str, tuple[float, float]]:
    """Held-out scenario → measured and predicted, with the fit that is shipped beside the runs."""
    runs = read_json(measured.paths(suite)[0])
    assert all(m.sums_ok for m in runs)
    calibration = {m.scenario for m in runs if m.part == "calibration"}
    assert len(calibration) <= 4
    groups: dict[Scenario, list[float]] = {}
    for m in believable([m for m in runs if m.part == "held_out"]):
        groups.setdefault(m.scenario, []).append(getattr(m.metrics, metric))
    fitted = measured.fit(suite).calibration
    return {
        scenario.name: (sum(values) / len(values), getattr(simulated(scenario, fitted), metric))
        for scenario, values in groups.items()
    }


def _errors_of(suite: str, names: Container[str]) -> list[float]:
    """Absolute relative errors of the iteration times of a suite's held-out scenarios with these names."""
    errors = _errors(suite, "iteration_time_s").items()
    return [abs(predicted / real - 1) for name, (real, predicted) in errors if name in names]


@pytest.mark.parametrize(
    ("suite", "mean_bound", "largest_bound"), [("training", 0.04, 0.18), ("training-local", 0.07, 0.20)]
)
def test_errors_of_training(suite: str, mean_bound: float, largest_bound: float) -> None:
    """The iteration time in all modes, with deterministic and lognormal computing and stragglers."""
    phrases = []
    for metric in ("iteration_time_s", "updates_per_s"):
        errors = [abs(predicted / real - 1) for real, predicted in _errors(suite, metric).values()]
        assert len(errors) >= 13
        mean, largest = sum(errors) / len(errors), max(errors)
        if metric == "iteration_time_s":
            assert mean <= mean_bound
            assert largest <= largest_bound
        phrases += [f"{100 * mean:.1f} %", f"{100 * largest:.1f} %"]
    assert f"| `{suite}` | {' | '.join(phrases)} |" in PAGE


def test_the_readme_s_table_of_the_tutorial() -> None:
    for name, (real, predicted) in _errors("tutorial", "iteration_time_s").items():
        error = f"{100 * (predicted / real - 1):+.1f} %".replace("-", "−")
        assert f"| `{name}` | {format_time(predicted)} | {format_time(real)} | {error} |" in PAGE


def test_parallel_updates_are_the_tutorial_s_last_claim() -> None:
    """Sharding on one machine speeds up training in step, asynchronous training next to nothing."""
    times = {(s.mode, s.shards): [m.metrics.iteration_time_s for m in runs]
             for s, runs in measured.groups("parallel-updates").items()}  # fmt: skip
    assert max(times["bsp", 2] + times["bsp", 4]) < 0.9 * min(times["bsp", 1])
    assert min(times["asp", 2] + times["asp", 4]) > 0.9 * min(times["asp", 1])
    errors = [
        predicted / real - 1 for real, predicted in _errors("parallel-updates", "iteration_time_s").values()
    ]
    assert max(map(abs, errors)) <= 0.10


def test_training_out_of_step_is_predicted_from_runs_in_step_alone() -> None:
    """At most 6 % on average; equal workers whose compute time never varies are up to 18 % off."""
    runs = read_json(measured.paths("training")[0])
    out_of_step = {m.scenario.name for m in runs if m.part == "held_out" and m.scenario.mode != "bsp"}
    assert not {r.scenario for r in measured.fit("training").residuals} & out_of_step
    assert not any("asp" in r.scenario for r in measured.fit("training").residuals)
    errors = _errors_of("training", out_of_step)
    assert len(errors) >= 10
    assert sum(errors) / len(errors) <= 0.06
    assert max(errors) <= 0.18


def test_prefetched_pulls_over_links_are_predicted_from_runs_in_step_without_any() -> None:
    prefetching = {m.scenario.name for m in read_json(measured.paths("duplex")[0]) if m.scenario.prefetch}
    assert not {r.scenario for r in measured.fit("duplex").residuals} & prefetching
    errors = _errors_of("duplex", prefetching)
    assert len(errors) == 6
    assert sum(errors) / len(errors) <= 0.02
    assert max(errors) <= 0.04
