"""Copies share the memory's channels: what all of them take together is known without simulating."""

import pytest

from psmodel import analytic, simulation
from psmodel.calibration import Calibration
from psmodel.scenario import Scenario

MEGABYTE = 1_000_000
ALONE = 1e-10
"""Seconds per byte of one copy alone."""


def scenario(**changes: object) -> Scenario:
    """Workers that pull and assemble what they have pulled."""
    values = {
        "name": "copies",
        "workers": 4,
        "shards": 1,
        "elements": MEGABYTE,
        "placement": "single-host",
        "push": "none",
        "iterations": 1,
    }
    return Scenario.model_validate(values | changes)


def time(calibration: Calibration, **changes: object) -> float:
    return simulation.predict(scenario(**changes), calibration).prediction.metrics.iteration_time_s


@pytest.mark.parametrize("together", [1.0, 2.0, 4.0, 8.0])
def test_copies_at_once_take_what_the_channels_leave(together: float) -> None:
    """Four workers assemble at once: each at its own rate, or all at what the channels carry."""
    calibration = Calibration(copy_s_per_byte=ALONE, memory_s_per_byte=ALONE / together / 1.5)
    nbytes = 8 * MEGABYTE
    expected = max(nbytes * ALONE, 4 * nbytes * ALONE / together)
    assert time(calibration) == pytest.approx(expected)
    assert analytic.predict(scenario(), calibration).metrics.iteration_time_s == pytest.approx(expected)


def test_one_copy_alone_never_waits_for_the_channels() -> None:
    costs = {"put_s_per_byte": ALONE, "copy_s_per_byte": ALONE, "update_s_per_byte": ALONE}
    free, slow = Calibration(**costs), Calibration(**costs, memory_s_per_byte=10 * ALONE)
    assert time(free, workers=1) == pytest.approx(time(slow, workers=1), rel=1e-12)


def test_work_that_copies_nothing_does_not_wait_for_the_channels() -> None:
    """Computing on the cores, and calls, go on while others copy."""
    calibration = Calibration(handle_overhead_s=1e-3, memory_s_per_byte=1e-9)
    assert time(calibration, compute=0.1) == pytest.approx(0.1 + 5e-3)


def test_hosts_of_their_own_have_channels_of_their_own() -> None:
    calibration = Calibration(copy_s_per_byte=ALONE, memory_s_per_byte=ALONE)
    apart = time(calibration, placement="dedicated", bandwidth="1e9Gbps")
    one_machine = time(calibration, placement="dedicated", bandwidth="1e9Gbps", total_cores=64)
    assert apart == pytest.approx(8 * MEGABYTE * ALONE)
    assert one_machine == pytest.approx(4 * apart)


def test_memory_is_the_bottleneck_that_is_named() -> None:
    calibration = Calibration(copy_s_per_byte=ALONE, memory_s_per_byte=ALONE / 1.5)
    result = simulation.predict(scenario(workers=16), calibration).prediction
    assert result.bottleneck == "memory channels"
    assert result.utilisation["memory channels"] == pytest.approx(1)
    assert analytic.predict(scenario(workers=16), calibration).bottleneck == "memory channels"
