"""The shipped measurements, fitted and scored again: what the README says of them is what comes out."""

import re
from pathlib import Path

import pytest

from validate.compare import OURS, UNFITTED, Comparison, compare
from validate.fit import fit
from validate.fit_record import Fit
from validate.report import believable, coefficient_rows
from validate.store import read_json

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


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
    _, comparison = ingress
    ours = comparison.score()
    assert ours.mape <= 0.03
    assert ours.largest <= 0.10
    assert 0.90 <= comparison.coverage <= 1.0
    assert comparison.score(UNFITTED).mape <= 0.10
    assert ours.mape <= 0.5 * comparison.best_baseline.mape


def test_the_effective_bandwidth_is_that_of_plain_tcp(ingress) -> None:
    """Plain TCP reached the nominal rate less headers to a part in a hundred, so the factor is to be near 1."""
    fitted, _ = ingress
    assert fitted.calibration.goodput_factor == pytest.approx(1.0, abs=0.03)
    assert "goodput_factor" not in fitted.unidentified


def test_what_these_runs_do_not_tell_is_said(ingress) -> None:
    fitted, _ = ingress
    said = {name: text for name, _, text, _ in coefficient_rows(fitted)}
    assert fitted.unidentified
    for name, reason in fitted.unidentified.items():
        assert f"not identified: {reason}" in said[name]
    assert "not identified" not in said["goodput_factor"]


def test_the_readme_s_table(ingress) -> None:
    _, comparison = ingress
    rows = dict(
        re.findall(r"^\| (psmodel|psmodel, not fitted|[^|]+?) \| ([0-9.]+ % \| [0-9.]+ %) \|$", README, re.M)
    )
    for model in (OURS, UNFITTED, "Ernest", "Universal Scalability Law", "plain N·M/(K·B)", "constant"):
        score = comparison.score(model)
        assert rows[model] == f"{100 * score.mape:.1f} % | {100 * score.largest:.1f} %"
    assert f"{100 * comparison.coverage:.1f} % of single runs" in README


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
    assert len(ratios) >= 8
    assert min(sum(r) / len(r) for r in ratios.values()) >= 0.93
