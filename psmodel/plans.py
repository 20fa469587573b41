"""The smallest or cheapest configuration that meets its targets: bounds rule out, the simulation confirms.

>>> from psmodel.scenario import load
>>> from psmodel.sweeps import grid
>>> found = plan(load("ingress-single"), grid("shards=1:100:1"), ["iteration_time<=1s"], minimise="shards")
>>> found.best["shards"], found.best["iteration_time_s"], found.simulations, found.considered
(16, 1.0, 1, 100)
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from psmodel.cost import MACHINE_KEYS, Catalogue, load_catalogue, machines_for, no_machine, price_per_hour
from psmodel.errors import BadInput
from psmodel.floor import Floor, floor
from psmodel.methods import Calibrated, predictor
from psmodel.results import Metrics
from psmodel.scenario import Scenario
from psmodel.space import Point, settings, varying, written
from psmodel.sweeps import Base, Setup, sweep
from psmodel.units import format_time, parse_time

Objective = Literal["cost", "shards", "workers"]
_METRICS = tuple(f.name for f in fields(Metrics))
_COSTS = ("cost_per_hour", "cost_per_1000_iterations")
_TARGET = re.compile(r"\s*(\w+)\s*(<=|>=)\s*(.+?)\s*")
_FORM = 'write a target like "iteration_time<=0.5s" or "updates_per_s>=100"'
_SAME = 1e-9
"""A target is met up to rounding: 0.1 + 0.2 meets 0.3."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A metric (or cost) and the most, or the least, that it may be; s for times."""

    name: str
    at_most: bool
    value: float

    def met(self, value: float | None) -> bool:
        """Whether a value is good enough; an unknown one is not."""
        if value is None:
            return False
        slack = _SAME * abs(self.value)
        return value <= self.value + slack if self.at_most else value >= self.value - slack

    def distance(self, value: float | None) -> float:
        """Ratio by which a value misses: 1 or less where it meets the target."""
        if value is None or min(value, self.value) <= 0:
            return 0.0 if self.met(value) else float("inf")
        return value / self.value if self.at_most else self.value / value

    def __str__(self) -> str:
        return f"{self.name} {'<=' if self.at_most else '>='} {_text(self.name, self.value)}"


def _text(name: str, value: float) -> str:
    return format_time(value) if "time" in name else f"{value:.6g}"


def parse_target(text: str) -> Target:
    """A target from ``metric<=value`` or ``metric>=value``; the ``_s`` of a time's name may be left out.

    Raises
    ------
    BadInput
        If it cannot be read, or there is no such metric.

    >>> str(parse_target("iteration_time<=500ms"))
    'iteration_time_s <= 500 ms'
    """
    match = _TARGET.fullmatch(text)
    if match is None:
        raise BadInput(f"--target {text!r} cannot be read; {_FORM}")
    name, sign, written = match.groups()
    known = (*_METRICS, *_COSTS)
    full = name if name in known else f"{name}_s"
    if full not in known:
        raise BadInput(f"--target {text!r}: there is no {name!r}; there are {', '.join(known)}")
    is_time = full.endswith("_s") and full != "updates_per_s"
    try:
        value = parse_time(written) if is_time else float(written)
    except ValueError as error:
        reason = str(error) if is_time else f"{written!r} is not a number"
        raise BadInput(f"--target {text!r}: {reason}") from None
    return Target(name=full, at_most=sign == "<=", value=value)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a search found.

    Attributes
    ----------
    best
        The row (as of a sweep) of the configuration found, or None.
    verdict
        In one or two sentences: what it is, or which bound forbids it.
    considered
        Configurations of the space.
    ruled_out
        How many of them a bound or a price ruled out without a simulation.
    tried
        The rows of those that were predicted by the confirming method, in that order.
    front
        Closed-form rows, cheapest first: no configuration is both cheaper and faster (Pareto).
    """

    targets: tuple[Target, ...]
    minimise: Objective
    best: Mapping[str, Any] | None
    verdict: str
    considered: int
    ruled_out: int
    tried: tuple[Mapping[str, Any], ...] = field(repr=False)
    front: tuple[Mapping[str, Any], ...] = field(repr=False)

    @property
    def simulations(self) -> int:
        """Configurations that were predicted by the confirming method."""
        return len(self.tried)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "targets": [str(target) for target in self.targets],
            "minimise": self.minimise,
            "best": self.best and dict(self.best),
            "verdict": self.verdict,
            "considered": self.considered,
            "ruled_out": self.ruled_out,
            "tried": [dict(row) for row in self.tried],
            "front": [dict(row) for row in self.front],
        }


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    point: Point
    scenario: Scenario
    floor: Floor
    price: float | None

    def known(self, target: Target) -> float | None:
        """The best value that the target's metric can have."""
        return self.price if target.name == "cost_per_hour" else self.floor.best.get(target.name)

    def may_meet(self, target: Target) -> bool:
        best = self.known(target)
        return best is None or target.met(best)

    def misses_by(self, targets: Sequence[Target]) -> tuple[float, int]:
        """The largest ratio by which its bounds miss a target, and which."""
        ratios = [0.0 if (b := self.known(t)) is None else t.distance(b) for t in targets]
        return max((ratio, index) for index, ratio in enumerate(ratios))


