import heapq
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel.queueing import (
    Station,
    erlang_b,
    erlang_c,
    general_repairman,
    machine_repairman,
    md1,
    mg1,
    mg1_ps,
    mm1,
    mmc,
    mva,
)
from tests.reference.markov_chain import State, closed_network, stationary
from tests.strategies import populations, think_times


class TestOpenQueues:
    @pytest.mark.parametrize("servers", [1, 2, 5])
    @pytest.mark.parametrize("load", [0.1, 0.6])
    def test_mmc_is_the_steady_state_of_its_markov_chain(self, servers: int, load: float) -> None:
        arrival_rate, service_time, most = 2.0, servers * load / 2, 100

        def moves(state: State) -> Iterator[tuple[State, float]]:
            (n,) = state
            if n < most:
                yield (n + 1,), arrival_rate
            if n > 0:
                yield (n - 1,), min(n, servers) / service_time

        steady = stationary((0,), moves)
        queue = mmc(arrival_rate=arrival_rate, service_time=service_time, servers=servers)
        assert queue.mean_present == pytest.approx(sum(n * p for (n,), p in steady.items()), rel=1e-9)
        waits = sum(p for (n,), p in steady.items() if n >= servers)
        assert erlang_c(servers=servers, offered_load=servers * load) == pytest.approx(waits, rel=1e-9)

    def test_processor_sharing_does_not_care_for_the_distribution(self) -> None:
        """Two kinds of jobs whose sizes differ ninefold, in a Markov chain cut where it is never."""
        rates, sizes, most = (0.75, 0.05), (0.2, 1.8), 35

        def moves(state: State) -> Iterator[tuple[State, float]]:
            for kind in (0, 1):
                step = (1, 0) if kind == 0 else (0, 1)
                if sum(state) < most:
                    yield (state[0] + step[0], state[1] + step[1]), rates[kind]
                if state[kind] > 0:
                    share = state[kind] / sum(state)
                    yield (state[0] - step[0], state[1] - step[1]), share / sizes[kind]

        truth = sum((a + b) * p for (a, b), p in stationary((0, 0), moves).items())
        mean_size = np.average(sizes, weights=rates)
        assert mg1_ps(arrival_rate=0.8, service_time=mean_size).mean_present == pytest.approx(truth, rel=1e-9)

    @pytest.mark.parametrize(
        ("scv", "draw"),
        [
            (0.0, lambda rng, n: np.full(n, 0.7)),
            (1 / 3, lambda rng, n: rng.uniform(0, 1.4, n)),
            (4.0, lambda rng, n: rng.gamma(0.25, 0.7 / 0.25, n)),
        ],
    )
    def test_mg1_waits_as_lindley_says(
        self, scv: float, draw: Callable[[np.random.Generator, int], np.ndarray]
    ) -> None:
        rng, n = np.random.default_rng(5), 1_000_000
        steps = np.concatenate([[0.0], np.cumsum(draw(rng, n) - rng.exponential(1, n))])
        waits = steps - np.minimum.accumulate(steps)
        block = np.array_split(waits[n // 100 :], 20)
        means = [part.mean() for part in block]
        error = 4 * np.std(means, ddof=1) / math.sqrt(len(means))
        assert abs(np.mean(means) - mg1(arrival_rate=1, service_time=0.7, scv=scv).waiting_time) < error

    def test_special_cases_agree(self) -> None:
        of = {"arrival_rate": 3.0, "service_time": 0.25}
        assert mm1(**of) == mg1(**of, scv=1)
        assert md1(**of).waiting_time == pytest.approx(mm1(**of).waiting_time / 2)
        assert mmc(**of, servers=1).response_time == pytest.approx(mm1(**of).response_time)
        assert mg1_ps(**of).response_time == pytest.approx(mm1(**of).response_time)
        assert mm1(**of).mean_present == pytest.approx(3)  # ρ/(1−ρ)

    @pytest.mark.parametrize(
        ("servers", "load"),
        # The load in erlangs that so many lines carry with 1 % lost, as in the usual traffic tables.
        [(1, 0.0101), (2, 0.1526), (5, 1.3608), (10, 4.4612), (20, 12.031), (50, 37.901), (100, 84.064)],
    )
    def test_erlang_b_as_tabulated(self, servers: int, load: float) -> None:
        assert erlang_b(servers=servers, offered_load=load) == pytest.approx(0.01, rel=2e-3)

    @pytest.mark.parametrize("queue", [mm1, md1, mg1_ps])
    def test_overload_is_refused(self, queue: Callable[..., object]) -> None:
        with pytest.raises(
            ValueError, match=r"utilisation is 1\.5; an open queue has a steady state only below"
        ):
            queue(arrival_rate=3, service_time=0.5)
        with pytest.raises(ValueError, match="arrival_rate is 0; it must be greater than 0"):
            queue(arrival_rate=0, service_time=0.5)

    def test_nonsense_is_refused(self) -> None:
        with pytest.raises(ValueError, match="utilisation is 1;"):
            mmc(arrival_rate=2, service_time=1, servers=2)
        with pytest.raises(ValueError, match="servers is 0; it must be a whole number"):
            mmc(arrival_rate=2, service_time=1, servers=0)
        with pytest.raises(ValueError, match="scv is nan; it must be at least 0"):
            mg1(arrival_rate=1, service_time=0.1, scv=math.nan)


class TestRepairman:
    @pytest.mark.parametrize(("population", "servers"), [(1, 1), (5, 1), (6, 2), (3, 4)])
    def test_is_the_steady_state_of_its_markov_chain(self, population: int, servers: int) -> None:
        throughputs, present = closed_network(np.array([[0.4]]), [population], [1.5], [servers])
        result = machine_repairman(population=population, think_time=1.5, service_time=0.4, servers=servers)
        assert result.throughput == pytest.approx(throughputs[0], rel=1e-10)
        assert result.mean_present == pytest.approx(present[0, 0], rel=1e-10)
        assert result.response_time == pytest.approx(population / throughputs[0] - 1.5, rel=1e-10)
        assert result.utilisation == pytest.approx(throughputs[0] * 0.4 / servers, rel=1e-10)

    def test_is_erlang_b_of_the_idle_server(self) -> None:
        """The share of time in which nobody is at one server is Erlang's loss with N lines of load Z/s."""
        result = machine_repairman(population=7, think_time=3, service_time=0.5)
        assert 1 - result.utilisation == pytest.approx(erlang_b(servers=7, offered_load=6), rel=1e-12)

    @given(populations, think_times, st.floats(1e-3, 10), st.integers(1, 6))
    def test_equals_mean_value_analysis(
        self, population: int, think_time: float, service_time: float, servers: int
    ) -> None:
        one = machine_repairman(
            population=population, think_time=think_time, service_time=service_time, servers=servers
        )
        other = mva(
            [Station(demand=service_time, servers=servers)], population=population, think_time=think_time
        )
        assert one.throughput == pytest.approx(other.throughput, rel=1e-9)
        assert one.response_time == pytest.approx(other.response_time, rel=1e-9)
        assert one.utilisation == pytest.approx(other.utilisation[0], rel=1e-9)

    @given(populations, st.floats(1e-2, 100), st.floats(1e-3, 10))
    def test_general_service_of_scv_one_is_exponential(
        self, population: int, think_time: float, service_time: float
    ) -> None:
        of: dict[str, Any] = {
            "population": population,
            "think_time": think_time,
            "service_time": service_time,
        }
        general, exponential = general_repairman(**of, scv=1), machine_repairman(**of)
        assert general.throughput == pytest.approx(exponential.throughput, rel=1e-9)
        assert general.response_time == pytest.approx(exponential.response_time, rel=1e-6)

    @pytest.mark.parametrize(("population", "think_time"), [(1, 2.0), (4, 3.0), (10, 12.0)])
    @pytest.mark.parametrize("scv", [0.0, 0.5, 4.0])
    def test_general_service_against_its_recursion(
        self, population: int, think_time: float, scv: float
    ) -> None:
        """Who thinks shortest is served next, each after the one before: no formula is in that."""
        rng, served = np.random.default_rng(11), 100_000
        service = rng.gamma(1 / scv, scv, served) if scv else np.ones(served)
        thinks = rng.exponential(think_time, served + population).tolist()
        arrivals = [thinks.pop() for _ in range(population)]
        heapq.heapify(arrivals)
        ends, end = [], 0.0
        for time in service.tolist():
            end = max(end, heapq.heappop(arrivals)) + time
            heapq.heappush(arrivals, end + thinks.pop())
            ends.append(end)
        cycles = [np.ptp(part) / (part.size - 1) for part in np.array_split(ends, 20)]
        error = 4 * np.std(cycles, ddof=1) / math.sqrt(len(cycles))
        result = general_repairman(population=population, think_time=think_time, service_time=1, scv=scv)
        assert abs(1 / result.throughput - np.mean(cycles)) < error

    @given(populations, st.floats(0.05, 2))
    def test_constant_service_gives_hardly_more_than_six_percent(self, population: int, load: float) -> None:
        think_time = max(population / load - 1, 0.01)
        of: dict[str, Any] = {"population": population, "think_time": think_time, "service_time": 1.0}
        gain = general_repairman(**of, scv=0).throughput / machine_repairman(**of).throughput
        assert 1 - 1e-9 <= gain <= self.most_gain + 1e-6

    @property
    def most_gain(self) -> float:
        """Reached by three customers at a load of 1.10; both formulas are exact."""
        of: dict[str, Any] = {"population": 3, "think_time": 3 / 1.0985 - 1, "service_time": 1.0}
        return general_repairman(**of, scv=0).throughput / machine_repairman(**of).throughput

    def test_a_thousand_workers_do_not_overflow(self) -> None:
        of: dict[str, Any] = {"population": 1000, "think_time": 1000.0, "service_time": 2.0}
        assert machine_repairman(**of).throughput == pytest.approx(0.5, rel=1e-6)
        assert general_repairman(**of, scv=0).throughput == pytest.approx(0.5, rel=1e-6)

    def test_nonsense_is_refused(self) -> None:
        with pytest.raises(ValueError, match="service_time is 0; it must be greater than 0"):
            machine_repairman(population=1, think_time=1, service_time=0)
        with pytest.raises(ValueError, match="think_time is -1; it must be at least 0"):
            machine_repairman(population=1, think_time=-1, service_time=1)
        with pytest.raises(ValueError, match="think_time is 0; it must be greater than 0"):
            general_repairman(population=1, think_time=0, service_time=1, scv=0)
