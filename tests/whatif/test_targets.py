"""Targets as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel.errors import BadInput
from psmodel.whatif.targets import NAMES, Target, parse_target


@pytest.mark.parametrize(
    ("text", "name", "at_most", "value"),
    [
        ("iteration_time<=500ms", "iteration_time_s", True, 0.5),
        ("iteration_time_s <= 0.5 s", "iteration_time_s", True, 0.5),
        ("iteration-time≤0.5s", "iteration_time_s", True, 0.5),
        ("communication_share<=20%", "communication_share", True, 0.2),
        ("communication_share <= 0.2", "communication_share", True, 0.2),
        ("scaling_efficiency>=0.9", "scaling_efficiency", False, 0.9),
        ("scaling_efficiency >= 90 %", "scaling_efficiency", False, 0.9),
        ("speedup>=8x", "speedup", False, 8.0),
        ("goodput>=40Gbps", "goodput_bytes_per_s", False, 5e9),
        ("goodput>=5 GB/s", "goodput_bytes_per_s", False, 5e9),
        ("updates>=100/s", "updates_per_s", False, 100.0),
        ("updates_per_s>=100", "updates_per_s", False, 100.0),
        ("cost_per_hour<=300", "cost_per_hour", True, 300.0),
        ("cost_per_1000_iterations<=40.5", "cost_per_1000_iterations", True, 40.5),
        ("staleness_p95<=3", "staleness_p95", True, 3.0),
        ("wait_time<=10ms", "wait_time_s", True, 0.01),
        ("iteration_time_p99<=1s", "iteration_time_p99_s", True, 1.0),
    ],
)
def test_a_target_is_what_was_written(text: str, name: str, at_most: bool, value: float) -> None:
    assert parse_target(text) == Target(name=name, at_most=at_most, value=pytest.approx(value))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("iteration_time", "iteration_time<="),
        ("speed<=3", "speedup"),
        ("comunication_share<=20%", "communication_share"),
        ("iteration_time<=fast", "fast"),
        ("iteration_time<=0.5", "no unit"),
        ("iteration_time<=20%", "%"),
        ("staleness_p95<=few", "few"),
        ("cost_per_hour<=nan", "nan"),
        ("cost_per_hour<=inf", "inf"),
        ("cost_per_hour<=-3", "-3"),
        ("communication_share<=20", "20%"),
        ("communication_share<=nan%", "nan"),
        ("updates_per_s>=90%", "90%"),
        ("goodput>=40", "no unit"),
        ("iteration_time<0.5s", "<="),
        ("a<b", "a<b"),
    ],
)
def test_a_bad_target_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_target(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.sampled_from(NAMES), st.booleans(), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_distance_is_at_most_1_where_it_is_met(name: str, at_most: bool, limit: float, value: float) -> None:
    target = Target(name=name, at_most=at_most, value=limit)
    assert target.met(value) == (target.distance(value) <= 1 + 1e-9)
    assert target.met(limit)
    assert not target.met(None)
