"""Select the runs that count, and group them by the content of their scenario, not by its name."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

from psmodel.scenario import Scenario
from psmodel.wording import label

_UNREAD = ("name", "description", "schema_version")
"""Keys that nothing which is run or predicted depends on."""


class _OfScenario(Protocol):
    @property
    def scenario(self) -> Scenario: ...


class _OfQuestion(Protocol):
    @property
    def asked_for(self) -> Scenario: ...


class _Judged(_OfScenario, Protocol):
    @property
    def suspect(self) -> tuple[str, ...]: ...


AnyRun = TypeVar("AnyRun", bound=_OfScenario)
AskedRun = TypeVar("AskedRun", bound=_OfQuestion)
JudgedRun = TypeVar("JudgedRun", bound=_Judged)


@lru_cache(maxsize=65_536)
def content(scenario: Scenario) -> str:
    """Hash (16 hexadecimal digits) of what a scenario says: equal for two that are the same but for their names.

    A model given in bytes is one given in elements; a seed counts only where chance does, links only where there
    are any.
    """
    values = {key: value for key, value in scenario.to_json().items() if key not in _UNREAD}
    values.pop("model_size", None)
    values["elements"] = scenario.total_elements
    if not scenario.is_random:
        values.pop("seed", None)
    if scenario.placement == "single-host":
        values.pop("bandwidth", None)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


@lru_cache(maxsize=65_536)
def setting(scenario: Scenario) -> str:
    """The same of what is measured, however long and with whichever random numbers: a fit that saw one saw all."""
    return content(scenario.replace(iterations=1, warmup=0, seed=0))


def by_scenario(runs: Iterable[AnyRun]) -> list[list[AnyRun]]:
    """The runs of each scenario together, in the order in which the scenarios first come."""
    groups: dict[str, list[AnyRun]] = {}
    for run in runs:
        groups.setdefault(content(run.scenario), []).append(run)
    return list(groups.values())


def by_question(runs: Iterable[AskedRun]) -> list[list[AskedRun]]:
    """The same by what was asked for: where links are probed, they may be others each time."""
    groups: dict[str, list[AskedRun]] = {}
    for run in runs:
        groups.setdefault(content(run.asked_for), []).append(run)
    return list(groups.values())


def believable(runs: Sequence[JudgedRun]) -> list[JudgedRun]:
    """The runs without the suspect ones of those scenarios that have others too."""
    quiet = {content(run.scenario) for run in runs if not run.suspect}
    return [run for run in runs if not run.suspect or content(run.scenario) not in quiet]


def labels(scenarios: Sequence[Scenario]) -> dict[str, str]:
    """`content` → name to show: as the scenario has it, and told apart where two have the same one."""
    names = {content(scenario): label(scenario.name) for scenario in scenarios}
    values = list(names.values())
    return {key: name if values.count(name) == 1 else f"{name} #{key[:4]}" for key, name in names.items()}
