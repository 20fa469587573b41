"""A scenario without iterations: its steady state, how it is found, and what is said of it."""

import json
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from psmodel import random_streams as draws
from psmodel import simulation
from psmodel.cli import main
from psmodel.errors import BadInput
from psmodel.output_analysis import period
from psmodel.queueing import machine_repairman, mm1
from psmodel.results import Prediction
from psmodel.scenario import Scenario, load
from psmodel.scenario.features import repeats
from psmodel.simulation import Budget
from psmodel.simulation.replications import replicate
from tests.strategies import distributions, scenarios
from validate.testbeds import on_this_machine

LINKS: dict[str, Any] = {"model_size": "700MB", "bandwidth": "25Gbps"}
QUEUE: dict[str, Any] = {
    "workers": 1, "shards": 1, "elements": 8, "placement": "single-host", "mode": "asp", "pull": "none",
    "compute": {"kind": "exponential", "mean": "1 s"}, "seed": 2,
}  # fmt: skip


def predicted(**values: Any) -> Prediction:
    return simulation.predict(Scenario.from_json(values)).prediction


def scenario(**changes: Any) -> Scenario:
    return Scenario.from_json(LINKS | {"workers": 3, "shards": 2, "compute": "1 s"} | changes)


class TestScenario:
    def test_is_steady_where_no_iterations_are_given(self) -> None:
        steady, finite = scenario(), scenario(iterations=4)
        assert steady.is_steady
        assert not finite.is_steady
        assert (finite.warmup, finite.total_iterations) == (0, 4)
        assert finite == scenario(iterations=4, warmup=0) == Scenario.from_json(finite.to_json())
        assert scenario(iterations=4, warmup=2).replace(iterations=None) == steady

    def test_a_warmup_alone_is_refused(self) -> None:
        with pytest.raises(BadInput, match="warmup = 3 without iterations; give both"):
            scenario(warmup=3)

    def test_a_real_run_needs_iterations(self) -> None:
        with pytest.raises(BadInput, match="gives no iterations; a real run ends"):
            on_this_machine(load("ingress-single"), "netns")


@given(
    distribution=distributions,
    stragglers=st.none() | st.just({"rate": 0.5, "slowdown": 3.0, "duration": 2.0}),
    seed=st.integers(0, 9),
)
@settings(max_examples=25)
def test_an_endless_run_draws_the_numbers_of_a_finite_one(
    distribution: Any, stragglers: Any, seed: int
) -> None:
    mean = distribution.expected()
    if stragglers and mean > 0:
        stragglers = {"rate": 0.5 / mean, "slowdown": 3.0, "duration": 2.0 * mean}
    case = scenario(
        compute=distribution.model_dump(mode="json"),
        stragglers=stragglers if mean > 0 else None,
        seed=seed,
        iterations=150,
        compute_factors=[1.0, 2.0, 3.5],
    )
    endless = [list(islice(times, 150)) for times in draws.endless_compute_times(case)]
    assert np.array_equal(draws.compute_times(case), np.array(endless))


