"""Limits of what runs take of a cluster, and what is said before: bytes against a real run's, time against a clock."""

import math
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from tests.feature_examples import BASE
from validate.machine.open_links import LEFT_OPEN, is_open, opened, require_links
from validate.runs.allowance import Allowance, NoTime
from validate.runs.run_forecast import forecast, moved, traffic
from validate.testbeds.link_survey import HostLink, Survey, groups


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


@given(
    st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 100)), min_size=1, max_size=20), st.floats(1e3, 1e9)
)
def test_no_link_carries_more_on_average_over_a_run_and_its_pause(runs, limit: float) -> None:
    clock = Clock()
    allowance = Allowance(max_bandwidth=limit, clock=clock, sleep=clock.sleep)
    for carried, seconds in runs:
        began = clock.now
        clock.now += seconds
        allowance.pause(carried, began)
        assert carried <= limit * (clock.now - began) * (1 + 1e-9) + 1e-3


def test_nothing_is_left_once_time_is_over_not_even_for_a_pause() -> None:
    clock = Clock()
    allowance = Allowance(max_bandwidth=10.0, max_duration_s=60.0, clock=clock, sleep=clock.sleep)
    clock.now = 59.0
    assert allowance.left_s() == pytest.approx(1.0)
    with pytest.raises(NoTime, match="--max-bandwidth"):
        allowance.pause(1e6, 58.0)
    with pytest.raises(NoTime, match="--max-duration"):
        allowance.left_s()


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"shards_per_host": 2}, {"workers_per_host": 2}, {"shard_weights": [1, 2, 5]}, {"pull": "none"},
        {"push": "none"},
    ],
    ids=str,
)  # fmt: skip
def test_what_links_carry_adds_up_to_what_is_moved(changes) -> None:
    scenario: Scenario = BASE.replace(**changes)
    carried = traffic(scenario)
    rounds = scenario.total_iterations * scenario.workers * scenario.total_bytes
    pulls, pushes = (scenario.pull != "none"), (scenario.push != "none")
    assert moved(scenario) == rounds * (pulls + pushes)
    assert carried["worker_up"] <= rounds * pushes
    assert carried["shard_down"] <= rounds * pushes
    # All of it crosses the shards' links: the busiest carries at least an even part.
    assert carried["shard_down"] >= rounds * pushes / scenario.shard_hosts * (1 - 1e-3)


def test_a_forecast_of_open_links_says_that_it_does_not_know() -> None:
    left_open = BASE.with_settings({"bandwidth": LEFT_OPEN, "workers": 1, "shards": 1})
    assert is_open(left_open)
    result = forecast([left_open], remote=True)
    assert math.isnan(result.expected_s)
    assert result.to_json()["expected_s"] is None
    fast = HostLink(host="a", address="10.0.0.1", cores=2, up=25e6, down=25e6)
    slow = HostLink(host="b", address="10.0.0.2", cores=2, up=15e6, down=15e6)
    probed = forecast([left_open], remote=True, survey=Survey(hosts=(fast, slow)))
    assert probed.expected_s > 0
    assert probed.names == ("a", "b")
    assert all(0 < share <= 1 for share in probed.shares.values())


def test_unlike_hosts_become_a_scenario_and_open_again() -> None:
    hosts = tuple(
        HostLink(host=name, address=name, cores=2, up=rate, down=rate)
        for name, rate in (("a", 25e6), ("b", 15e6), ("c", 25e6))
    )
    left_open = BASE.with_settings({"bandwidth": LEFT_OPEN, "workers": 2, "shards": 1})
    there = Survey(hosts=hosts).described(left_open, [0, 1], [2])
    assert there.link_shares == {"worker-1.up": 0.6, "worker-1.down": 0.6}
    assert opened(there) == left_open


def test_two_hosts_do_not_undo_what_three_have_shown() -> None:
    """Of a host of 200 and one of 120 alone, both seem to have 120 at least."""
    rates = (("a", 25e6), ("b", 15e6))
    three = Survey(hosts=tuple(HostLink(host=h, address=h, cores=2, up=r, down=r) for h, r in rates))
    two = Survey(
        hosts=tuple(
            HostLink(host=h, address=h, cores=2, up=15e6, down=15e6, up_at_least=True, down_at_least=True)
            for h in ("a", "b")
        )
    )
    assert two.changes_since(three) == []
    faster = Survey(hosts=tuple(replace(host, up=30e6) for host in two.hosts))
    assert len(faster.changes_since(three)) == 2


@given(st.lists(st.floats(1e5, 1e10), min_size=1, max_size=12))
def test_groups_hold_every_rate_once_and_clear_differences_apart(rates: list[float]) -> None:
    parted = groups(rates)
    assert sorted(i for group in parted for i in group) == list(range(len(rates)))
    for one, other in pairwise(parted):
        assert min(rates[i] for i in one) * 0.94 > max(rates[i] for i in other)


@pytest.mark.parametrize(("testbed", "fails"), [("local", True), ("netns", True), ("cluster", False)])
def test_a_delay_that_a_testbed_does_not_make_is_refused(testbed: str, fails: bool) -> None:
    scenario = BASE.with_settings({"propagation_delay": "10 ms", "workers": 1, "shards": 1})
    with pytest.raises(BadInput, match="propagation_delay = 10 ms; testbed") if fails else nullcontext():
        require_links(scenario, testbed)
