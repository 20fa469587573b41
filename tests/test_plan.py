"""Plans: what the search finds is what trying everything finds, with far fewer simulations."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmodel.calibration import IDEAL, Calibration
from psmodel.cost import load_catalogue
from psmodel.errors import BadInput
from psmodel.floor import floor
from psmodel.plans import Objective, parse_target, plan
from psmodel.scenario import Scenario, load
from psmodel.simulation import predict as simulate
from psmodel.sweeps import Setup, grid, sweep

BASE = load("ingress-single", workers=6, iterations=2)
REAL = Calibration(
    goodput_factor=0.9,
    submit_overhead_s=2e-4,
    handle_overhead_s=3e-4,
    call_latency_s=5e-4,
    object_overhead_s=1e-3,
    put_s_per_byte=4e-10,
    copy_s_per_byte=4e-10,
    update_s_per_byte=4e-10,
)
RANDOM = {"kind": "exponential", "mean": "50 ms"}


@pytest.mark.parametrize("minimise", ["cost", "shards", "workers"])
@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({}, "iteration_time<=200ms"),
        ({"compute": RANDOM}, "iteration_time<=300ms"),
        ({"compute": RANDOM, "mode": "asp"}, "updates_per_s>=12"),
        ({"compute": RANDOM, "mode": "ssp", "staleness_bound": 2}, "staleness_p95<=3"),
        ({"pull": "sequential", "push": "sequential"}, "iteration_time<=500ms"),
    ],
)
def test_it_agrees_with_trying_everything(
    changes: dict[str, object], target: str, minimise: Objective
) -> None:
    base = BASE.replace(**changes)
    points = grid("workers=2,4,6", "shards=1,2,4", "machine=c5.9xlarge,c5.18xlarge")
    setup = Setup(method="simulate", catalogue=load_catalogue())
    key = {"cost": "cost_per_hour"}.get(minimise, minimise)
    rows = sweep(base, points, setup, processes=1).to_rows()
    wanted = parse_target(target)
    possible = [row[key] for row in rows if wanted.met(row[wanted.name])]
    found = plan(base, points, [target], minimise=minimise, setup=setup)
    assert possible, "a target that nothing meets shows nothing"
    assert found.best is not None
    assert found.best[key] == min(possible)
    assert found.best in rows


def test_of_a_thousand_at_most_a_tenth_is_simulated() -> None:
    points = grid("shards=1:100:1", "bandwidth=5Gbps:50Gbps:5Gbps")
    assert len(points) == 1000
    base = load("ingress-single", placement="dedicated")
    found = plan(base, points, ["iteration_time<=0.5s"], minimise="cost")
    assert found.best is not None
    assert found.simulations <= 100
    # The optimum by hand: 2·N·M/(K·B) <= 0.5 s, and the price of the cheapest machine of that rate.
    machines = load_catalogue().machine
    price = {
        rate: min(m.price_per_hour for m in machines if m.bandwidth >= rate * 1e9 / 8)
        for rate in range(5, 51, 5)
    }
    least = {
        rate: next(k for k in range(1, 101) if 2 * 100 * 0.8 / (k * rate) <= 0.5 + 1e-9) for rate in price
    }
    expected = min((100 + least[rate]) * price[rate] for rate in price)
    assert found.best["cost_per_hour"] == pytest.approx(expected)


def test_none_exists_and_the_bound_is_named() -> None:
    found = plan(load("ingress-single"), grid("shards=1:200:1"), ["iteration_time<=0.1s"], minimise="shards")
    assert (found.best, found.simulations, found.ruled_out) == (None, 0, 200)
    assert "160 ms" in found.verdict
    assert "worker egress, M/B" in found.verdict


def test_none_exists_though_bounds_permit_it() -> None:
    found = plan(BASE, grid("shards=1,2"), ["iteration_time<=10s", "staleness_p95>=100"], minimise="shards")
    assert found.best is None
    assert found.simulations == 2
    assert "staleness_p95" in found.verdict


def test_a_price_may_be_a_target() -> None:
    points = grid("shards=1:20:1")
    found = plan(BASE, points, ["cost_per_hour<=15", "iteration_time<=1s"], minimise="shards")
    assert found.best is not None
    assert found.best["cost_per_hour"] <= 15
    dear = plan(BASE, points, ["cost_per_hour<=1"], minimise="shards")
    assert dear.best is None
    assert "cost_per_hour" in dear.verdict


def test_no_row_of_the_front_is_beaten() -> None:
    points = grid("shards=1:12:1", "machine=c5.9xlarge,c5.18xlarge,c5n.9xlarge")
    found = plan(BASE, points, ["iteration_time<=1s"])
    rows = sweep(BASE, points, Setup(catalogue=load_catalogue())).to_rows()
    for row in found.front:
        assert not any(
            r["cost_per_hour"] <= row["cost_per_hour"]
            and r["iteration_time_s"] < row["iteration_time_s"] * 0.999
            for r in rows
        )
    costs = [row["cost_per_hour"] for row in found.front]
    assert costs == sorted(set(costs))


scenarios = st.builds(
    lambda n, k, compute, mode, pull, push, seed: BASE.replace(
        workers=n, shards=k, compute=compute, mode=mode, pull=pull, push=push, seed=seed
    ),
    st.integers(1, 6), st.integers(1, 5), st.sampled_from(["0 s", "50 ms"]), st.sampled_from(["bsp", "asp"]),
    st.sampled_from(["parallel", "sequential", "none"]),
    st.sampled_from(["blocking", "sequential", "fire-and-forget"]), st.integers(0, 1000),
)  # fmt: skip


@settings(max_examples=60)
@given(scenarios, st.sampled_from([IDEAL, REAL]))
def test_no_simulation_is_better_than_the_floor(scenario: Scenario, calibration: Calibration) -> None:
    simulated = simulate(scenario, calibration).prediction.metrics
    best = floor(scenario, calibration).best
    assert simulated.iteration_time_s >= best["iteration_time_s"] * (1 - 1e-9)
    if scenario.mode == "bsp" and simulated.updates_per_s is not None:
        assert simulated.updates_per_s <= best["updates_per_s"] * (1 + 1e-9)
    if "ingress_time_s" in best and simulated.ingress_time_s is not None:
        assert simulated.ingress_time_s >= best["ingress_time_s"] * (1 - 1e-9)


@pytest.mark.parametrize(
    "text", ["iteration_time", "speed<=3", "iteration_time<=fast", "staleness_p95<=few", "a<b"]
)
def test_a_bad_target_is_one_sentence(text: str) -> None:
    with pytest.raises(BadInput, match=text.partition("<")[0]) as caught:
        parse_target(text)
    assert "\n" not in str(caught.value)
