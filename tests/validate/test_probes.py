"""What links and memory themselves were measured at enters the fit, and what cannot be is said in words."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from psmodel import analytic
from psmodel.calibration import Calibration
from psmodel.results import Metrics
from psmodel.scenario import Scenario
from validate.fitting.estimate import fit
from validate.fitting.model_response import Forward
from validate.fitting.probe_rates import oddities, probes
from validate.machine.memory_probe import memory_rates

RATE = 125e6
SCENARIO = Scenario.model_validate(
    {"name": "links", "workers": 2, "shards": 2, "model_size": "8MB", "bandwidth": RATE, "mtu": 1500}
)


@dataclass(frozen=True)
class Machine:
    memory: float | None = None
    fingerprint: str = "a"

    def to_json(self) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint, "memory_together_bytes_per_s": self.memory}


@dataclass(frozen=True)
class Run:
    scenario: Scenario
    metrics: Metrics
    environment: Machine = Machine()
    link_goodput: dict[str, float] = field(default_factory=dict)


def run(*, goodput: float | None = None, memory: float | None = None, slower: float = 1.0) -> Run:
    """A run that links alone limit, `slower` times as slow as they are, and what was probed beside it."""
    links = {} if goodput is None else {"worker_up": goodput * RATE * SCENARIO.payload_fraction}
    return Run(
        scenario=SCENARIO,
        metrics=analytic.predict(SCENARIO, Calibration(goodput_factor=1 / slower)).metrics,
        environment=Machine(memory=memory),
        link_goodput=links,
    )


def test_probes_are_what_was_measured() -> None:
    rates = probes([run(goodput=0.97, memory=2e10), run(goodput=0.97, memory=2e10)])
    assert rates["goodput_factor"].value == pytest.approx(0.97)
    assert rates["memory_s_per_byte"].value == pytest.approx(5e-11)
    assert all(probe.deviation > 0 for probe in rates.values())


def test_probes_that_scatter_are_believed_less() -> None:
    steady = probes([run(goodput=0.97), run(goodput=0.97)])["goodput_factor"]
    scattered = probes([run(goodput=0.9), run(goodput=1.0)])["goodput_factor"]
    assert scattered.deviation > 5 * steady.deviation


def test_nothing_is_made_up_where_nothing_was_probed() -> None:
    assert probes([run()]) == {}


def test_the_fit_keeps_to_the_probe_where_runs_are_slow_for_another_reason() -> None:
    """Runs 8 % slower than links allow: without the probe the links are blamed, with it they are not."""
    forward = Forward(lambda scenario, calibration: analytic.predict(scenario, calibration).metrics)
    blamed = fit([run(slower=1.08)] * 2, forward=forward).calibration.goodput_factor
    factor = fit([run(slower=1.08, goodput=1.0)] * 2, forward=forward).calibration.goodput_factor
    assert factor == pytest.approx(1.0, abs=0.01)
    assert abs(factor - 1) < abs(blamed - 1)


def test_a_coefficient_out_of_its_sense_is_said_in_words() -> None:
    sane = Calibration(goodput_factor=0.99, put_s_per_byte=3e-10)
    odd = Calibration(goodput_factor=1.04, put_s_per_byte=2e-9)
    names = ("goodput_factor", "put_s_per_byte", "call_latency_s")
    assert oddities(sane, names, 15e9) == {}
    sentences = oddities(odd, names, 15e9)
    assert sentences.keys() == {"goodput_factor", "put_s_per_byte"}
    assert "4.0 % more than they can" in sentences["goodput_factor"]
    assert "500 MB/s" in sentences["put_s_per_byte"]
    assert oddities(odd, (), 15e9) == {}


def test_this_machine_s_memory_copies_at_some_gigabytes_per_second() -> None:
    rates = memory_rates()
    assert 1e8 < rates.alone <= rates.together < 1e13
    assert rates.cores >= 1
