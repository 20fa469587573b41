"""Max–min fair rates against linear programs and textbook filling, after any number of ends."""

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel.network.fluid import Fluid
from tests.reference.fluid_reference import Bundle, filling_rates, lp_rates

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="the extra `fast` is not here"
)
WAYS = [pytest.param(False, id="python"), pytest.param(True, id="compiled", marks=needs_numba)]

capacities = st.floats(0.1, 10)
weights = st.integers(1, 5).map(float)


@st.composite
def problems(draw: st.DrawFn, most_links: int = 5, most_flows: int = 6) -> tuple[list[float], list[Bundle]]:
    """Links 1 … L and flows that pass through any of them."""
    capacity = draw(st.lists(capacities, min_size=1, max_size=most_links))
    links = st.integers(1, len(capacity))
    bundles = st.builds(
        Bundle,
        path=st.dictionaries(links, weights, min_size=1, max_size=4),
        limit=st.just(math.inf) | capacities,
    )
    return capacity, draw(st.lists(bundles, min_size=1, max_size=most_flows))


def start(fluid: Fluid, capacity: Sequence[float], bundles: Sequence[Bundle]) -> list[int]:
    links = [fluid.add_link(limit) for limit in capacity]
    return [
        fluid.add(
            [links[link - 1] for link in bundle.path], [*bundle.path.values()], bundle.amount, bundle.limit
        )
        for bundle in bundles
    ]


def solve(compiled: bool, capacity: Sequence[float], bundles: Sequence[Bundle]) -> list[float]:
    fluid = Fluid(compiled=compiled)
    flows = start(fluid, capacity, bundles)
    fluid.settle(0.0)
    return [fluid.rate(flow) for flow in flows]


def as_mapping(capacity: Sequence[float]) -> dict[int, float]:
    return dict(enumerate(capacity, 1))


@pytest.mark.parametrize("compiled", WAYS)
@given(problem=problems())
def test_rates_are_those_of_the_linear_programs(compiled, problem) -> None:
    capacity, bundles = problem
    rates = solve(compiled, capacity, bundles)
    assert rates == pytest.approx(lp_rates(as_mapping(capacity), bundles), rel=1e-8)


@pytest.mark.parametrize("compiled", WAYS)
@given(problem=problems(most_links=12, most_flows=40))
def test_rates_are_those_of_textbook_filling_and_fit_the_links(compiled, problem) -> None:
    capacity, bundles = problem
    rates = solve(compiled, capacity, bundles)
    assert rates == pytest.approx(filling_rates(as_mapping(capacity), bundles), rel=1e-9)
    for link, limit in as_mapping(capacity).items():
        used = sum(rate * bundle.path.get(link, 0.0) for rate, bundle in zip(rates, bundles, strict=True))
        assert used <= limit * (1 + 1e-12)


@pytest.mark.parametrize("compiled", WAYS)
@given(problem=problems(most_links=8, most_flows=20), sizes=st.lists(capacities, min_size=20, max_size=20))
def test_rates_are_right_after_every_end(compiled, problem, sizes) -> None:
    """What an end changes is repaired, never worked out anew: the rates must still be those of all that is left."""
    capacity, bundles = problem
    bundles = [replace(bundle, amount=amount) for bundle, amount in zip(bundles, sizes, strict=False)]
    fluid = Fluid(compiled=compiled)
    left = dict(zip(start(fluid, capacity, bundles), bundles, strict=True))
    now = 0.0
    while True:
        now = fluid.settle(now)
        if not left:
            break
        for flow in fluid.end(now):
            del left[flow]
        fluid.settle(now)
        rates = [fluid.rate(flow) for flow in left]
        assert rates == pytest.approx(filling_rates(as_mapping(capacity), [*left.values()]), rel=1e-9)


@pytest.mark.parametrize("compiled", WAYS)
@given(capacity=st.lists(capacities, min_size=1, max_size=30))
def test_parking_lot(compiled, capacity) -> None:
    """A flow over all links beside one of each link's own: half of the narrowest, and what that leaves."""
    path = dict.fromkeys(range(1, len(capacity) + 1), 1.0)
    bundles = [Bundle(path=path), *(Bundle(path={link: 1.0}) for link in path)]
    along = min(capacity) / 2
    rates = solve(compiled, capacity, bundles)
    assert rates == pytest.approx([along, *(limit - along for limit in capacity)], rel=1e-12)


@needs_numba
@pytest.mark.parametrize("flows", [600, 3000])
def test_many_flows_get_the_same_rates_both_ways(flows) -> None:
    rng = np.random.default_rng(flows)
    links = 80
    capacity = rng.uniform(1, 2, links).tolist()
    bundles = [
        Bundle(
            path={
                int(link): float(rng.integers(1, 4))
                for link in rng.choice(links, rng.integers(1, 5), replace=False) + 1
            },
            limit=float(rng.choice([math.inf, rng.uniform(0.001, 0.1)])),
        )
        for _ in range(flows)
    ]  # fmt: skip
    rates = solve(True, capacity, bundles)
    assert rates == pytest.approx(filling_rates(as_mapping(capacity), bundles), rel=1e-9)
    assert rates == solve(False, capacity, bundles)
