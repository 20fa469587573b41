"""The sentences of a plan: its answer and the evidence for it."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from psmodel.whatif.parameter_space import Point, four_digits, settings, varying, written
from psmodel.whatif.prices import MACHINE_KEYS
from psmodel.whatif.targets import COSTS, Target

if TYPE_CHECKING:
    from psmodel.whatif.candidates import Candidate
    from psmodel.whatif.search import Search

METHODS = {"analytic": "closed forms", "mva": "mean value analysis", "simulate": "simulation"}


def verdict(search: "Search", points: Sequence[Point]) -> str:
    """The answer of a search in a few sentences."""
    if search.best is not None:
        candidate, judgement = search.best
        sentences = [_answer(candidate, judgement.row, search.targets, points)]
    elif not search.possible:
        sentences = [_forbidden(search, points)]
    elif any(judgement.decision == "undecided" for _, judgement in search.judgements):
        sentences = ["Undecided within the budget."]
    elif search.budget_ended:
        sentences = [
            f"Undecided within the budget: none of the {len(search.judgements)} that were simulated meets the targets."
        ]
    else:
        sentences = [_all_fail(search, points)]
    return " ".join([*sentences, *_rests_on(search, points)])


def named(row: Mapping[str, Any], points: Sequence[Point]) -> str:
    """A row by the settings that vary, or its scenario's name where nothing does."""
    return _settings({key: row[key] for key in varying(points)}) or str(row["scenario"])


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {written(key, value)}" for key, value in values.items())


def _value(row: Mapping[str, Any], name: str) -> str:
    """A metric of a row with its half width, unless that is rounding."""
    text, half = written(name, row[name]), row.get(f"{name}_half_width")
    return text + (f" ± {written(name, half)}" if half and half > 1e-9 * abs(row[name]) else "")


def title(name: str) -> str:
    """A metric in words."""
    for unit in ("_bytes_per_s", "_per_s", "_s"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def _answer(
    candidate: "Candidate", best: Mapping[str, Any], targets: Sequence[Target], points: Sequence[Point]
) -> str:
    extra = "".join(
        f", {title(target.name)} {_value(best, target.name)}"
        for target in targets
        if target.name not in ("iteration_time_s", *COSTS)
    )
    price = (
        ""
        if best["cost_per_hour"] is None
        else f", {four_digits(best['cost_per_hour'])} {best['currency']} per hour "
        f"({four_digits(best['cost_per_1000_iterations'])} per 1000 iterations) for {_hosts(candidate, best)}"
    )
    time = _value(best, "iteration_time_s")
    return f"{named(best, points)}: {time} per iteration{extra}{price}; {_binding(best)} binds."


def _hosts(candidate: "Candidate", row: Mapping[str, Any]) -> str:
    """How many hosts of which machine types a price is of."""
    scenario = candidate.scenario
    worker, shard = row["worker_machine"], row["shard_machine"]
    match scenario.placement:
        case "dedicated":
            text = f"{scenario.worker_hosts} + {scenario.shard_hosts} hosts of type {worker}"
            if worker != shard:
                text = f"{scenario.worker_hosts} hosts of type {worker} and {scenario.shard_hosts} of type {shard}"
        case "colocated":
            text = f"{max(scenario.workers, scenario.shards)} hosts of type {worker}"
        case _:
            text = f"one host of type {worker}"
    by_name = any(key in candidate.point for key in MACHINE_KEYS)
    return text if by_name else f"{text}, the cheapest that suffices"


def _binding(row: Mapping[str, Any]) -> str:
    # Computing may be an accelerator's; the resource is the worker's thread, which waits for it.
    name = str(row["bottleneck"])
    return "computing (worker CPU)" if name == "worker CPU" else name


def _forbidden(search: "Search", points: Sequence[Point]) -> str:
    """No configuration can meet the targets, by which bound."""
    targets = search.targets
    nearest: Candidate = min(search.priced, key=lambda c: c.misses_by(targets))
    target = targets[nearest.misses_by(targets)[1]]
    best = nearest.bound(target)
    assert best is not None
    values = {key: nearest.point[key] for key in varying(points)}
    machines = {key: value for key, value in values.items() if key in MACHINE_KEYS}
    rest = {key: value for key, value in values.items() if key not in machines}
    name = _settings(machines | settings(nearest.scenario, rest)) or nearest.scenario.name
    least = "least" if target.at_most else "most"
    sentence = (
        f"No configuration of the {len(search.priced)} meets {target}: the nearest, {name}, "
        f"has at {least} {target.text(best)}"
    )
    return sentence + ("." if target.name == "cost_per_hour" else f". Its bounds: {nearest.floor.reason}.")


def _all_fail(search: "Search", points: Sequence[Point]) -> str:
    """Bounds leave some, and all of those fail."""
    targets = search.targets
    judgement = min((judgement for _, judgement in search.judgements), key=lambda j: j.miss)
    row = judgement.row
    worst = max(targets, key=lambda target: target.distance(row[target.name]))
    lead = f"Bounds leave {len(search.possible)}; the" if search.setup.method == "simulate" else "The"
    return (
        f"No configuration of the {len(search.priced)} meets the targets. {lead} nearest, {named(row, points)}, has "
        f"{worst.name} = {_value(row, worst.name)} where {worst} is asked; {_binding(row)} binds."
    )


def _rests_on(search: "Search", points: Sequence[Point]) -> list[str]:
    sentences = []
    certainty, method = search.certainty, search.setup.method
    if method != "simulate":
        sentences.append(f"By {METHODS[method]} alone; --method simulate decides it.")
    elif any(len(judgement.runs) > 1 for _, judgement in search.judgements):
        sentences.append(
            f"Chance makes this wrong with a probability of at most {100 * certainty.risk:.3g} % (within "
            f"{100 * certainty.indifference:.3g} % of a target either answer is right)."
        )
    for _, judgement in search.judgements:
        if judgement.decision == "undecided":
            values = ", ".join(
                f"{target.name} = {_value(judgement.row, target.name)}" for target in search.targets
            )
            sentences.append(
                f"{named(judgement.row, points)} is undecided after {len(judgement.runs)} simulations: {values}."
            )
    if search.best is not None and _in_step_anyway(search.best[0]):
        sentences.append("Without chance, equal workers stay in step although no barrier holds them.")
    if search.untried:
        sentences.append(_untried(search))
    extrapolation = search.best[1].row.get("extrapolation") if search.best else None
    if extrapolation:
        sentences.append(f"Extrapolation, the fit has not seen this: {extrapolation}.")
    return sentences


def _in_step_anyway(candidate: "Candidate") -> bool:
    scenario = candidate.scenario
    return scenario.mode != "bsp" and not scenario.is_random and candidate.estimate["claim"] == "exact"


def _untried(search: "Search") -> str:
    count = len(search.untried)
    cheaper = "" if search.best is None else " that would be better"
    if search.budget_ended:
        return f"{count}{cheaper} were not simulated within the budget of {search.most_tried} configurations."
    least = min(c.estimated_miss(search.targets) for c in search.untried)
    off = 100 * (math.exp(search.error) - 1)
    return (
        f"{count}{cheaper} were not simulated: their estimates miss a target by {100 * (least - 1):.3g} % or more, "
        f"and no estimate that was checked is off by more than {off:.2g} %."
    )
