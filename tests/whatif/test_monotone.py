"""More bandwidth and more shards help or do no harm, where `psmodel.whatif.monotone` says so; plans bisect by it."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmodel import simulation
from psmodel.calibration import IDEAL, Calibration
from psmodel.scenario import Scenario, load
from psmodel.whatif.candidates import configurations
from psmodel.whatif.monotone import allows, no_better
from psmodel.whatif.plans import plan
from psmodel.whatif.prices import load_catalogue
from psmodel.whatif.setup import Setup
from psmodel.whatif.sweeps import grid
from psmodel.whatif.targets import parse_target
from tests.effort import examples, runs

TARGETS = (parse_target("iteration_time<=1s"),)
_REPLICATIONS, _ITERATIONS = 24, 15
rates = st.sampled_from([0.5, 1.0, 2.0, 4.0])


@st.composite
def pairs(draw: st.DrawFn, *, modes: tuple[str, ...]) -> tuple[Scenario, Scenario]:
    """A scenario, and the same with more shards, faster links or both."""
    mode = draw(st.sampled_from(modes))
    links = {way: draw(rates) * 1e9 for way in ("worker_up", "worker_down", "shard_up", "shard_down")}
    workers = draw(st.integers(1, 5))
    kind = draw(st.sampled_from(["exponential", "lognormal", "gamma"]))
    spread: dict[str, Any] = (
        {"cv": draw(st.sampled_from([0.2, 1.0]))} if kind in ("lognormal", "gamma") else {}
    )
    compute: dict[str, Any] = {"kind": kind, "mean": draw(st.sampled_from([0.02, 0.1, 0.5]))} | spread
    slow = Scenario.from_json(
        {
            "workers": workers,
            "shards": draw(st.integers(1, 4)),
            "model_size": "80MB",
            "bandwidth": links,
            "mode": mode,
            "compute": compute,
            "compute_factors": draw(st.none() | st.just([1.0 + 0.5 * n for n in range(workers)])),
            "iterations": _ITERATIONS,
            "warmup": 5,
            "seed": draw(st.integers(0, 99)),
        }
        | ({"staleness_bound": draw(st.integers(0, 3))} if mode == "ssp" else {})
    )
    faster = {way: rate * draw(st.sampled_from([1.0, 1.3, 3.0])) for way, rate in links.items()}
    return slow, slow.replace(shards=slow.shards + draw(st.integers(0, 3)), bandwidth=faster)


def times(scenario: Scenario, count: int) -> np.ndarray:
    """Mean iteration times of simulations with the same compute times for both of a pair."""
    runs = (simulation.predict(scenario, replication=number).prediction for number in range(count))
    return np.array([run.metrics.iteration_time_s for run in runs])


@examples(60, 200)
@given(pair=pairs(modes=("bsp",)))
def test_in_step_every_run_is_as_fast_or_faster(pair: tuple[Scenario, Scenario]) -> None:
    slow, fast = pair
    assert allows(slow, IDEAL, TARGETS)
    assert np.all(times(fast, 2) <= times(slow, 2) * (1 + 1e-9))


@pytest.mark.slow
@settings(max_examples=400)
@given(pair=pairs(modes=("asp", "ssp")))
def test_out_of_step_no_mean_is_worse_by_more_than_its_error(pair: tuple[Scenario, Scenario]) -> None:
    _no_mean_is_worse(pair)


@examples(15, 15)
@given(pair=pairs(modes=("asp", "ssp")))
def test_out_of_step_a_few_means(pair: tuple[Scenario, Scenario]) -> None:
    _no_mean_is_worse(pair)


def _no_mean_is_worse(pair: tuple[Scenario, Scenario]) -> None:
    slow, fast = pair
    assert allows(slow, IDEAL, TARGETS)
    more = times(fast, _REPLICATIONS) - times(slow, _REPLICATIONS)
    error = float(np.std(more, ddof=1)) / math.sqrt(_REPLICATIONS)
    assert more.mean() <= 4 * error + 1e-9 * abs(more).max(initial=0.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "asp"},
        {"push": "sequential"},
        {"message_overhead": "1 ms"},
        {"shard_weights": [1, 2]},
        {"placement": "colocated"},
        {"prefetch": True},
    ],
)
def test_nothing_is_concluded_elsewhere(changes: dict[str, Any]) -> None:
    base = load("ingress-single", workers=3, shards=2, compute="0.1 s")
    assert allows(base, IDEAL, TARGETS)
    assert not allows(base.replace(**changes), IDEAL, TARGETS)
    assert not allows(base, Calibration(handle_overhead_s=1e-3), TARGETS)
    assert not allows(base, IDEAL, (parse_target("iteration_time>=1s"),))
    assert not allows(base, IDEAL, (parse_target("ingress_time<=1s"),))


def test_less_of_something_and_more_of_another_is_no_order() -> None:
    base = load("ingress-single", workers=3, compute={"kind": "exponential", "mean": "0.1 s"})
    points = grid("shards=1,2,3", "bandwidth=5Gbps,10Gbps")
    space = list(configurations(base, points, Setup(method="simulate"), load_catalogue(), lambda text: None))
    middle = space[2]
    assert (middle.scenario.shards, middle.point["bandwidth"]) == (2, "5Gbps")
    worse = no_better(middle, space, IDEAL, TARGETS)
    assert [(c.scenario.shards, c.point["bandwidth"]) for c in worse] == [(1, "5Gbps"), (2, "5Gbps")]
    assert no_better(middle, space, IDEAL, (parse_target("staleness_p95<=1"),)) == []


@pytest.mark.parametrize("off", [0.4, 3.0])
def test_estimates_that_are_far_off_cost_few_simulations(off: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of numbers of shards, of which the estimates are wrong by a factor that changes along the way."""
    import psmodel.whatif.search as search

    most = runs(250, 1000)

    def wrong(candidate: Any, targets: Any) -> float:
        return right(candidate, targets) * off ** (1 + math.log10(candidate.scenario.shards))

    right = search.Candidate.estimated_miss
    monkeypatch.setattr(search.Candidate, "estimated_miss", wrong)
    base = load(
        "ingress-single", workers=8, iterations=2, model_size=f"{4 * most}MB", bandwidth={"worker_up": "400Gbps",
        "worker_down": "400Gbps", "shard_up": "1Gbps", "shard_down": "1Gbps"},
        compute={"kind": "gamma", "mean": "1 s", "cv": 0.05},
    )  # fmt: skip
    answer = plan(base, grid(f"shards=1:{most}:1"), ["iteration_time<=2.5s"], minimise="shards")
    assert answer.best is not None
    assert answer.considered == most
    assert len(answer.tried) <= most / 10
    assert answer.untried == 0
    # 2·N·M/(K·B) of waiting and sending beside computing, of which the pushes overlap a little.
    below = simulation.predict(base.replace(shards=int(answer.best["shards"] * 0.97))).prediction
    assert below.metrics.iteration_time_s > 2.5
