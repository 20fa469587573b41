"""Sweeps: each row is the prediction of its scenario, in order, whatever stops them and however many processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from psmodel.analytic import predict
from psmodel.calibration import Calibration
from psmodel.errors import BadInput
from psmodel.predictors import Calibrated, load_calibrated
from psmodel.scenario import ScenarioError, load
from psmodel.whatif.parameter_space import latin_hypercube, resolve
from psmodel.whatif.prices import load_catalogue
from psmodel.whatif.sweeps import Progress, Setup, grid, sweep

BASE = load("ingress-sharded", workers=8, shards=2, iterations=2)


def test_a_row_is_the_prediction_of_its_scenario() -> None:
    points = grid("workers=1:64:x4", "shards=1,3", "bandwidth=10Gbps,25Gbps")
    rows = sweep(BASE, points).to_rows()
    assert len(rows) == len(points) == 16
    for row, point in zip(rows, points, strict=True):
        prediction = predict(resolve(BASE, point))
        assert row.items() >= prediction.metrics.to_json().items()
        assert row["bottleneck"] == prediction.bottleneck
        assert (row["workers"], row["shards"]) == (point["workers"], point["shards"])
        assert row["bandwidth"] == {"10Gbps": 1.25e9, "25Gbps": 3.125e9}[point["bandwidth"]]


def test_the_table_does_not_depend_on_the_number_of_processes() -> None:
    points = latin_hypercube(("workers=1:20", "compute=1ms:100ms:log"), samples=12, seed=3)
    setup = Setup(method="simulate")
    alone = sweep(BASE, points, setup, processes=1)
    assert sweep(BASE, points, setup, processes=2).to_rows() == alone.to_rows()


def test_random_times_give_an_interval_that_narrows() -> None:
    base = BASE.replace(compute={"kind": "exponential", "mean": "1 s"}, iterations=5)
    few, many = (
        sweep(base, grid("seed=1"), Setup(method="simulate", replications=n), processes=1).to_rows()[0]
        for n in (4, 32)
    )
    assert 0 < many["iteration_time_s_half_width"] < few["iteration_time_s_half_width"]


def test_what_was_found_is_not_computed_again(tmp_path: Path) -> None:
    reports: list[Progress] = []
    journal = tmp_path / "journal"
    first = sweep(BASE, grid("shards=1,2"), journal=journal)
    first.journal.close()
    rest = sweep(BASE, grid("shards=1,2,4,2"), journal=journal, progress=reports.append)
    assert (reports[-1].reused, reports[-1].done, reports[-1].total) == (3, 4, 4)
    assert rest.to_rows() == sweep(BASE, grid("shards=1,2,4,2")).to_rows()
    rest.journal.close()
    other = sweep(BASE, grid("shards=1,2"), Setup(method="simulate"), processes=1, journal=journal)
    assert [row["method"] for row in other.rows()] == ["simulate"] * 2


def test_a_bad_value_is_named_before_anything_is_computed(tmp_path: Path) -> None:
    reports: list[Progress] = []
    with pytest.raises(ScenarioError, match="shards"):
        sweep(BASE, grid("workers=1:500:1", "shards=1,2,0"), progress=reports.append)
    with pytest.raises(BadInput, match="catalogue"):
        sweep(BASE, grid("machine=c5.9xlarge"))
    assert reports == []


def test_machines_bring_price_and_rate() -> None:
    rows = sweep(BASE, grid("machine=c5.9xlarge,c5n.18xlarge"), Setup(catalogue=load_catalogue())).to_rows()
    assert [row["cost_per_hour"] for row in rows] == pytest.approx([10 * 1.53, 10 * 3.888])
    assert rows[0]["iteration_time_s"] == pytest.approx(100 / 12 * rows[1]["iteration_time_s"])
    expected = rows[0]["cost_per_hour"] / 3.6 * rows[0]["iteration_time_s"]
    assert rows[0]["cost_per_1000_iterations"] == pytest.approx(expected)


def test_a_fit_of_exactly_known_spread_gives_its_interval(tmp_path: Path) -> None:
    # Iteration time is linear in copy_s_per_byte: its quantiles are those of the draws.
    draws = [{"copy_s_per_byte": i * 1e-9} for i in range(101)]
    fit = {"calibration": Calibration(copy_s_per_byte=50e-9).to_json(), "draws": draws}
    (tmp_path / "fit.json").write_text(json.dumps(fit))
    calibrated = load_calibrated(tmp_path / "fit.json")
    (row,) = sweep(BASE, grid("shards=1"), Setup(calibrated=calibrated)).rows()
    network = predict(BASE.replace(shards=1)).metrics.iteration_time_s
    assert row["iteration_time_s"] == pytest.approx(network + 5)
    assert row["iteration_time_s_low"] == pytest.approx(network + 0.25)
    assert row["iteration_time_s_high"] == pytest.approx(network + 9.75)
    assert (
        sweep(BASE, grid("shards=1"), Setup(calibrated=Calibrated(best=calibrated.best))).to_rows()[0].keys()
        < row.keys()
    )


def test_killed_in_the_middle_it_goes_on_to_the_same_table(tmp_path: Path) -> None:
    scenario = ["ingress-sharded", "--set", "workers=8:43:1", "--set", "shards=5", "--set", "iterations=6"]
    times = '--set=compute={ kind = "exponential", mean = "10 ms" }'
    command = [sys.executable, "-m", "psmodel", "sweep", *scenario, times, "--method", "simulate",
               "--processes", "2", "--out"]  # fmt: skip
    killed, whole = tmp_path / "killed.csv", tmp_path / "whole.csv"
    journal = tmp_path / "killed.csv.journal"
    process = subprocess.Popen([*command, str(killed)], stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 3):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    before = journal.read_bytes().count(b"\n")
    assert 3 < before < 37
    for path in (killed, whole):
        subprocess.run([*command, str(path)], check=True, stdout=subprocess.DEVNULL)
    assert killed.read_bytes() == whole.read_bytes()
    assert not journal.exists()
