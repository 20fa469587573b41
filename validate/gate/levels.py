"""Which runs of a suite a gate makes in the time that it has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from psmodel.calibration import Calibration
from psmodel.scenario import Scenario
from validate.fitting.model_response import simulated
from validate.gate.blame import bound_by
from validate.history.expectation import judged

LEVELS: Mapping[str, float] = {"1min": 60.0, "10min": 600.0, "1h": 3600.0}
"""Level → seconds of measuring; starting Ray comes on top."""
_START_S = 4.0
"""Time to start and end the actors of one run."""


@dataclass(frozen=True, kw_only=True)
class GatePlan:
    """Scenarios in the order of their runs, repeated ones again and again; what is left out for want of time."""

    runs: tuple[Scenario, ...]
    left_out: tuple[Scenario, ...]
    seconds: float


def plan(
    scenarios: Sequence[Scenario],
    seconds: float,
    calibration: Calibration,
    with_links: Callable[[Scenario], Scenario] = lambda scenario: scenario,
) -> GatePlan:
    """First one run of each scenario, as many as fit, then repetitions of those.

    Scenarios that differ in how they pull and push, or in what binds, take turns, so that a short gate has seen each
    kind; at least one run is made, however long it takes.

    Parameters
    ----------
    with_links
        Gives a scenario the links that it will have, where it leaves them to a probe.
    """
    turns: dict[tuple[str, ...], list[Scenario]] = {}
    for s in scenarios:
        kind = (s.mode, s.pull, s.push, *(bound_by(with_links(s), metric) for metric in judged(s)))
        turns.setdefault(kind, []).append(s)
    order = [
        of[turn]
        for turn in range(max(map(len, turns.values()), default=0))
        for of in turns.values()
        if turn < len(of)
    ]
    costs = {id(s): _START_S + _duration(with_links(s), calibration) for s in order}
    planned: list[Scenario] = []
    spent = 0.0
    for scenario in order:
        if not planned or spent + costs[id(scenario)] <= seconds:
            planned.append(scenario)
            spent += costs[id(scenario)]
    first = tuple(planned)
    while added := [s for s in first if spent + costs[id(s)] <= seconds]:
        for scenario in added:
            if spent + costs[id(scenario)] <= seconds:
                planned.append(scenario)
                spent += costs[id(scenario)]
    return GatePlan(
        runs=tuple(planned), left_out=tuple(s for s in order if all(s is not c for c in first)), seconds=spent
    )


def _duration(scenario: Scenario, calibration: Calibration) -> float:
    return simulated(scenario, calibration).iteration_time_s * scenario.total_iterations
