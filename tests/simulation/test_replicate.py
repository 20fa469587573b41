"""Replications: what they cover, when they stop, and that the number of processes changes nothing."""

import json

import pytest

from psmodel.cli import main
from psmodel.errors import BadInput
from psmodel.scenario import Scenario, load
from psmodel.simulation.replications import replicate


def barrier(iterations: int = 50) -> Scenario:
    """Two workers in step with exponential compute: the mean iteration takes 3/2 of the mean, 1 s."""
    return load(
        "ingress-single", workers=2, bandwidth="100Gbps", model_size="8 B", iterations=iterations,
        compute={"kind": "exponential", "mean": "1 s"},
    )  # fmt: skip


def test_any_number_of_processes_gives_the_same() -> None:
    one, two = (replicate(barrier(), replications=4, processes=n) for n in (1, 2))
    assert one == two
    assert set(one.half_widths) >= {"iteration_time_s", "wait_time_s", "updates_per_s"}


def test_it_stops_at_the_precision_and_covers_the_truth() -> None:
    calls: list[tuple[int, int]] = []
    prediction = replicate(barrier(), precision=0.05, processes=1, on_progress=lambda *n: calls.append(n))
    mean, half = prediction.metrics.iteration_time_s, prediction.half_widths["iteration_time_s"]
    assert half / mean <= 0.05
    assert abs(mean - 1.5) < 2 * half
    assert [count for count, _ in calls] == list(range(1, len(calls) + 1))


def test_nothing_random_is_simulated_once() -> None:
    prediction = replicate(load("ingress-sharded"), precision=1e-6)
    assert prediction.half_widths == {}
    assert prediction.metrics.ingress_time_s == pytest.approx(0.08)


def test_a_precision_out_of_reach_is_said() -> None:
    with pytest.raises(BadInput, match="precision = 1e-09"):
        replicate(barrier(iterations=1), precision=1e-9, processes=1)


def test_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--workers", "2", "--set", "compute.kind=exponential", "--set", "compute.mean=1 s")
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "ingress-sharded", *options, "--iterations", "20", "--precision", "20%", "--json"])
    assert stop.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["half_widths"]["iteration_time_s"] < 0.2 * printed["iteration_time_s"]
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "ingress-sharded", "--precision", "very"])
    assert stop.value.code == 2
    assert "--precision very" in capsys.readouterr().err
