"""Spaces of scenarios: what can be written, what it means, and what is refused in one sentence."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel.errors import BadInput
from psmodel.scenario import load
from psmodel.whatif.parameter_space import Axis, Grid, latin_hypercube, parse_axis, resolve, settings


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("workers=1:256:x2", (1, 2, 4, 8, 16, 32, 64, 128, 256)),
        ("workers=1:10:3", (1, 4, 7, 10)),
        ("shards=1,2,4", (1, 2, 4)),
        ("bandwidth=10Gbps:40Gbps:10Gbps", ("10Gbps", "20Gbps", "30Gbps", "40Gbps")),
        ("model-size=100MB", ("100MB",)),
        ("compute=0.1s:0.3s:0.1s", ("0.1s", "0.2s", "0.3s")),
        ("push=blocking,sequential", ("blocking", "sequential")),
        ('compute={ kind = "exponential", mean = "1 s" },"2 s"', ({"kind": "exponential", "mean": "1 s"}, "2 s")),
    ],
)  # fmt: skip
def test_an_axis_is_what_was_written(text: str, values: tuple[object, ...]) -> None:
    assert parse_axis(text).values == values


@pytest.mark.parametrize(
    "text",
    ["workers", "workers=", "=1", "workers=1:x2", "workers=8:1:x2", "workers=0:8:x2", "workers=1:8:x1",
     "workers=1:8:0", "bandwidth=1Gbps:2Mbps:1Gbps", "shards=1,,2", "shards=a:b:c", "shards=1:1e9:1",
     "w=7:77:7777E777777777777", "w=1:2:1e-999999999999", "w=1:2:x1e9999999", "w=1:1e99999999999999999999:1",
     "w=1:8:x1.00000000000000000000001"],
)  # fmt: skip
def test_a_bad_axis_is_one_sentence_that_quotes_it(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_axis(text)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_step_that_is_lost_in_rounding_ends() -> None:
    assert parse_axis("seed=1e30:1e30:1e-5").values == (10**30,)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_a_grid_is_the_product_of_its_axes(lengths: list[int]) -> None:
    grid = Grid(axes=tuple(Axis(key=f"k{i}", values=tuple(range(n))) for i, n in enumerate(lengths)))
    expected = [dict(zip([a.key for a in grid.axes], v, strict=True))
                for v in itertools.product(*(range(n) for n in lengths))]  # fmt: skip
    assert list(grid) == expected == [grid[i] for i in range(len(grid))] == grid[:]
    assert len(grid) == math.prod(lengths)
    with pytest.raises(IndexError):
        grid[len(grid)]


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="shards"):
        Grid(axes=(Axis(key="shards", values=(1,)), Axis(key="shards", values=(2,))))
    with pytest.raises(BadInput, match=r"'bandwidth' is given, and 'bandwidth\.shard_up', a part of it"):
        Grid(axes=(Axis(key="bandwidth.shard_up", values=(1,)), Axis(key="bandwidth", values=(2,))))
    with pytest.raises(BadInput, match="'shards' is given twice"):
        latin_hypercube(("shards=1:4", "shards=1:9"), samples=3, seed=0)


@given(st.integers(1, 50), st.integers(0, 2**32))
def test_a_latin_hypercube_hits_every_slice_once(samples: int, seed: int) -> None:
    points = latin_hypercube(("compute=0s:1s", "propagation_delay=1s:100s:log"), samples=samples, seed=seed)
    even = np.array([float(p["compute"].removesuffix("s")) for p in points])
    log = np.array([float(p["propagation_delay"].removesuffix("s")) for p in points])
    slices = set(range(samples))
    assert set(np.floor(even * samples).astype(int)) == slices
    assert set(np.floor(np.log10(log) / 2 * samples).astype(int)) == slices
    again = latin_hypercube(("compute=0s:1s", "propagation_delay=1s:100s:log"), samples=samples, seed=seed)
    assert points == again


def test_whole_numbers_reach_both_ends() -> None:
    values = {p["shards"] for p in latin_hypercube(("shards=1:4",), samples=100, seed=1)}
    assert values == {1, 2, 3, 4}


@pytest.mark.parametrize("text", ["shards=4:1", "shards=0:4:log", "bandwidth=1Gbps:2Mbps", "shards=1:4:lin"])
def test_a_bad_range_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        latin_hypercube((text,), samples=3, seed=0)


def test_a_point_changes_what_it_names_and_nothing_else() -> None:
    base = load("ingress-single")
    changed = resolve(base, {"bandwidth.shard_down": "20Gbps", "shards": 2})
    assert changed.bandwidth is not None
    assert dict(changed.bandwidth) == {"worker_up": 1.25e9, "worker_down": 1.25e9, "shard_up": 1.25e9,
                                       "shard_down": 2.5e9}  # fmt: skip
    assert changed == base.replace(bandwidth=changed.bandwidth.model_dump(), shards=2)
    assert resolve({"workers": 3, "model_size": "8MB", "bandwidth": "1Gbps"}, {"shards": 2}).shards == 2


def test_settings_are_si_scalars() -> None:
    scenario = resolve(load("ingress-single"), {"bandwidth": "20Gbps", "compute": "80 ms", "mode": "asp"})
    assert settings(scenario, {"bandwidth": 0, "compute": 0, "mode": 0, "bandwidth.shard_up": 0}) == {
        "bandwidth": 2.5e9, "compute": 0.08, "mode": "asp", "bandwidth.shard_up": 2.5e9}  # fmt: skip