class TestCycle:
    def test_a_period_is_seen_three_times(self) -> None:
        once = np.array([[9.0, 5, 1, 2, 3], [0, 0, 1, 1, 2]])
        assert period(np.concatenate([once[:, :2], *[once[:, 2:]] * 3], axis=1)) == 3
        assert period(np.concatenate([once[:, :2], *[once[:, 2:]] * 2], axis=1)) is None

    @given(case=scenarios(random=False, disturbed=False, placements=("dedicated", "single-host")))
    @settings(max_examples=30, suppress_health_check=[HealthCheck.filter_too_much])
    def test_in_step_every_iteration_is_the_first(self, case: Scenario) -> None:
        assume(repeats(case))
        steady = simulation.predict(case.replace(iterations=None, warmup=None)).prediction
        finite = simulation.predict(case.replace(iterations=4, warmup=1)).prediction
        for name, value in finite.metrics.to_json().items():
            assert getattr(steady.metrics, name) == (
                None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)
            )
        assert steady.steady is not None
        assert (steady.steady.iterations, steady.steady.period, steady.steady.half_width_s) == (1, 1, 0.0)

    def test_a_barrier_lets_unlike_workers_go_in_another_order_than_they_began(self) -> None:
        """A worker beside its shard sends no message that costs: it matters who of the two comes first."""
        values: dict[str, Any] = {
            "workers": 2, "shards": 1, "elements": 1000, "bandwidth": 1e6, "placement": "colocated",
            "message_overhead": "1 s", "push": "sequential",
        }  # fmt: skip
        steady, first = (predicted(**values, **more).metrics for more in ({}, {"iterations": 1}))
        later = predicted(**values, iterations=4, warmup=1).metrics
        assert steady.iteration_time_s == pytest.approx(later.iteration_time_s, rel=1e-9)
        assert steady.iteration_time_s != pytest.approx(first.iteration_time_s, rel=1e-3)

    @pytest.mark.parametrize(
        "changes",
        [
            {"mode": "asp"},
            {"mode": "asp", "prefetch": True},
            {"prefetch": True},
            {"mode": "asp", "push": "fire-and-forget"},
            {"mode": "ssp", "staleness_bound": 2, "compute_factors": [1.0, 1.5, 2.5]},
            {"compute": "0.1 s", "pull": "none", "push": "fire-and-forget", "mode": "asp", "max_in_flight_pushes": 9},
        ],
    )  # fmt: skip
    def test_it_is_what_a_long_run_comes_to(self, changes: dict[str, Any]) -> None:
        steady = simulation.predict(scenario(**changes)).prediction
        assert steady.steady is not None
        assert steady.steady.period is not None
        rounds = 20 * steady.steady.period
        long = simulation.predict(scenario(**changes, warmup=300, iterations=rounds)).prediction
        for name in ("iteration_time_s", "pull_time_s", "push_time_s", "ingress_time_s"):
            # When a finite run ends workers finish one after the other: at its last iterations fewer are left.
            assert getattr(steady.metrics, name) == pytest.approx(getattr(long.metrics, name), rel=0.06)
        assert steady.half_widths == {}

    def test_a_queue_that_fills_is_no_cycle_before_it_is_full(self) -> None:
        """For long every iteration takes the compute time; then pushes wait for one of the 9 under way."""
        changes = {"pull": "none", "push": "fire-and-forget", "mode": "asp", "max_in_flight_pushes": 9}
        steady = predicted(**LINKS, workers=5, shards=1, compute="0.1 s", **changes)
        assert steady.metrics.iteration_time_s == pytest.approx(5 * 0.224, rel=1e-9)
        assert steady.metrics.updates_per_s == pytest.approx(1 / 0.224, rel=1e-9)
        assert steady.utilisation["shard ingress"] == pytest.approx(1.0)


class TestTruth:
    def test_the_steady_state_of_workers_that_prefetch(self) -> None:
        """From 848 ms in the first iteration to compute + one transfer, 400 + 224 ms."""
        settings = LINKS | {
            "workers": 100,
            "shards": 100,
            "compute": "400 ms",
            "mode": "asp",
            "prefetch": True,
        }
        steady = predicted(**settings)
        assert steady.metrics.iteration_time_s == pytest.approx(0.624, rel=1e-9)
        assert steady.steady is not None
        assert steady.steady.period == 1

    def test_an_mm1_queue_from_a_cold_start(self) -> None:
        prediction = predicted(
            **QUEUE, update_cost={"kind": "exponential", "mean": "0.6 s"}, push="fire-and-forget"
        )
        truth = mm1(arrival_rate=1.0, service_time=0.6)
        assert prediction.metrics.ingress_time_s is not None
        error = abs(prediction.metrics.ingress_time_s - (truth.mean_present - 0.6))
        assert error <= 1.5 * prediction.half_widths["ingress_time_s"]
        assert (
            abs(prediction.metrics.iteration_time_s - 1.0) <= 1.5 * prediction.half_widths["iteration_time_s"]
        )
        assert prediction.utilisation["shard CPU"] == pytest.approx(0.6, rel=0.05)

    @pytest.mark.parametrize("workers", [2, 5])
    def test_machine_repairmen_from_a_cold_start(self, workers: int) -> None:
        case = QUEUE | {"workers": workers, "update_cost": {"kind": "exponential", "mean": "1 s"}}
        prediction = simulation.predict(Scenario.from_json(case), precision=0.03).prediction
        truth = machine_repairman(population=workers, think_time=1.0, service_time=1.0).throughput
        assert prediction.steady is not None
        assert prediction.steady.reached
        assert prediction.half_widths["iteration_time_s"] <= 0.03 * prediction.metrics.iteration_time_s
        assert (
            abs(prediction.metrics.iteration_time_s - workers / truth)
            <= 1.5 * prediction.half_widths["iteration_time_s"]
        )

    def test_a_failure_at_an_instant_does_not_last(self) -> None:
        once = scenario(failures=[{"role": "shard", "at": "5 s", "repair_time": "100 s"}], mode="asp")
        without = simulation.predict(scenario(mode="asp")).prediction.metrics.iteration_time_s
        steady = simulation.predict(once).prediction
        assert steady.metrics.iteration_time_s == pytest.approx(without, rel=1e-6)
        assert "the steady state is without it" in steady.notes[-1]


RANDOM = {"compute": {"kind": "lognormal", "mean": "1 s", "cv": 0.5}, "mode": "asp"}


