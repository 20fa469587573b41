"""Diagnoses: terms that sum up exactly, each where it was put in."""

from dataclasses import replace

import pytest

from psmodel import simulation
from psmodel.calibration import IDEAL, Calibration
from psmodel.scenario import Scenario
from tests.real_records import record
from validate.comparison.diagnosis import Diagnosis, diagnose
from validate.measurements.measurement import Instants, Measurement

LINKS = Scenario.model_validate(
    {"workers": 2, "shards": 1, "model_size": 8e6, "bandwidth": 1e8, "mtu": 1500, "iterations": 1}
)
"""A push and a pull of two workers need 2 · 8 MB / (100 MB/s) = 0.16 s each."""


def measured(scenario: Scenario, calibration: Calibration, extra: float = 0.0) -> Measurement:
    """The simulation's own run, ending some seconds later."""
    timeline = simulation.predict(scenario, calibration).timeline
    names = ("start", "pulled", "computed", "pushed", "released")
    instants = {name: getattr(timeline, name) for name in names}
    instants["released"] = instants["released"] + extra
    return record(scenario=scenario, instants=Instants(**instants, submitted=instants["computed"]))


def loss(result: Diagnosis, term: str) -> float:
    return next(x.seconds for x in result.losses if x.term == term)


FULL = Calibration(
    goodput_factor=0.9,
    submit_overhead_s=1e-3,
    call_latency_s=2e-3,
    put_s_per_byte=5e-10,
    update_s_per_byte=4e-10,
)


@pytest.mark.parametrize("mode", ["bsp", "asp"])
def test_bound_and_losses_sum_up_to_what_was_measured(mode: str) -> None:
    run_made = measured(LINKS.replace(mode=mode, iterations=3, compute="20 ms"), FULL, extra=0.01)
    diagnosis = diagnose(run_made, FULL)
    assert diagnosis.bound_s + sum(x.seconds for x in diagnosis.losses) == pytest.approx(
        diagnosis.measured_s, rel=1e-12
    )
    assert diagnosis.measured_s == run_made.metrics.iteration_time_s


def test_the_bound_is_the_plain_formula() -> None:
    diagnosis = diagnose(measured(LINKS, IDEAL))
    assert diagnosis.bound_s == pytest.approx(2 * 0.16)
    assert diagnosis.bound_by == {"push": "shard ingress", "pull": "shard egress"}


def test_headers_are_lost_to_headers() -> None:
    """1460 bytes of payload in frames of 1538 (20 + 20 bytes of IP and TCP headers, 38 of Ethernet)."""
    diagnosis = diagnose(measured(LINKS, IDEAL))
    assert loss(diagnosis, "headers") == pytest.approx(0.32 * (1 / LINKS.payload_fraction - 1))
    assert {x.term for x in diagnosis.losses if abs(x.seconds) > 1e-9} == {"headers"}


@pytest.mark.parametrize(
    ("term", "coefficient", "value"),
    [
        ("links", "goodput_factor", 0.8),
        ("calls", "call_latency_s", 5e-3),
        ("copies", "copy_s_per_byte", 1e-9),
        ("shard CPU", "update_s_per_byte", 1e-9),
    ],
)
def test_a_cost_is_lost_to_its_own_term(term: str, coefficient: str, value: float) -> None:
    scenario = LINKS.replace(workers=1)
    costly = replace(IDEAL, **{coefficient: value})
    diagnosis = diagnose(measured(scenario, costly), costly)
    losses = {x.term: x.seconds for x in diagnosis.losses if x.term != "headers" and abs(x.seconds) > 1e-9}
    assert losses.keys() == {term}
    assert losses[term] > 0


def test_what_the_model_does_not_know_is_unexplained() -> None:
    diagnosis = diagnose(measured(LINKS, IDEAL, extra=0.05))
    assert loss(diagnosis, "unexplained") == pytest.approx(0.05)
    assert diagnosis.saturation == pytest.approx(0.32 / diagnosis.measured_s)


def test_json_says_what_each_term_means() -> None:
    document = diagnose(measured(LINKS, FULL), FULL).to_json()
    assert [x["term"] for x in document["losses"]][-1] == "unexplained"
    assert all(x["meaning"] for x in document["losses"])
    total = document["bound_s"] + sum(x["seconds"] for x in document["losses"])
    assert total == pytest.approx(document["measured_s"])
