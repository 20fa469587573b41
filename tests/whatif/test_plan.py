"""Plans: what the search finds is what trying everything finds, with far fewer simulations."""

import pytest

from psmodel.errors import BadInput, CannotRun
from psmodel.scenario import load
from psmodel.simulation import predict as simulate
from psmodel.whatif.judge import Certainty
from psmodel.whatif.plans import Objective, plan
from psmodel.whatif.prices import load_catalogue
from psmodel.whatif.sweeps import Setup, grid, sweep
from psmodel.whatif.targets import parse_target
from tests.reference.planning import problem

BASE = load("ingress-single", workers=6, iterations=2)
QUICK_SEED = 11
RANDOM = {"kind": "exponential", "mean": "50 ms"}


@pytest.mark.parametrize("minimise", ["cost", "shards", "workers"])
@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({}, "iteration_time<=200ms"),
        ({"mode": "asp"}, "updates_per_s>=12"),
        ({"mode": "ssp", "staleness_bound": 2}, "staleness_p95<=3"),
        ({"pull": "sequential", "push": "sequential"}, "iteration_time<=500ms"),
        ({"compute": "50 ms"}, "communication_share<=80%"),
        ({"compute": "50 ms"}, "goodput>=10Gbps"),
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
    goal = parse_target(target)
    possible = [row[key] for row in rows if goal.met(row[goal.name])]
    answer = plan(base, points, [target], minimise=minimise, setup=setup)
    assert possible, "a target that nothing meets shows nothing"
    assert answer.best is not None
    assert answer.best[key] == min(possible)
    assert any(row.items() <= answer.best.items() for row in rows)


@pytest.mark.parametrize("seed", range(150, 164))  # of the study's 200 below, which takes long
def test_random_problems_are_answered_right(seed: int) -> None:
    question = problem(seed)
    answer = question.solve()
    assert question.is_right(answer), answer.verdict


@pytest.mark.slow
def test_of_200_random_problems_95_percent_are_answered_right() -> None:
    questions = [problem(seed) for seed in range(200)]
    assert sum(p.is_right(p.solve()) for p in questions) >= 190


def test_what_is_met_once_and_missed_on_average_is_no_answer() -> None:
    # The first simulation has 15 ms, the mean is 100 ms: one simulation alone would say yes.
    base = load("ingress-single", workers=1, iterations=1, push="none", model_size="8B", seed=QUICK_SEED,
                compute={"kind": "exponential", "mean": "100 ms"})  # fmt: skip
    first = simulate(base).prediction.metrics.iteration_time_s
    assert first < 0.05
    answer = plan(base, grid("shards=1"), ["iteration_time<=0.05s"], minimise="shards")
    assert answer.best is None
    assert answer.ruled_out == 1 or answer.simulations > 1


def test_bounds_of_one_set_of_random_times_rule_nothing_out() -> None:
    base = load("ingress-single", workers=1, model_size="8B", bandwidth="10Gbps", seed=4, iterations=1,
                compute={"kind": "exponential", "mean": "1 s"})  # fmt: skip
    for method in ("simulate", "analytic", "mva"):
        setup = Setup(method=method)
        answer = plan(base, grid("shards=1"), ["iteration_time<=1.5s"], minimise="shards", setup=setup)
        assert answer.best is not None, method


def test_the_value_of_the_method_asked_for_is_the_answer() -> None:
    base = BASE.replace(compute=RANDOM, mode="asp")
    points = grid("shards=1:6:1", "workers=2,4,6")
    for method in ("analytic", "mva"):
        setup = Setup(method=method)
        rows = sweep(base, points, setup, processes=1).to_rows()
        limit = sorted(row["iteration_time_s"] for row in rows)[4] * 1.001
        answer = plan(base, points, [f"iteration_time<={limit} s"], minimise="shards", setup=setup)
        assert answer.best is not None
        assert answer.best["shards"] == min(r["shards"] for r in rows if r["iteration_time_s"] <= limit)
        assert {row["method"] for row in answer.front} == {method}
        assert "alone" in answer.verdict


def test_a_method_that_does_not_tell_a_metric_is_refused() -> None:
    with pytest.raises(BadInput, match="staleness_p95"):
        plan(BASE, grid("shards=1,2"), ["staleness_p95<=3"], setup=Setup(method="analytic"))


