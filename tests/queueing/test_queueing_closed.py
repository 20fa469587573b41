import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel.queueing import (
    Station,
    approximate_mva,
    asymptotic_bounds,
    balanced_job_bounds,
    multiclass,
    mva,
    saturation_population,
)
from tests.reference.markov_chain import closed_network
from tests.strategies import populations, think_times

demand_lists = st.lists(st.floats(1e-3, 10), min_size=1, max_size=5)


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
