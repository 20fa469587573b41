"""Training modes: what bounds hold, and which modes are the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel import analytic, simulation
from psmodel.calibration import Calibration
from psmodel.errors import BadInput
from psmodel.scenario import Scenario

COSTS = Calibration(handle_overhead_s=1e-3, update_s_per_byte=1e-9)


@st.composite
def jobs(draw: st.DrawFn) -> Scenario:
    return Scenario.from_json(
        {
            "workers": draw(st.integers(1, 5)),
            "shards": draw(st.integers(1, 3)),
            "elements": draw(st.integers(100, 10**6)),
            "bandwidth": "1Gbps",
            "compute": {"kind": "lognormal", "mean": 0.05, "cv": draw(st.floats(0.1, 2))},
            "iterations": draw(st.integers(2, 8)),
            "pull": draw(st.sampled_from(["parallel", "sequential"])),
            "push": draw(st.sampled_from(["blocking", "sequential", "fire-and-forget"])),
            "seed": draw(st.integers(0, 1000)),
        }
    )


@given(jobs())
def test_bound_0_is_bulk_synchronous(job: Scenario) -> None:
    bsp, ssp = (
        simulation.predict(j, COSTS).timeline for j in (job, job.replace(mode="ssp", staleness_bound=0))
    )
    assert np.array_equal(bsp.released, ssp.released)
    if job.push != "fire-and-forget":  # in step updates of the same round do not count
        assert bsp.staleness == {0: sum(ssp.staleness.values())}


@given(jobs())
def test_a_bound_that_never_binds_is_asynchronous(job: Scenario) -> None:
    """Where calls cost nothing: with a bound, workers still ask whether they may go on."""
    costs = Calibration(update_s_per_byte=1e-8)
    asp, ssp = (
        simulation.predict(j, costs).timeline
        for j in (job.replace(mode="asp"), job.replace(mode="ssp", staleness_bound=job.iterations))
    )
    assert np.array_equal(asp.released, ssp.released)
    assert asp.staleness == ssp.staleness


@given(jobs(), st.integers(0, 3))
def test_nobody_is_further_ahead_than_the_bound(job: Scenario, bound: int) -> None:
    """Ho et al. 2013, section 3: a worker at clock c has seen all updates of clock c − s − 1 and before."""
    timeline = simulation.predict(job.replace(mode="ssp", staleness_bound=bound), COSTS).timeline
    for iteration in range(bound + 1, job.iterations):
        slowest = timeline.pushed[:, iteration - bound - 1].max()
        assert (timeline.start[:, iteration] >= slowest).all()


@given(jobs())
def test_looser_modes_are_not_slower_where_nothing_is_shared(job: Scenario) -> None:
    """Without a network and without costs a worker waits only for the others."""
    alone = job.replace(placement="single-host")
    lengths = [
        simulation.predict(j).timeline.released.max()
        for j in (alone, alone.replace(mode="ssp", staleness_bound=1), alone.replace(mode="asp"))
    ]
    assert lengths == sorted(lengths, reverse=True)


@given(jobs())
def test_every_update_has_a_staleness(job: Scenario) -> None:
    staleness = simulation.predict(job.replace(mode="asp"), COSTS).timeline.staleness
    assert sum(staleness.values()) == job.workers * job.shards * job.iterations
    assert min(staleness) >= 0


@pytest.mark.parametrize("workers", [2, 5])
def test_in_step_updates_are_not_stale(workers: int) -> None:
    """Ho et al. 2013, section 2: bulk-synchronous training has staleness 0; a prefetched pull lacks a round's N."""
    job = Scenario.from_json(
        {"workers": workers, "shards": 1, "elements": 100, "bandwidth": "1Gbps", "iterations": 4}
    )
    for costs in (COSTS, Calibration()):
        assert simulation.predict(job, costs).timeline.staleness == {0: 4 * workers}
    ahead = job.replace(prefetch=True, compute=1.0)
    assert simulation.predict(ahead, COSTS).timeline.staleness == {0: workers, workers: 3 * workers}
    backups = job.replace(backup_workers=1, compute={"kind": "exponential", "mean": 1.0}, iterations=20)
    assert set(simulation.predict(backups, COSTS).timeline.staleness) == {0}


def test_with_a_bound_of_0_one_update_after_the_other_is_one_staler() -> None:
    """All pull the same version, then N updates arrive: 0, 1, …, N − 1 others come before."""
    job = Scenario.from_json(
        {"workers": 5, "shards": 1, "elements": 100, "bandwidth": "1Gbps", "iterations": 4, "mode": "ssp",
         "staleness_bound": 0}
    )  # fmt: skip
    assert simulation.predict(job, COSTS).timeline.staleness == dict.fromkeys(range(5), 4)


def overloaded(**changes: object) -> Scenario:
    """Workers that push twice as fast as the shard can apply, and wait for nothing."""
    return Scenario.from_json(
        {
            "workers": 4, "shards": 1, "elements": 1000, "placement": "single-host", "mode": "asp",
            "compute": 0.1, "update_cost": 0.05, "pull": "none", "push": "fire-and-forget",
        }
        | changes
    )  # fmt: skip


def test_without_back_pressure_the_queue_grows_with_time() -> None:
    """4 workers push 40 updates per s, 20 are applied: half of all updates wait at the end."""
    waiting = [simulation.predict(overloaded(iterations=n)).most_waiting_bytes / 8000 for n in (50, 100, 200)]
    assert waiting == pytest.approx([100, 200, 400], rel=0.05)


@pytest.mark.parametrize("limit", [1, 3])
def test_back_pressure_bounds_the_queue(limit: int) -> None:
    run = simulation.predict(overloaded(iterations=200, max_in_flight_pushes=limit))
    assert run.most_waiting_bytes <= 4 * limit * 8000
    assert run.prediction.metrics.updates_per_s == pytest.approx(20, rel=0.02)


@given(jobs(), st.data())
def test_factors_stretch_each_worker_s_own_compute_time(job: Scenario, data: st.DataObject) -> None:
    factors = tuple(data.draw(st.lists(st.floats(0.1, 10), min_size=job.workers, max_size=job.workers)))
    plain, stretched = (
        simulation.predict(j).timeline
        for j in (job.replace(mode="asp"), job.replace(mode="asp", compute_factors=factors))
    )
    computing = [t.computed - t.pulled for t in (plain, stretched)]
    assert computing[1] == pytest.approx(computing[0] * np.array(factors)[:, None], rel=1e-6)


def test_a_barrier_waits_for_the_slowest() -> None:
    job = Scenario.from_json(
        {"workers": 3, "shards": 1, "elements": 8, "placement": "single-host", "compute": 1.0,
         "compute_factors": [1.0, 1.0, 2.5], "iterations": 3}
    )  # fmt: skip
    for predicted in (simulation.predict(job).prediction, analytic.predict(job)):
        assert predicted.metrics.iteration_time_s == pytest.approx(2.5)
        assert predicted.metrics.wait_time_s == pytest.approx(1.0)


def test_factors_are_one_per_worker() -> None:
    with pytest.raises(BadInput, match="compute_factors has 2 numbers with workers = 3"):
        Scenario.from_json(
            {"workers": 3, "shards": 1, "elements": 8, "placement": "single-host", "compute_factors": [1, 2]}
        )
