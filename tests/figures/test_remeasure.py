"""Measuring anew for the figures: what a store holds is fitted and shipped, and every figure of it is refreshed."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from figures.__main__ import figures
from figures.kit import build, measured, remeasure
from psmodel.errors import BadInput, CannotRun
from validate.measurements.store import Store, read_json

SHIPPED, _ = measured.paths("sharding")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs and fits are shipped to meanwhile."""
    monkeypatch.setattr(measured, "paths", lambda s: (tmp_path / f"{s}.json", tmp_path / f"{s}.fit.json"))
    return tmp_path


def test_what_is_shipped_is_what_the_store_holds(folder: Path, tmp_path: Path) -> None:
    old = read_json(SHIPPED)
    with Store(tmp_path / "runs.sqlite") as store:
        store.import_json(SHIPPED)
    remeasure.ship("sharding", tmp_path / "runs.sqlite")
    new = read_json(folder / "sharding.json")
    assert [m.run_id for m in new] == [m.run_id for m in old]
    for before, after in zip(old, new, strict=True):
        for name, array in before.arrays().items():
            np.testing.assert_allclose(after.arrays()[name], array, rtol=0, atol=0.6e-6)
        assert after.metrics.push_time_s == pytest.approx(before.metrics.push_time_s, abs=1e-6)
    fitted = measured.fit("sharding")
    push = {s.shards: fitted.predict(s)["push_time_s"] for s in measured.groups("sharding")}
    assert push[1].predicted == pytest.approx(3.0, rel=0.1)  # N M / B
    assert push[3].predicted == pytest.approx(1.0, rel=0.1)  # M / B


def test_a_store_without_the_suite_s_runs_is_refused_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    Store(tmp_path / "runs.sqlite").close()
    with pytest.raises(BadInput, match=r"runs\.sqlite holds no calibration runs of suite sharding@2$"):
        remeasure.ship("sharding", tmp_path / "runs.sqlite")
    assert not (folder / "sharding.json").exists()


def test_a_suite_that_cannot_be_run_stops_it(tmp_path: Path) -> None:
    with pytest.raises(
        CannotRun, match=r"suite 'shading' is not complete in .*; the same command resumes it"
    ):
        remeasure.make_runs("shading", tmp_path / "runs.sqlite")


def test_all_figures_of_the_runs_made_are_refreshed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suites_run: list[tuple[str, str]] = []
    for step in ("make_runs", "ship"):
        monkeypatch.setattr(remeasure, step, lambda suite, store, step=step: suites_run.append((step, suite)))
    monkeypatch.setattr(build, "refresh", lambda name: bool(suites_run.append(("refresh", name))))
    arguments = ["residuals", "--measure", "--out", str(tmp_path), "--store", str(tmp_path / "runs.sqlite")]
    result = CliRunner().invoke(figures, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    refreshed = [("refresh", n) for n in ("fit_parameters", "predicted_measured", "residuals")]
    assert suites_run == [("make_runs", "ingress"), ("ship", "ingress"), *refreshed]
