"""The sentences of a plan as a capacity planner reads them: which machines, how many, and no rounding noise."""

import re
from typing import Any

import pytest

from psmodel.scenario import load
from psmodel.whatif.plans import plan
from psmodel.whatif.sweeps import grid

BASE = load("ingress-single", workers=6)


def verdict(*axes: str, target: str = "iteration_time<=1s", **changes: Any) -> str:
    return plan(BASE.replace(**changes), grid(*axes), [target]).verdict


def test_a_machine_that_was_chosen_is_named() -> None:
    text = verdict("shards=1:6:1", bandwidth="25Gbps")
    machine = re.search(r"for 6 \+ 1 hosts of type (\S+), the cheapest that suffices", text)
    assert machine is not None, text
    price = plan(BASE, grid("shards=1", f"machine={machine[1]}"), ["iteration_time<=1s"])
    assert f"for 6 + 1 hosts of type {machine[1]};" in price.verdict
    assert price.best is not None
    assert text.split(" USD")[0].split()[-1] == price.verdict.split(" USD")[0].split()[-1]


def test_two_types_and_shared_hosts_are_counted() -> None:
    machines = ("worker_machine=c5.9xlarge", "shard_machine=c5.18xlarge")
    two = verdict("shards=3", *machines, target="iteration_time<=9s")
    assert "for 6 hosts of type c5.9xlarge and 3 of type c5.18xlarge;" in two
    assert "for 6 hosts of type" in verdict("shards=3", placement="colocated")
    assert "for one host of type" in verdict("shards=3", placement="single-host", compute="10 ms")
    assert "for 3 + 2 hosts of type" in verdict("shards=4", shards_per_host=2, workers_per_host=2)


def test_computing_is_called_computing() -> None:
    assert "; computing (worker CPU) binds." in verdict(
        "shards=6", target="iteration_time<=9s", compute="2 s"
    )


def test_workers_that_stay_in_step_anyway_are_explained() -> None:
    sentence = "equal workers stay in step although no barrier holds them"
    assert sentence in verdict("shards=6", mode="asp")
    assert sentence not in verdict("shards=6")
    assert sentence not in verdict(
        "shards=6", mode="asp", iterations=3, compute={"kind": "gamma", "mean": "10 ms", "cv": 0.2}
    )


@pytest.mark.parametrize(
    "target",
    [
        "iteration_time<=1s",
        "communication_share<=99%",
        "goodput>=1Gbps",
        "cost_per_1000_iterations<=123456.789",
    ],
)
def test_no_number_has_more_than_four_digits_or_rounding_noise(target: str) -> None:
    random = {"kind": "gamma", "mean": "33.333333 ms", "cv": 0.2}
    for changes in ({}, {"compute": "0.1 s"}, {"compute": random, "iterations": 4}):
        text = verdict("shards=1:7:1", "bandwidth=3Gbps,7Gbps,9.87654321Gbps", target=target, **changes)
        assert not re.search(r"\de-\d", text), text
        for number in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?", text):
            assert len(number.replace(",", "").replace(".", "").strip("0")) <= 4, (number, text)
