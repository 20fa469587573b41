"""`psmodel schema` says what the reader takes: neither refuses what the other takes, as far as a schema can say it."""

import copy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel.scenario import Scenario, ScenarioError, from_mapping, packaged
from validate.suites import suite

SCHEMA = Scenario.model_json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def plain(value: Any) -> Any:
    """With lists for tuples, as JSON has them."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def written() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, file in packaged().items():
        yield name, tomllib.loads(file.read_text(encoding="utf-8"))
    for name in suite.packaged():
        for scenario in suite.load(name).scenarios:
            yield f"{name}: {scenario.name}", plain(scenario.to_settings())


WRITTEN = dict(written())


@pytest.mark.parametrize("name", WRITTEN)
def test_every_scenario_of_the_package_is_valid(name: str) -> None:
    VALIDATOR.validate(WRITTEN[name])
    from_mapping(WRITTEN[name])


BASE: dict[str, Any] = {"workers": 2, "shards": 2, "model_size": "8MB", "bandwidth": "1Gbps"}
REFUSED: list[dict[str, Any]] = [
    {"bandwidth": 10e9}, {"bandwidth": 10}, {"bandwidth": "10"}, {"bandwidth": "10 gbps"}, {"bandwidth": "1 GBps"},
    {"bandwidth": "10Gb"}, {"bandwidth": True}, {"bandwidth": {"worker_up": "1Gbps"}}, {"bandwidth": "-1Gbps"},
    {"bandwidth": dict.fromkeys(("worker_up", "worker_down", "shard_up", "shard_down"), 1e9)},
    {"model_size": 100}, {"model_size": "1__0MB"}, {"model_size": "100"}, {"model_size": None, "elements": "350M"},
    {"compute": 0.5}, {"compute": {"kind": "exponential", "mean": 1}}, {"compute": {"kind": "weibull"}},
    {"compute": "x"},
    {"compute": {"kind": "lognormal", "mean": "1 s", "cv": 1e9}}, {"workers": True}, {"workers": 0}, {"shards": 1.5},
    {"workers": 10**7}, {"mode": "psb"}, {"racks": {"count": 0}}, {"racks": {"count": 10**9}}, {"shardz": 1},
    {"compute_factors": [1e300, 1]}, {"shard_weights": [-1, 1]}, {"seed": -1}, {"name": "x" * 1000}, {"name": "a\nb"},
    {"stragglers": {"rate": 1, "slowdown": 2, "duration": 1}}, {"failures": [{"role": "shard", "at": 1}]},
    {"background": [{"link": "shard-0.sideways", "rate": "1Gbps"}]}, {"propagation_delay": 1}, {"layers": [{}]},
]  # fmt: skip


@pytest.mark.parametrize("change", REFUSED, ids=str)
def test_what_the_reader_refuses_the_schema_refuses(change: dict[str, Any]) -> None:
    values = BASE | change
    with pytest.raises(ScenarioError):
        from_mapping(values)
    assert not VALIDATOR.is_valid(values)


NUMBERS = st.sampled_from(
    ["0", "1", "10", "+2", "1_000", "1.5", ".5", "1e3", "1__0", "-1", "", "x", "1e", "0x1"]
)
UNITS = st.sampled_from(
    ["", "B", "MB", "MiB", "mb", "Gbps", "gbps", "GBps", "Gbit/s", "GB/s", "Gb", "ms", "s", "sec", "m"]
)
SPACES = st.sampled_from(["", " ", "  "])
QUANTITIES = st.builds("".join, st.tuples(SPACES, NUMBERS, SPACES, UNITS, SPACES))


@given(key=st.sampled_from(["bandwidth", "model_size", "compute", "propagation_delay"]), text=QUANTITIES)
def test_a_quantity_is_one_to_both_or_to_neither(key: str, text: str) -> None:
    values = copy.deepcopy(BASE) | {key: text}
    try:
        from_mapping(values)
        valid = True
    except ScenarioError as error:
        # A schema knows patterns, not sizes: no bandwidth of 0, no model of half a number.
        if any(
            words in str(error)
            for words in ("at least 1 bit/s", "whole number", "is not a multiple", "more than the model has")
        ):
            return
        valid = False
    assert VALIDATOR.is_valid(values) == valid


def test_what_is_resolved_is_written_so_that_it_reads_back_exactly(tmp_path: Path) -> None:
    for values in WRITTEN.values():
        scenario = from_mapping(values)
        assert from_mapping(scenario.to_settings()) == scenario
        assert Scenario.from_json(scenario.to_json()) == scenario


@pytest.mark.parametrize(
    "count",
    [1, 10**17, "1.2 billion", "1.2e9", "1_000", " 12 Thousand ", "350M", "1.2B", "350MB", 0, 10**17 + 1],
)
def test_numbers_of_elements_are_taken_as_the_schema_says(count: int | str) -> None:
    values = {"workers": 1, "shards": 1, "elements": count, "placement": "single-host"}
    try:
        from_mapping(values)
    except ScenarioError:
        assert not VALIDATOR.is_valid(values)
    else:
        assert VALIDATOR.is_valid(values)
