"""The sentences of a plan: its answer and the evidence for it."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from psmodel.units import format_time
from psmodel.whatif.parameter_space import Point, four_digits, settings, varying, written
from psmodel.whatif.prices import MACHINE_KEYS
from psmodel.whatif.targets import COSTS, Target

if TYPE_CHECKING:
    from psmodel.whatif.plans import Candidate, _PlanSearch

METHODS = {"analytic": "closed forms", "mva": "mean value analysis", "simulate": "simulation"}


def verdict(search: "_PlanSearch", points: Sequence[Point]) -> str:
    """The answer of a search in a few sentences."""
    if search.best is not None:
        sentences = [_answer(search.best[1].row, search.targets, points)]
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


def _value(row: Mapping[str, Any], target: Target) -> str:
    text = target.text(row[target.name])
    half = row.get(f"{target.name}_half_width")
    return text + (f" ± {target.text(half)}" if half and half > 1e-9 * abs(row[target.name]) else "")


def _title(name: str) -> str:
    for unit in ("_bytes_per_s", "_per_s", "_s"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def _answer(best: Mapping[str, Any], targets: Sequence[Target], points: Sequence[Point]) -> str:
    extra = "".join(
        f", {_title(target.name)} {_value(best, target)}"
        for target in targets
        if target.name not in ("iteration_time_s", *COSTS)
    )
    price = (
        ""
        if best["cost_per_hour"] is None
        else f", {four_digits(best['cost_per_hour'])} {best['currency']} per hour "
        f"({four_digits(best['cost_per_1000_iterations'])} per 1000 iterations)"
    )
    return (
        f"{named(best, points)}: {format_time(best['iteration_time_s'])} per iteration{extra}{price}; "
        f"{best['bottleneck']} binds."
    )


def _forbidden(search: "_PlanSearch", points: Sequence[Point]) -> str:
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


def _all_fail(search: "_PlanSearch", points: Sequence[Point]) -> str:
    """Bounds leave some, and all of those fail."""
    targets = search.targets
    judgement = min((judgement for _, judgement in search.judgements), key=lambda j: j.miss)
    row = judgement.row
    worst = max(targets, key=lambda target: target.distance(row[target.name]))
    lead = f"Bounds leave {len(search.possible)}; the" if search.setup.method == "simulate" else "The"
    return (
        f"No configuration of the {len(search.priced)} meets the targets. {lead} nearest, {named(row, points)}, has "
        f"{worst.name} = {_value(row, worst)} where {worst} is asked; {row['bottleneck']} binds."
    )


def _rests_on(search: "_PlanSearch", points: Sequence[Point]) -> list[str]:
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
                f"{target.name} = {_value(judgement.row, target)}" for target in search.targets
            )
            sentences.append(
                f"{named(judgement.row, points)} is undecided after {len(judgement.runs)} simulations: {values}."
            )
    if search.untried:
        sentences.append(_untried(search))
    extrapolation = search.best[1].row.get("extrapolation") if search.best else None
    if extrapolation:
        sentences.append(f"Extrapolation, the fit has not seen this: {extrapolation}.")
    return sentences


def _untried(search: "_PlanSearch") -> str:
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
