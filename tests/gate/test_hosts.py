"""Which host is slow, and in which direction: against surveys whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel.errors import BadInput
from tests.gate import made
from validate.gate import accepted_hosts
from validate.gate.hosts import estimate
from validate.gate.result import lists


def named(verdict) -> list[tuple[str, str]]:
    return sorted((e.host, e.aspect) for e in verdict.slow)


@given(
    host=st.sampled_from(made.HOSTS),
    aspect=st.sampled_from(["up", "down"]),
    factor=st.floats(0.3, 0.9),
    seed=st.integers(0, 10**6),
)
def test_a_slow_link_is_named_with_its_direction_and_nothing_else(host, aspect, factor, seed) -> None:
    verdict = made.verdict(**{aspect: {host: factor}}, seed=seed)
    assert named(verdict) == [(host, aspect)]
    (slow,) = verdict.slow
    assert slow.relative == pytest.approx(factor, rel=0.03)
    assert slow.low < factor * made.RATE * 1.01
    assert slow.high > factor * made.RATE * 0.99


def test_both_directions_of_one_host_and_a_link_of_another() -> None:
    verdict = made.verdict(up={"worker-1": 0.5, "shard-0": 0.85}, down={"worker-1": 0.5})
    assert named(verdict) == [("shard-0", "up"), ("worker-1", "down"), ("worker-1", "up")]
    assert verdict.slow_hosts == ("worker-1", "shard-0")


def test_a_rate_halved_in_the_middle_is_said_to_have_changed() -> None:
    verdict = made.verdict(later=({"worker-2": 0.5}, {"worker-2": 0.5}))
    assert verdict.slow_hosts == ("worker-2",)
    for slow in verdict.slow:
        assert slow.changed == pytest.approx(0.5, rel=0.05)
        assert "changed meanwhile" in slow.sentence


def test_a_busy_core_is_the_cpu_of_its_host() -> None:
    verdict = made.verdict(cpu={"shard-1": 2.0})
    assert named(verdict) == [("shard-1", "CPU")]
    assert verdict.slow[0].relative == pytest.approx(0.5, rel=0.05)
    assert "times as long as the other hosts" in verdict.slow[0].sentence
    assert named(made.verdict(calls={"shard-1": 3.0})) == [("shard-1", "calls")]


@given(seed=st.integers(0, 10**6))
def test_bursts_of_other_work_neither_hide_a_busy_core_nor_name_a_sound_one(seed) -> None:
    """In all but one or two of its blocks a host, any, may have had to wait."""
    rng = np.random.default_rng(seed)
    survey = made.survey(cpu={"shard-1": 2.0}, seed=seed)
    cpu = {}
    for host, times in survey.cpu.items():
        bursts = rng.uniform(1.0, 3.0, len(times))
        bursts[rng.choice(len(times), 2, replace=False)] = 1.0
        cpu[host] = tuple(np.array(times) * bursts)
    assert named(estimate(replace(survey, cpu=cpu), alpha=0.01)) == [("shard-1", "CPU")]


def test_like_hosts_are_seldom_named() -> None:
    """500 sound clusters at 1 %: more than 14 false alarms have a probability of 0.04 % at most."""
    wrong = sum(bool(estimate(made.survey(seed=seed), alpha=0.01).slow) for seed in range(500))
    assert wrong <= 14


def test_three_hosts_of_which_one_is_slow_both_ways() -> None:
    hosts = ("a", "b", "c")
    verdict = made.verdict(up={"c": 0.6}, down={"c": 0.6}, hosts=hosts)
    assert verdict.slow_hosts == ("c",)
    assert verdict.link_rate == pytest.approx(made.RATE, rel=0.03)


def test_two_hosts_cannot_be_told_apart_by_a_common_link() -> None:
    """A stream from a to b is slow: a's egress or b's ingress; nothing is named as certain of both at once."""
    verdict = made.verdict(up={"a": 0.5}, hosts=("a", "b"))
    assert len(verdict.slow) <= 1


def test_what_schedulers_are_told() -> None:
    instructions = lists(made.verdict(up={"worker-1": 0.5}, cpu={"shard-0": 2.0}))
    assert (
        instructions["slurm"] == "--exclude=worker-1,shard-0"
        or instructions["slurm"] == "--exclude=shard-0,worker-1"
    )
    assert "kubectl label node worker-1 psmodel.dev/slow=true" in instructions["kubernetes"].splitlines()
    assert lists(made.verdict()) == {}


def test_unlike_hosts_that_were_accepted_are_held_against_what_they_were(tmp_path) -> None:
    unlike = {"up": {"worker-0": 0.6}, "down": {"worker-0": 0.6}, "cpu": {"shard-0": 3.0}}
    first = made.verdict(**unlike)
    assert set(first.slow_hosts) == {"worker-0", "shard-0"}
    store = tmp_path / "m.sqlite"
    assert accepted_hosts.load(store) is None
    accepted_hosts.save(first, store)
    accepted = accepted_hosts.load(store)
    again = estimate(made.survey(**unlike, seed=1), alpha=0.01, accepted=accepted)
    assert not again.slow
    unlike["up"] = {"worker-0": 0.6 * 0.85}
    worse = estimate(made.survey(**unlike, seed=2), alpha=0.01, accepted=accepted)
    assert named(worse) == [("worker-0", "up")]
    assert worse.slow[0].value == pytest.approx(0.6 * 0.85 * made.RATE, rel=0.03)
    assert "% less than when it was accepted" in worse.slow[0].sentence


@pytest.mark.parametrize("text", ["{}", "[", '{"schema_version": 1, "hosts": {"a": {"up": -1}}}'])
def test_a_damaged_file_of_hosts_is_refused(tmp_path, text: str) -> None:
    store = tmp_path / "m.sqlite"
    accepted_hosts.file_of(store).write_text(text)
    with pytest.raises(BadInput):
        accepted_hosts.load(store)
