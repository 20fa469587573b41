"""Max–min fair rates against linear programs, and the solvers against each other."""

import importlib.util
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel.simulation.maxmin import BestSolver, Solver, link_level, numba_solver, numpy_solver
from tests.fluid_reference import Bundle, filling_rates, lp_rates

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="the extra `fast` is not here"
)
SOLVERS = [
    pytest.param(lambda: numpy_solver, id="numpy"),
    pytest.param(numba_solver, id="numba", marks=needs_numba),
]

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


def solve(
    solver: Solver,
    capacity: Sequence[float],
    bundles: Sequence[Bundle],
    rates: Sequence[float] | None = None,
    floor: float = 0.0,
) -> list[float]:
    width = max(len(bundle.path) for bundle in bundles)
    paths = np.zeros((width, len(bundles)), dtype=np.intp)
    counts = np.zeros((width, len(bundles)))
    for column, bundle in enumerate(bundles):
        for row, (link, weight) in enumerate(bundle.path.items()):
            paths[row, column], counts[row, column] = link, weight
    before = np.zeros(len(bundles)) if rates is None else np.array(rates)
    limits = np.array([bundle.limit for bundle in bundles])
    return solver(np.array([math.inf, *capacity]), paths, counts, limits, before, floor).tolist()


def as_mapping(capacity: Sequence[float]) -> dict[int, float]:
    return dict(enumerate(capacity, 1))


@pytest.mark.parametrize("make_solver", SOLVERS)
@given(problem=problems())
def test_rates_are_those_of_the_linear_programs(make_solver, problem) -> None:
    capacity, bundles = problem
    rates = solve(make_solver(), capacity, bundles)
    assert rates == pytest.approx(lp_rates(as_mapping(capacity), bundles), rel=1e-8)


@pytest.mark.parametrize("make_solver", SOLVERS)
@given(problem=problems(most_links=12, most_flows=40))
def test_rates_are_those_of_textbook_filling_and_fit_the_links(make_solver, problem) -> None:
    capacity, bundles = problem
    rates = solve(make_solver(), capacity, bundles)
    assert rates == pytest.approx(filling_rates(as_mapping(capacity), bundles), rel=1e-9)
    for link, limit in as_mapping(capacity).items():
        used = sum(rate * bundle.path.get(link, 0.0) for rate, bundle in zip(rates, bundles, strict=True))
        assert used <= limit * (1 + 1e-12)


@pytest.mark.parametrize("make_solver", SOLVERS)
@given(problem=problems(most_links=8, most_flows=20), ended=st.integers(0, 19))
def test_rates_below_that_of_an_ended_flow_stay(make_solver, problem, ended) -> None:
    capacity, bundles = problem
    ended %= len(bundles)
    before = solve(make_solver(), capacity, bundles)
    rest = [bundle for i, bundle in enumerate(bundles) if i != ended]
    if rest:
        kept = [rate for i, rate in enumerate(before) if i != ended]
        after = solve(make_solver(), capacity, rest, rates=kept, floor=before[ended])
        assert after == pytest.approx(solve(make_solver(), capacity, rest), rel=1e-9)


@pytest.mark.parametrize("make_solver", SOLVERS)
@given(capacity=st.lists(capacities, min_size=1, max_size=30))
def test_parking_lot(make_solver, capacity) -> None:
    """A flow over all links beside one of each link's own: half of the narrowest, and what that leaves."""
    path = dict.fromkeys(range(1, len(capacity) + 1), 1.0)
    bundles = [Bundle(path=path), *(Bundle(path={link: 1.0}) for link in path)]
    along = min(capacity) / 2
    rates = solve(make_solver(), capacity, bundles)
    assert rates == pytest.approx([along, *(limit - along for limit in capacity)], rel=1e-12)


@given(
    capacity=capacities,
    flows=st.lists(
        st.tuples(st.integers(0, 5).map(float), st.just(math.inf) | capacities), min_size=1, max_size=9
    ),
)
def test_one_link_alone_is_filled_as_by_the_general_solver(capacity, flows) -> None:
    on_link = [Bundle(path={1: weight}, limit=limit) for weight, limit in flows if weight]
    level = link_level(capacity, *(np.array(column) for column in zip(*flows, strict=True)))
    expected = filling_rates({1: capacity}, on_link) if on_link else []
    assert [min(level, bundle.limit) for bundle in on_link] == pytest.approx(expected, rel=1e-9)


@needs_numba
@pytest.mark.parametrize("flows", [600, 3000])
def test_many_flows_get_the_same_rates_from_both_solvers(flows) -> None:
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
    expected = solve(numpy_solver, capacity, bundles)
    assert solve(numba_solver(), capacity, bundles) == pytest.approx(expected, rel=1e-9)
    best = BestSolver()
    for _ in range(1 + 200_000 // flows):  # by NumPy at first, by Numba in the end
        rates = solve(best, capacity, bundles)
    assert rates == pytest.approx(expected, rel=1e-9)
