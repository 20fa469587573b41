import doctest
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
    approximate_mva,
    asymptotic_bounds,
    balanced_job_bounds,
    bounds,
    erlang_b,
    erlang_c,
    general_repairman,
    machine_repairman,
    md1,
    mean_value,
    mg1,
    mg1_ps,
    mm1,
    mmc,
    multiclass,
    mva,
    open_queues,
    repairman,
    saturation_population,
)

State = tuple[int, ...]
Moves = Callable[[State], Iterator[tuple[State, float]]]

demand_lists = st.lists(st.floats(1e-3, 10), min_size=1, max_size=5)
populations = st.integers(1, 30)
think_times = st.just(0.0) | st.floats(1e-3, 100)


@pytest.mark.parametrize("module", [bounds, multiclass, mean_value, open_queues, repairman])
def test_doctests(module: object) -> None:
    results = doctest.testmod(module)  # type: ignore[arg-type]
    assert results.attempted > 0
    assert results.failed == 0


def stationary(start: State, moves: Moves) -> dict[State, float]:
    """Steady state of a continuous-time Markov chain, by linear algebra over all states reached."""
    states, new = {start: 0}, [start]
    entries = []
    while new:
        state = new.pop()
        for other, rate in moves(state):
            if other not in states:
                states[other] = len(states)
                new.append(other)
            entries.append((states[state], states[other], rate))
    generator = np.zeros((len(states), len(states)))
    for row, column, rate in entries:
        generator[row, column] += rate
        generator[row, row] -= rate
    # One balance equation follows from the others; the sum of the probabilities takes its place.
    generator[:, -1] = 1
    solution = np.linalg.solve(generator.T, np.eye(len(states))[-1])
    return dict(zip(states, solution, strict=True))