def test_undecided_is_said() -> None:
    base = BASE.replace(compute={"kind": "exponential", "mean": "1 s"})
    mean = sum(
        simulate(base, replication=100 + r).prediction.metrics.iteration_time_s for r in range(20)
    ) / 20  # fmt: skip
    answer = plan(
        base,
        grid("shards=1"),
        [f"iteration_time<={mean} s"],
        minimise="shards",
        certainty=Certainty(budget=3),
    )
    assert answer.best is None
    assert answer.verdict.startswith("Undecided within the budget")
    assert answer.tried[0]["decision"] == "undecided"
    assert answer.simulations == 3


def test_scaling_efficiency_is_over_one_worker_alone() -> None:
    # One shard link carries all: N workers take N times as long, so that efficiency is 1/N without computing.
    base = load("ingress-single")
    answer = plan(
        base, grid("workers=1,2,4,8,16"), ["speedup>=1", "scaling_efficiency<=13%"], minimise="workers"
    )
    assert answer.best is not None
    assert answer.best["workers"] == 8
    assert answer.best["scaling_efficiency"] == pytest.approx(1 / 8)
    with pytest.raises(BadInput, match="one worker alone"):
        plan(base.replace(workers=2, compute_factors=[1, 2]), grid("shards=1,2"), ["speedup>=2"])


def test_points_of_the_front_say_by_what_they_are() -> None:
    answer = plan(
        BASE.replace(compute=RANDOM), grid("shards=1:4:1"), ["iteration_time<=1s"], minimise="shards"
    )
    assert {(row["method"], row["claim"]) for row in answer.front} <= {
        ("analytic", "estimate"), ("analytic", "exact"), ("simulate", None)
    }  # fmt: skip


def test_of_a_thousand_at_most_a_tenth_is_simulated() -> None:
    points = grid("shards=1:100:1", "bandwidth=5Gbps:50Gbps:5Gbps")
    assert len(points) == 1000
    base = load("ingress-single", placement="dedicated")
    answer = plan(base, points, ["iteration_time<=0.5s"], minimise="cost")
    assert answer.best is not None
    assert answer.simulations <= 100
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
    assert answer.best["cost_per_hour"] == pytest.approx(expected)


def test_of_a_thousand_with_random_times_too() -> None:
    base = load("ingress-single", workers=3, iterations=2, compute=RANDOM)
    points = grid("shards=1:100:1", "bandwidth=1Gbps:10Gbps:1Gbps")
    answer = plan(base, points, ["iteration_time<=0.3s"], minimise="shards")
    assert answer.best is not None
    assert answer.considered == 1000
    assert len(answer.tried) <= 100
    assert answer.best["iteration_time_s"] <= 0.3 * 1.01


def test_none_exists_and_the_bound_is_named() -> None:
    answer = plan(load("ingress-single"), grid("shards=1:200:1"), ["iteration_time<=0.1s"], minimise="shards")
    assert (answer.best, answer.simulations, answer.ruled_out) == (None, 0, 200)
    assert "160 ms" in answer.verdict
    assert "worker egress, M/B" in answer.verdict


def test_none_exists_though_bounds_permit_it() -> None:
    answer = plan(BASE, grid("shards=1,2"), ["iteration_time<=10s", "staleness_p95>=100"], minimise="shards")
    assert answer.best is None
    assert answer.simulations == 2
    assert "staleness_p95" in answer.verdict


def test_a_price_may_be_a_target() -> None:
    points = grid("shards=1:20:1")
    answer = plan(BASE, points, ["cost_per_hour<=15", "iteration_time<=1s"], minimise="shards")
    assert answer.best is not None
    assert answer.best["cost_per_hour"] <= 15
    dear = plan(BASE, points, ["cost_per_hour<=1"], minimise="shards")
    assert dear.best is None
    assert "cost_per_hour" in dear.verdict


def test_no_row_of_the_front_is_beaten() -> None:
    points = grid("shards=1:12:1", "machine=c5.9xlarge,c5.18xlarge,c5n.9xlarge")
    answer = plan(BASE, points, ["iteration_time<=1s"])
    rows = sweep(BASE, points, Setup(catalogue=load_catalogue())).to_rows()
    for row in answer.front:
        assert not any(
            r["cost_per_hour"] <= row["cost_per_hour"]
            and r["iteration_time_s"] < row["iteration_time_s"] * 0.999
            for r in rows
        )
    costs = [row["cost_per_hour"] for row in answer.front]
    assert costs == sorted(set(costs))


def test_a_space_without_end_is_refused_at_once() -> None:
    with pytest.raises(CannotRun, match=r"a plan of 1000000000 configurations takes about .* ask for fewer"):
        plan(BASE, grid("shards=1:100000:1", "workers=1:10000:1"), ["iteration_time<=1s"])