class TestProcedure:
    def test_same_seed_same_result(self) -> None:
        one, two = (simulation.predict(scenario(**RANDOM), precision=0.1).prediction for _ in range(2))
        assert one == two
        assert simulation.predict(scenario(**RANDOM), precision=0.1, replication=1).prediction != one

    def test_a_narrower_interval_takes_longer(self) -> None:
        wide, narrow = (
            simulation.predict(scenario(**RANDOM), precision=p).prediction.steady for p in (0.1, 0.02)
        )
        assert wide is not None
        assert narrow is not None
        assert wide.reached
        assert narrow.reached
        assert narrow.iterations > wide.iterations
        assert narrow.half_width_s is not None
        assert narrow.warmup_iterations >= 40
        assert wide.iterations >= 500 / 3

    def test_a_budget_that_ends_is_said(self) -> None:
        prediction = simulation.predict(
            scenario(**RANDOM), precision=1e-4, budget=Budget(events=20_000)
        ).prediction
        assert prediction.steady is not None
        assert not prediction.steady.reached
        assert "The simulation's budget ended after" in prediction.notes[0]
        least = simulation.predict(scenario(**RANDOM), budget=Budget(events=1)).prediction
        assert least.steady is not None
        assert (least.steady.half_width_s, least.metrics.iteration_time_s > 0) == (None, True)
        json.dumps(least.to_json(), allow_nan=False)

    def test_rare_failures_are_waited_for(self) -> None:
        """100 iterations without one would give a narrow interval that is wrong by the failures' part."""
        failures = [{"role": "worker", "mean_time_between": "500 s", "repair_time": "50 s"}]
        prediction = simulation.predict(scenario(failures=failures), precision=0.2).prediction
        assert prediction.steady is not None
        assert prediction.metrics.iteration_time_s * prediction.steady.iterations * 3 / 550 >= 50

    def test_a_trace_shows_a_few_iterations_and_says_which(self) -> None:
        for changes in ({}, {"mode": "asp"}, RANDOM, RANDOM | {"mode": "bsp"}):
            run = simulation.predict(scenario(**changes), trace=True, precision=0.1)
            assert run.spans
            assert any("The trace shows iterations" in note for note in run.prediction.notes)
            assert len({s.args["iteration"] for s in run.spans if s.name == "compute"}) <= 6


class TestReplications:
    def test_all_numbers_are_means(self) -> None:
        """Not those of the first replication: ingress times, utilisations and queues, and what they name."""
        case = scenario(compute={"kind": "exponential", "mean": "1 s"}, iterations=2)
        runs = [simulation.predict(case, replication=n).prediction for n in range(3)]
        together = replicate(case, replications=3, processes=1)
        for k in range(2):
            mean = np.mean([run.ingress_time_per_shard_s[k] for run in runs])
            assert together.ingress_time_per_shard_s[k] == pytest.approx(mean)
        assert together.metrics.ingress_time_s == pytest.approx(max(together.ingress_time_per_shard_s))
        for name, value in together.utilisation.items():
            assert value == pytest.approx(np.mean([run.utilisation[name] for run in runs]))
        classes = {name: v for name, v in together.utilisation.items() if not any(map(str.isdigit, name))}
        assert together.bottleneck == max(classes, key=classes.__getitem__)
        assert together.queue_length["shard most"] == max(run.queue_length["shard most"] for run in runs)

    def test_of_a_steady_state_each_is_one(self) -> None:
        together = replicate(scenario(**RANDOM), replications=3, precision=0.1, processes=1)
        assert together.steady is not None
        assert together.steady.half_width_s == together.half_widths["iteration_time_s"]
        assert together.steady.iterations >= 500


def test_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--workers",
        "3",
        "--shards",
        "2",
        "--model-size",
        "80MB",
        "--bandwidth",
        "1Gbps",
        "--mode",
        "asp",
    ]
    chance = ["--set", 'compute={kind="lognormal",mean="1 s",cv=0.3}', "--precision", "5%"]

    def printed(*arguments: str) -> str:
        with pytest.raises(SystemExit) as stop:
            main([*arguments])
        assert stop.value.code == 0
        return " ".join(capsys.readouterr().out.split())

    answer = json.loads(printed("simulate", *options, *chance, "--json"))
    assert answer["steady_state"]["reached"]
    assert answer["steady_state"]["half_width_s"] == answer["half_widths"]["iteration_time_s"]
    output = printed("simulate", *options, *chance)
    assert f"{answer['steady_state']['iterations']} iterations after" in output
    assert "precision 0.05 reached" in output
    assert "the same again; exact" in printed("simulate", *options)
    assert json.loads(printed("simulate", *options, "--iterations", "3", "--json"))["steady_state"] is None
    one = json.loads(printed("simulate", *options, "--json"))
    assert one == json.loads(printed("predict", "--method", "simulate", *options, "--json"))
