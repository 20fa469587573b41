"""The smallest or cheapest configuration that meets its targets: proven bounds rule out, simulation decides.

>>> from psmodel.scenario import load
>>> from psmodel.whatif.sweeps import grid
>>> answer = plan(load("ingress-single"), grid("shards=1:100:1"), ["iteration_time<=1s"], minimise="shards")
>>> answer.best["shards"], answer.best["iteration_time_s"], answer.simulations, answer.considered
(16, 1.0, 1, 100)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from psmodel.errors import BadInput
from psmodel.limits import budget
from psmodel.whatif.candidates import Candidate, Objective, configurations
from psmodel.whatif.finalists import Finalist
from psmodel.whatif.judge import Certainty
from psmodel.whatif.parameter_space import Point
from psmodel.whatif.prices import load_catalogue, no_machine
from psmodel.whatif.search import Search
from psmodel.whatif.setup import Base, Setup
from psmodel.whatif.targets import COSTS, FORM, ROUNDING, Target, parse_target
from psmodel.whatif.verdicts import verdict

__all__ = ["Objective", "Plan", "pareto_front", "plan"]


_BYTES_PER_POINT, _S_PER_POINT = 100_000, 2e-3
"""What one configuration takes before anything is simulated: its row, bounds and estimate (measured)."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a search comes to.

    Attributes
    ----------
    best
        The row (as of a sweep) of the configuration that is the answer, or None.
    verdict
        In a few sentences: what it is, or which bound forbids it, and what the answer rests on.
    considered
        Configurations of the space.
    ruled_out
        How many of them a proven bound or a price ruled out without a simulation.
    tried
        The rows of those that were predicted by the deciding method, in that order; ``decision`` says whether one
        meets the targets, ``replications`` how many simulations that took.
    dominated
        How many were left out because one that was tried and misses has no less of anything, see
        `psmodel.whatif.monotone`.
    untried
        How many were left out because their estimates miss by far, or because the budget ended.
    front
        Rows, cheapest first: no configuration is both cheaper and faster (Pareto). ``method`` says what each is by.
    finalists
        Those between which a real run would decide, see `psmodel.whatif.finalists`: in the order of the objective.
    """

    targets: tuple[Target, ...]
    minimise: Objective
    best: Mapping[str, Any] | None
    verdict: str
    considered: int
    ruled_out: int
    tried: tuple[Mapping[str, Any], ...] = field(repr=False)
    dominated: int
    untried: int
    front: tuple[Mapping[str, Any], ...] = field(repr=False)
    finalists: tuple[Finalist, ...] = field(repr=False)

    @property
    def simulations(self) -> int:
        """How often the deciding method was used."""
        return sum(row["replications"] for row in self.tried)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "targets": [str(target) for target in self.targets],
            "minimise": self.minimise,
            "best": self.best and dict(self.best),
            "verdict": self.verdict,
            "considered": self.considered,
            "ruled_out": self.ruled_out,
            "simulations": self.simulations,
            "dominated": self.dominated,
            "untried": self.untried,
            "tried": [dict(row) for row in self.tried],
            "front": [dict(row) for row in self.front],
        }


def plan(
    base: Base,
    points: Sequence[Point],
    targets: Sequence[str | Target],
    *,
    minimise: Objective = "cost",
    setup: Setup | None = None,
    certainty: Certainty | None = None,
    progress: Callable[[str], None] | None = None,
) -> Plan:
    """Search a space for the smallest or cheapest configuration that meets all targets.

    By simulation (the default): a configuration whose proved bounds (`psmodel.analytic.lower_bounds`) miss a target is
    never simulated. The first by the objective that meets the targets by its estimate is; then those that are cheaper,
    the most promising first, until all have failed or their estimates miss by several times the largest error
    that estimates were seen to have, which the verdict says. Each is simulated until it is certain (`Certainty`).

    By a closed form or mean value analysis: that method's own value of every configuration is the answer.

    Parameters
    ----------
    points
        A `grid` or a Latin hypercube.
    minimise
        ``cost`` is the price of all hosts per hour.
    setup
        How to decide (by simulation, if None), with which coefficients, at whose prices (those of the example
        catalogue if it has none). Its number of replications is not used.
    progress
        Told in words what is under way.

    Raises
    ------
    BadInput
        If a target or point is not possible, or the cost is asked and no machine type is fast enough.
    """
    parsed = tuple(parse_target(t) if isinstance(t, str) else t for t in targets)
    if not parsed:
        raise BadInput(f"give at least one target; {FORM}")
    if minimise not in get_args(Objective):
        raise BadInput(f"minimise = {minimise!r}; it is one of {', '.join(get_args(Objective))}")
    setup = setup or Setup(method="simulate")
    catalogue = setup.catalogue or load_catalogue()
    setup = replace(setup, catalogue=catalogue)
    tell = progress or (lambda text: None)
    budget.check(
        budget.Need(
            what=f"a plan of {len(points)} configurations",
            fewer="configurations",
            memory_bytes=_BYTES_PER_POINT * float(len(points)),
            time_s=_S_PER_POINT * len(points),
        )
    )
    space = list(configurations(base, points, setup, catalogue, tell))
    by_price = minimise == "cost" or any(t.name in COSTS for t in parsed)
    priced = [c for c in space if c.price is not None or not by_price]
    if not priced:
        raise no_machine(space[0].scenario, catalogue)
    search = Search(parsed, minimise, setup, certainty or Certainty(), len(space), tell)
    search.go(priced)
    return _plan(search, space, points)


def _plan(search: Search, space: Sequence[Candidate], points: Sequence[Point]) -> Plan:
    rows = {id(c): j.row for c, j in search.judgements}
    return Plan(
        targets=search.targets,
        minimise=search.minimise,
        best=search.best[1].row if search.best else None,
        verdict=verdict(search, points),
        considered=len(space),
        ruled_out=len(space) - len(search.possible),
        tried=tuple(rows.values()),
        dominated=len(search.dominated),
        untried=len(search.untried),
        front=pareto_front([rows.get(id(c), c.estimate) for c in space]),
        finalists=search.finalists(),
    )


def pareto_front(rows: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The rows (of a sweep with prices) that no other beats in both cost per hour and iteration time."""
    priced = [row for row in rows if row["cost_per_hour"] is not None]
    front: list[Mapping[str, Any]] = []
    for row in sorted(priced, key=lambda r: (r["cost_per_hour"], r["iteration_time_s"])):
        if not front or row["iteration_time_s"] < front[-1]["iteration_time_s"] * (1 - ROUNDING):
            front.append(row)
    return tuple(front)