def plan(
    base: Base,
    points: Sequence[Point],
    targets: Sequence[str | Target],
    *,
    minimise: Objective = "cost",
    setup: Setup | None = None,
) -> Plan:
    """Search a space for the smallest or cheapest configuration that meets all targets.

    A configuration whose lower bounds (`psmodel.floor`) miss a target is never simulated. The others are, the
    smallest or cheapest first, until one meets the targets: it is the optimum, for all before it have failed.

    Parameters
    ----------
    points
        A `grid` or a Latin hypercube.
    minimise
        ``cost`` is the price of all hosts per hour.
    setup
        How to confirm (by simulation, if None), with which coefficients, at whose prices (those of the example
        catalogue if it has none).

    Raises
    ------
    BadInput
        If a target or point is not possible, or the cost is asked and no machine type is fast enough.
    """
    wanted = tuple(parse_target(t) if isinstance(t, str) else t for t in targets)
    if not wanted:
        raise BadInput(f"there is no target; {_FORM}")
    if minimise not in get_args(Objective):
        raise BadInput(f"minimise = {minimise!r}; it is one of {', '.join(get_args(Objective))}")
    setup = setup or Setup(method="simulate")
    catalogue = setup.catalogue or load_catalogue()
    setup = replace(setup, catalogue=catalogue)
    candidates = _candidates(base, points, setup, catalogue)
    by_price = minimise == "cost" or any(t.name in _COSTS for t in wanted)
    priced = [c for c in candidates if c.price is not None or not by_price]
    if not priced:
        raise no_machine(candidates[0].scenario, catalogue)
    possible = [c for c in priced if all(c.may_meet(t) for t in wanted)]
    possible.sort(key=lambda c: (_objective(c, minimise), c.floor.best["iteration_time_s"]))
    quick = replace(setup, known=Calibrated(best=setup.known.best))
    predict = predictor(setup.method, replications=setup.replications)
    tried = []
    best = None
    for candidate in possible:
        row = quick.row(candidate.scenario, candidate.point, predict)
        tried.append(row)
        if all(target.met(row[target.name]) for target in wanted):
            best = setup.row(candidate.scenario, candidate.point, predict) if setup.known.draws else row
            break
    return Plan(
        targets=wanted,
        minimise=minimise,
        best=best,
        verdict=_found(best, points) if best else _none(wanted, priced, tried, points),
        considered=len(candidates),
        ruled_out=len(candidates) - len(possible),
        tried=tuple(tried),
        front=pareto_front(sweep(base, points, replace(quick, method="analytic"), processes=1).to_rows()),
    )


def _candidates(base: Base, points: Sequence[Point], setup: Setup, catalogue: Catalogue) -> list[_Candidate]:
    found = []
    for point in points:
        scenario = setup.scenario(base, point)
        machines = machines_for(scenario, point, catalogue)
        found.append(
            _Candidate(
                point=point,
                scenario=scenario,
                floor=floor(scenario, setup.known.best),
                price=None if machines is None else price_per_hour(scenario, machines),
            )
        )
    return found


def _objective(candidate: _Candidate, minimise: Objective) -> float:
    if minimise == "cost":
        assert candidate.price is not None
        return candidate.price
    return float(getattr(candidate.scenario, minimise))


def pareto_front(rows: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The rows (of a sweep with prices) that no other beats in both cost per hour and iteration time."""
    priced = [row for row in rows if row["cost_per_hour"] is not None]
    front: list[Mapping[str, Any]] = []
    for row in sorted(priced, key=lambda r: (r["cost_per_hour"], r["iteration_time_s"])):
        if not front or row["iteration_time_s"] < front[-1]["iteration_time_s"] * (1 - _SAME):
            front.append(row)
    return tuple(front)


def _named(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {written(key, value)}" for key, value in values.items())


def _found(best: Mapping[str, Any], points: Sequence[Point]) -> str:
    where = {key: best[key] for key in varying(points)}
    return (
        f"{_named(where) or best['scenario']}: {format_time(best['iteration_time_s'])} per iteration"
        + ("" if best["cost_per_hour"] is None else
           f", {best['cost_per_hour']:,.2f} {best['currency']} per hour "
           f"({best['cost_per_1000_iterations']:,.2f} per 1000 iterations)")
        + f"; {best['bottleneck']} binds."
    )  # fmt: skip


def _none(
    targets: Sequence[Target],
    candidates: Sequence[_Candidate],
    tried: Sequence[Mapping[str, Any]],
    points: Sequence[Point],
) -> str:
    if tried:
        row = min(tried, key=lambda r: max(t.distance(r[t.name]) for t in targets))
        worst = max(targets, key=lambda t: t.distance(row[t.name]))
        named = _named({key: row[key] for key in varying(points)}) or row["scenario"]
        value = "unknown" if row[worst.name] is None else _text(worst.name, row[worst.name])
        return (
            f"No configuration of the {len(candidates)} meets the targets. The bounds leave {len(tried)}, and all "
            f"of them fail: the nearest, {named}, has {worst.name} = {value} "
            f"where {worst} is asked; {row['bottleneck']} binds."
        )
    nearest = min(candidates, key=lambda c: c.misses_by(targets))
    target = targets[nearest.misses_by(targets)[1]]
    best = nearest.known(target)
    assert best is not None
    chosen = {key: nearest.point[key] for key in varying(points)}
    machines = {key: value for key, value in chosen.items() if key in MACHINE_KEYS}
    named = _named(
        machines | settings(nearest.scenario, {k: v for k, v in chosen.items() if k not in machines})
    )
    least = "least" if target.at_most else "most"
    sentence = (
        f"No configuration of the {len(candidates)} meets {target}: the nearest, {named or nearest.scenario.name}, "
        f"has at {least} {_text(target.name, best)}"
    )
    return sentence + ("." if target.name in _COSTS else f". Its bounds: {nearest.floor.reason}.")