def closed_network(
    demands: np.ndarray, populations: list[int], think_times: list[float], servers: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Throughput of each class and mean number present, shape (classes, stations), of a Markov chain.

    Each customer thinks and then visits the stations in turn; a station shares its servers equally.
    """
    classes, stations = demands.shape
    width = stations + 1  # place 0 is thinking

    def leave_rate(state: State, c: int, place: int) -> float:
        here = state[c * width + place]
        if place == 0:
            return float(here / think_times[c])
        total = sum(state[other * width + place] for other in range(classes))
        return float(here and min(total, servers[place - 1]) * here / total / demands[c, place - 1])

    def moves(state: State) -> Iterator[tuple[State, float]]:
        for c in range(classes):
            for place in range(width):
                rate = leave_rate(state, c, place)
                if rate > 0:
                    after = list(state)
                    after[c * width + place] -= 1
                    after[c * width + (place + 1) % width] += 1
                    yield tuple(after), rate

    start = [0] * (classes * width)
    start[::width] = populations
    steady = stationary(tuple(start), moves)
    present = np.zeros((classes, stations))
    throughputs = np.zeros(classes)
    for state, probability in steady.items():
        present += probability * np.reshape(state, (classes, width))[:, 1:]
        throughputs += [probability * leave_rate(state, c, 0) for c in range(classes)]
    return throughputs, present


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
    def test_constant_service_gives_at_most_six_percent_more(self, population: int, load: float) -> None:
        think_time = max(population / load - 1, 0.01)
        of: dict[str, Any] = {"population": population, "think_time": think_time, "service_time": 1.0}
        gain = general_repairman(**of, scv=0).throughput / machine_repairman(**of).throughput
        assert 1 - 1e-9 <= gain <= 1.06

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


class TestMeanValueAnalysis:
    @pytest.mark.parametrize(
        ("population", "response_times", "system", "throughput", "present"),
        # Jain 1991, The Art of Computer Systems Performance Analysis, table 34.1.
        [
            (1, (0.125, 0.300, 0.200), 6.000, 0.100, (0.200, 0.300, 0.100)),
            (2, (0.150, 0.390, 0.220), 7.400, 0.175, (0.421, 0.684, 0.193)),
            (3, (0.178, 0.505, 0.239), 9.088, 0.229, (0.651, 1.158, 0.273)),
            (5, (0.235, 0.816, 0.268), 13.256, 0.290, (1.088, 2.365, 0.388)),
            (20, (0.373, 4.854, 0.300), 56.016, 0.333, (1.991, 16.177, 0.500)),
        ],
    )
    def test_timesharing_system_of_jain(
        self,
        population: int,
        response_times: tuple[float, ...],
        system: float,
        throughput: float,
        present: tuple[float, ...],
    ) -> None:
        visits = np.array([16, 10, 5])
        stations = [Station(demand=float(d)) for d in visits * [0.125, 0.3, 0.2]]
        result = mva(stations, population=population, think_time=4)
        np.testing.assert_allclose(result.residence_times / visits, response_times, atol=5e-4)
        np.testing.assert_allclose(result.mean_present, present, atol=5e-4)
        assert result.response_time == pytest.approx(system, abs=5e-4)
        assert result.throughput == pytest.approx(throughput, abs=5e-4)
        assert result.cycle_time == pytest.approx(system + 4, abs=5e-4)

    def test_central_server_of_bolch(self) -> None:
        """Bolch, Greiner, de Meer & Trivedi 1998, Queueing Networks and Markov Chains, example 8.3."""
        stations = [Station(demand=d) for d in (0.02, 0.4 * 0.2, 0.2 * 0.4, 0.1 * 0.6)]
        result = mva(stations, population=6)
        np.testing.assert_allclose(result.utilisation, [0.198, 0.794, 0.794, 0.595], atol=1e-3)
        np.testing.assert_allclose(result.mean_present, [0.244, 2.261, 2.261, 1.234], atol=1e-3)
        assert result.throughput == pytest.approx(9.920, abs=1e-3)

    def test_two_servers_and_terminals_of_bolch(self) -> None:
        """The same book, example 8.4."""
        stations = [
            Station(demand=0.5, servers=2),
            Station(demand=0.3),
            Station(demand=0.4),
            Station(demand=1, kind="delay"),
        ]
        result = mva(stations, population=3)
        np.testing.assert_allclose(result.mean_present, [0.624, 0.473, 0.686, 1.217], atol=1e-3)
        assert result.throughput == pytest.approx(1.218, abs=1e-3)

    @pytest.mark.parametrize("servers", [[1, 1, 1], [2, 1, 1], [2, 3, 1], [2, 2, 2]])
    def test_is_the_steady_state_of_a_markov_chain(self, servers: list[int]) -> None:
        demands = [1.0, 0.6, 0.3]
        throughputs, present = closed_network(np.array([demands]), [5], [0.8], servers)
        stations = [Station(demand=d, servers=c) for d, c in zip(demands, servers, strict=True)]
        result = mva(stations, population=5, think_time=0.8)
        assert result.throughput == pytest.approx(throughputs[0], rel=1e-10)
        np.testing.assert_allclose(result.mean_present, present[0], rtol=1e-9)
        np.testing.assert_allclose(
            result.utilisation, throughputs[0] * np.array(demands) / servers, rtol=1e-9
        )

    @given(demand_lists, populations, think_times, st.data())
    def test_obeys_the_operational_laws(
        self, demands: list[float], population: int, think_time: float, data: st.DataObject
    ) -> None:
        stations = [
            Station(
                demand=demand,
                kind=data.draw(st.sampled_from(["queue", "delay"])),
                servers=data.draw(st.integers(1, 3)),
            )
            for demand in demands
        ]
        result = mva(stations, population=population, think_time=think_time)
        # Little's law of the system and of each station, and nobody gets lost.
        assert result.throughput * (result.response_time + think_time) == pytest.approx(population, rel=1e-9)
        np.testing.assert_allclose(
            result.mean_present, result.throughput * result.residence_times, rtol=1e-9, atol=1e-12
        )
        assert result.mean_present.sum() + result.throughput * think_time == pytest.approx(
            population, rel=1e-9
        )
        for station, used in zip(stations, result.utilisation, strict=True):
            assert station.kind == "delay" or used <= 1 + 1e-9

    def test_stations_that_take_no_time_change_nothing(self) -> None:
        alone = mva([Station(demand=1, servers=2)], population=5)
        among = mva([Station(demand=0), Station(demand=1, servers=2), Station(demand=0)], population=5)
        assert among.throughput == alone.throughput == pytest.approx(2)
        assert among.mean_present.tolist() == [0, 5, 0]

    def test_a_thousand_workers_and_shards(self) -> None:
        """Balanced: N/(N + K − 1) of what a shard can do (Lazowska et al. 1984, section 5.4)."""
        result = mva([Station(demand=1e-3)] * 1000, population=1000)
        assert result.throughput == pytest.approx(1000 * 1000 / 1999, rel=1e-9)

    def test_nonsense_is_refused(self) -> None:
        with pytest.raises(ValueError, match="demand is -1; it must be at least 0"):
            Station(demand=-1)
        with pytest.raises(ValueError, match="servers is 0"):
            Station(demand=1, servers=0)
        with pytest.raises(ValueError, match="population is 0"):
            mva([Station(demand=1)], population=0)
        with pytest.raises(ValueError, match="a cycle must take some time"):
            mva([Station(demand=0)], population=1)


class TestSeveralClasses:
    def test_example_of_lazowska(self) -> None:
        """Lazowska et al. 1984, section 7.4.2: the approximate solution of the two-class example."""
        result = approximate_mva([[1, 3], [2, 4]], populations=[1, 1], think_times=[0, 0])
        np.testing.assert_allclose(result.mean_present, [[0.192, 0.808], [0.248, 0.752]], atol=1e-3)
        np.testing.assert_allclose(result.throughputs, [0.154, 0.104], atol=1e-3)
        np.testing.assert_allclose(result.response_times, [6.508, 9.614], atol=5e-3)

    @pytest.mark.parametrize("think_time", [0.5, 5.0])
    @pytest.mark.parametrize("populations", [[1, 1], [3, 1], [4, 3]])
    def test_is_near_the_steady_state_of_a_markov_chain(
        self, think_time: float, populations: list[int]
    ) -> None:
        demands = np.array([[1.0, 0.5], [0.4, 1.2]])
        truth, _ = closed_network(demands, populations, [think_time, 2 * think_time], [1, 1])
        result = approximate_mva(demands, populations=populations, think_times=[think_time, 2 * think_time])
        np.testing.assert_allclose(result.throughputs, truth, rtol=0.05)

    @given(demand_lists, st.lists(populations, min_size=1, max_size=4), think_times)
    def test_nobody_gets_lost(self, demands: list[float], sizes: list[int], think_time: float) -> None:
        result = approximate_mva(
            [demands] * len(sizes), populations=sizes, think_times=[think_time] * len(sizes)
        )
        accounted = result.mean_present.sum(axis=1) + result.throughputs * think_time
        np.testing.assert_allclose(accounted, sizes, rtol=1e-9)
        assert np.all(result.utilisation <= 1 + 1e-9)

    @given(demand_lists, think_times)
    def test_nobody_waits_for_himself(self, demands: list[float], think_time: float) -> None:
        result = approximate_mva([demands], populations=[1], think_times=[think_time])
        assert result.throughputs[0] == pytest.approx(1 / (sum(demands) + think_time), rel=1e-9)

    def test_nonsense_is_refused(self) -> None:
        with pytest.raises(ValueError, match="demands has 2 classes, populations 1 and think_times 2"):
            approximate_mva([[1], [2]], populations=[1], think_times=[0, 0])
        with pytest.raises(ValueError, match=r"demands\[1\] is -2"):
            approximate_mva([[1], [-2]], populations=[1, 1], think_times=[0, 0])
        with pytest.raises(ValueError, match=r"populations\[0\] is 0"):
            approximate_mva([[1]], populations=[0], think_times=[0])
        with pytest.raises(ValueError, match="class 1 has no demand and no think time"):
            approximate_mva([[1], [0]], populations=[1, 1], think_times=[1, 0])

    def test_says_so_when_it_does_not_converge(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(multiclass, "_MAX_ITERATIONS", 2)
        with pytest.raises(ArithmeticError, match="still change after 2 iterations"):
            approximate_mva([[1, 2]], populations=[5], think_times=[1])


class TestBounds:
    @given(demand_lists, populations, think_times)
    def test_hold_and_nest(self, demands: list[float], population: int, think_time: float) -> None:
        exact = mva([Station(demand=d) for d in demands], population=population, think_time=think_time)
        wide = asymptotic_bounds(demands, population=population, think_time=think_time)
        tight = balanced_job_bounds(demands, population=population, think_time=think_time)
        slack = 1 + 1e-9
        for low, high, value in [
            ("throughput_min", "throughput_max", exact.throughput),
            ("response_time_min", "response_time_max", exact.response_time),
        ]:
            assert getattr(wide, low) <= getattr(tight, low) * slack
            assert getattr(tight, low) <= value * slack
            assert value <= getattr(tight, high) * slack
            assert getattr(tight, high) <= getattr(wide, high) * slack

    @given(demand_lists, think_times)
    def test_asymptotes_cross_at_the_saturation_population(
        self, demands: list[float], think_time: float
    ) -> None:
        n = saturation_population(demands, think_time=think_time)
        assert n / (sum(demands) + think_time) == pytest.approx(1 / max(demands))
        above = asymptotic_bounds(demands, population=math.ceil(n), think_time=think_time)
        assert above.throughput_max == pytest.approx(1 / max(demands))

    def test_balanced_bounds_are_exact_when_balanced(self) -> None:
        tight = balanced_job_bounds([2, 2, 2], population=7)
        exact = mva([Station(demand=2)] * 3, population=7)
        assert tight.throughput_min == tight.throughput_max == pytest.approx(exact.throughput)

    def test_nonsense_is_refused(self) -> None:
        with pytest.raises(ValueError, match="demands has no positive entry"):
            asymptotic_bounds([0, 0], population=1)
        with pytest.raises(ValueError, match=r"demands\[1\] is -1"):
            balanced_job_bounds([1, -1], population=1)
        with pytest.raises(ValueError, match=r"population is 1\.5"):
            balanced_job_bounds([1], population=1.5)  # type: ignore[arg-type]
