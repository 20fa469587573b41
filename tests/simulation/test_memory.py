"""What a simulation keeps: aggregates, and single messages only if a trace is asked for."""

import tracemalloc

import pytest

from psmodel import simulation
from psmodel.network.fluid import load_compiled
from psmodel.scenario import Scenario

_HOSTS = 8


def peak_bytes(iterations: int, *, trace: bool) -> int:
    scenario = Scenario.from_json(
        {
            "workers": _HOSTS,
            "shards": _HOSTS,
            "elements": 10**6,
            "bandwidth": "10Gbps",
            "mode": "asp",
            "message_overhead": "1 ms",  # no two messages of a worker are alike, so none are bundled
            "compute": {"kind": "lognormal", "mean": 0.1, "cv": 0.3},
            "iterations": iterations,
        }
    )
    tracemalloc.start()
    try:
        run = simulation.predict(scenario, trace=trace)
        assert bool(run.spans) == trace
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("trace", "least", "most"), [(False, 0, 40), (True, 200, 10_000)])
def test_memory_per_message(trace, least, most) -> None:
    """Bytes that one more message takes; the record of a worker's iteration is 80, shared by its messages."""
    load_compiled()
    few, many = 5, 20
    peak_bytes(few, trace=trace)  # what is loaded on first use
    growth = peak_bytes(many, trace=trace) - peak_bytes(few, trace=trace)
    messages = 2 * _HOSTS * _HOSTS * (many - few)
    assert least < growth / messages < most
