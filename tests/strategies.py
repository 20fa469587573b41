"""Hypothesis strategies that several test modules share."""

from typing import Any

from hypothesis import strategies as st

from psmodel.calibration import Calibration
from psmodel.distributions import (
    Deterministic,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Normal,
    Pareto,
    TimeDistribution,
)
from psmodel.scenario import Scenario

times = st.floats(1e-6, 1e3)
"""Times that a step of training may take, s."""

cvs = st.floats(0.01, 5)

continuous_distributions: st.SearchStrategy[TimeDistribution] = st.one_of(
    st.builds(Normal, mean=times, sd=times),
    st.builds(LogNormal, mean=times, cv=cvs),
    st.builds(Exponential, mean=times),
    st.builds(Gamma, mean=times, cv=cvs),
    st.builds(Pareto, minimum=times, shape=st.floats(1.2, 20)),
)

distributions: st.SearchStrategy[TimeDistribution] = st.one_of(
    st.builds(Deterministic, value=st.just(0.0) | times),
    st.builds(Empirical, samples=st.lists(st.just(0.0) | times, min_size=1, max_size=20)),
    continuous_distributions,
)
"""Every kind of distribution of a time."""

populations = st.integers(1, 30)
"""Customers of a closed network."""

think_times = st.just(0.0) | st.floats(1e-3, 100)

rates = st.floats(1e6, 1e10)
bandwidths = rates | st.fixed_dictionaries(
    dict.fromkeys(("worker_up", "worker_down", "shard_up", "shard_down"), rates)
)
seconds = st.just(0.0) | st.floats(1e-6, 1.0)
calibrations = st.builds(
    Calibration,
    goodput_factor=st.floats(0.5, 1.0),
    submit_overhead_s=seconds,
    handle_overhead_s=seconds,
    call_latency_s=seconds,
    object_overhead_s=seconds,
    put_s_per_byte=st.floats(0, 1e-8),
    copy_s_per_byte=st.floats(0, 1e-8),
    update_s_per_byte=st.floats(0, 1e-8),
)


@st.composite
def scenarios(
    draw: st.DrawFn,
    *,
    placements: tuple[str, ...] = ("dedicated", "colocated", "single-host"),
    iterations: st.SearchStrategy[int | None] = st.integers(1, 4),  # noqa: B008
    random: bool = True,
    disturbed: bool = True,
) -> Scenario:
    """Any scenario: every feature of `psmodel.scenario.features` may be set, with any other that it goes with.

    Parameters
    ----------
    random
        Whether compute times, update costs and stragglers may be random.
    disturbed
        Whether hosts may fail, and others send on their links.
    """
    mode = draw(st.sampled_from(["bsp", "bsp", "asp", "ssp"]))
    pull = draw(st.sampled_from(["parallel", "parallel", "sequential", "none"]))
    pushes = ["blocking", "blocking", "sequential", "fire-and-forget", *([] if pull == "none" else ["none"])]
    push = draw(st.sampled_from(pushes))
    placement = draw(st.sampled_from(placements))
    workers, shards = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    rare = st.integers(0, 3).map(lambda number: number == 0)
    more: dict[str, Any] = {}
    if draw(rare):
        weights = draw(st.lists(st.just(0.0) | st.floats(0.2, 1), min_size=shards, max_size=shards))
        more["shard_weights"] = weights if any(weights) else [1.0] * shards
    if placement == "dedicated":
        if draw(rare):
            more["shards_per_host"] = draw(st.integers(2, 3))
        if draw(rare):
            more["workers_per_host"] = draw(st.integers(2, 3))
        if draw(rare):
            more["racks"] = {"count": draw(st.integers(1, 3)), "oversubscription": draw(st.floats(1, 8))}
        if "racks" not in more and draw(rare):
            more["slow_links"] = [{"link": "shard-0.down", "rate": draw(rates)}]
        if disturbed and draw(rare):
            more["background"] = [{"link": "shard-0.down", "rate": draw(rates)}]
    if draw(rare):
        more["compression"] = {"ratio": draw(st.floats(1, 8)), "compress_time": 0.01, "decompress_time": 0.02}
    if pull == "parallel":
        more["prefetch"] = draw(rare)
    if push in ("blocking", "fire-and-forget") and draw(rare):
        more["layers"] = [{"share": 0.5, "compute_share": 0.1}, {"share": 0.5, "compute_share": 0.6}]
    elif mode == "bsp" and push in ("blocking", "sequential") and draw(rare):
        more["backup_workers"] = draw(st.integers(0, workers - 1))
    if push == "fire-and-forget" and draw(st.booleans()):
        more["max_in_flight_pushes"] = draw(st.integers(1, 3))
    if disturbed and draw(rare):
        more["failures"] = [
            {"role": "worker", "index": 0, "at": "300 ms", "repair_time": "300 ms"},
            {"role": "shard", "at": "500 ms", "repair_time": "100 ms", "checkpoint_interval": "200 ms"},
        ]
    if draw(rare):
        more["compute_factors"] = draw(st.lists(st.floats(0.2, 5), min_size=workers, max_size=workers))
    compute: object = draw(seconds)
    update_cost: object = draw(st.just(0.0) | seconds)
    if random and draw(st.booleans()):
        compute = {"kind": "lognormal", "mean": draw(st.floats(1e-3, 1)), "cv": draw(st.floats(0.05, 1.5))}
    if random and draw(rare):
        update_cost = {"kind": "exponential", "mean": draw(st.floats(1e-4, 0.1))}
    if random and draw(rare):
        more["stragglers"] = {"rate": draw(st.floats(0.1, 10)), "slowdown": 3, "duration": "200 ms"}
    cores = draw(st.sampled_from(["", "", "cores_per_host", "total_cores"]))
    if cores:
        more[cores] = draw(st.integers(1, 4))
    more["compute_on"] = draw(st.sampled_from([None, "cpu", "accelerator"]))
    return Scenario.from_json(
        {
            **more,
            "workers": workers,
            "shards": shards,
            "elements": draw(st.integers(1000, 10**7)),
            "bandwidth": draw(rates if placement == "colocated" else bandwidths),
            "propagation_delay": draw(seconds),
            "message_overhead": draw(st.just(0.0) | seconds),
            "placement": placement,
            "compute": compute,
            "update_cost": update_cost,
            "mode": mode,
            "staleness_bound": draw(st.integers(0, 2)) if mode == "ssp" else None,
            "pull": pull,
            "push": push,
            "iterations": draw(iterations),
            "seed": draw(st.integers(0, 1000)),
        }
    )
