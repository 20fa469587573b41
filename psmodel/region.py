"""The region of scenarios that calibration runs covered; a prediction outside it is an extrapolation."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from psmodel.distributions import TimeDistribution
from psmodel.scenario import Scenario
from psmodel.scenario.features import FEATURES
from psmodel.units import format_rate, format_size, format_time

_TOLERANCE = 0.05
"""Part of a limit by which a scenario may lie outside and still count as inside."""


def _slowest(scenario: Scenario) -> float | None:
    if scenario.bandwidth is None or scenario.placement == "single-host":
        return None
    slowest: float = min(rate for _, rate in scenario.bandwidth)
    return min([slowest, *(slow.rate for slow in scenario.slow_links)])


_QUANTITIES: dict[str, tuple[Callable[[Scenario], float | None], Callable[[float], str]]] = {
    "workers": (lambda s: s.workers, "{:.0f}".format),
    "shards": (lambda s: s.shards, "{:.0f}".format),
    "model size": (lambda s: s.total_bytes, format_size),
    "largest shard": (lambda s: max(s.shard_sizes), format_size),
    "bandwidth": (_slowest, format_rate),
    "propagation delay": (lambda s: s.propagation_delay, format_time),
    "compute time": (lambda s: s.compute.expected(), format_time),
}


def _kind_of(field: str) -> Callable[[Scenario], str]:
    """The value of a key of few values; of any other, which of its features the scenario has."""
    features = [feature for feature in FEATURES if feature.field == field]
    if all(feature.value is not None and feature.present is None for feature in features):
        return lambda scenario: str(getattr(scenario, field))

    def kind(scenario: Scenario) -> str:
        value = getattr(scenario, field)
        if isinstance(value, TimeDistribution) and value.is_random:
            return f"{value.model_dump()['kind']} times"
        return ", ".join(f.label for f in features if f.is_set(scenario)) or _NONE

    return kind


_NONE = "none"
_KINDS: Mapping[str, Callable[[Scenario], str]] = {
    field: _kind_of(field) for field in dict.fromkeys(feature.field for feature in FEATURES)
} | {"dtype": lambda s: s.dtype, "mtu": lambda s: _NONE if s.mtu is None else "headers of packets"}
"""One for every feature there is, so that a new one is known here without a word."""
_USUAL = {name: str(field.default) for name, field in Scenario.model_fields.items()}
_COUNTED = ("staleness_bound", *_KINDS)


def _sizes(scenario: Scenario) -> dict[str, float]:
    """How much of each feature the scenario has: key (dotted inside a table) → number, the largest one of a list."""
    plain = scenario.to_json()
    numbers = _numbers({key: plain[key] for key in _COUNTED if key in plain})
    return {key: number for key, number in numbers if key not in _ELSEWHERE}


_ELSEWHERE = ("mtu", "compute.value", "compute.mean")
"""Numbers whose size is no matter, or is among the quantities."""


def _numbers(values: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, float]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{path}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{path}{key}", float(value)
        elif isinstance(value, list) and value and all(isinstance(v, int | float) for v in value):
            yield f"{path}{key}", float(max(value))


@dataclass(frozen=True, kw_only=True)
class Region:
    """Ranges of the quantities (SI) and the kinds of scenario that a fit has seen.

    Attributes
    ----------
    ranges
        Quantity, or key of a feature that is a number → least and largest value.
    kinds
        Key of a feature → its values; one that a fit of an earlier version does not have is not judged.
    """

    ranges: Mapping[str, tuple[float, float]]
    kinds: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, scenarios: Iterable[Scenario]) -> "Region":
        """The smallest region that holds all scenarios."""
        runs = list(scenarios)
        values: dict[str, list[float]] = {}
        for scenario in runs:
            sized = {name: quantity(scenario) for name, (quantity, _) in _QUANTITIES.items()} | _sizes(
                scenario
            )
            for name, value in sized.items():
                if value is not None:
                    values.setdefault(name, []).append(float(value))
        return cls(
            ranges={name: (min(v), max(v)) for name, v in values.items()},
            kinds={name: frozenset(map(kind, runs)) for name, kind in _KINDS.items()},
        )

    def outside(self, scenario: Scenario) -> tuple[str, ...]:
        """One phrase for everything in which a scenario lies outside; none if it is inside."""
        phrases = []
        for name, (quantity, formatter) in _QUANTITIES.items():
            value = quantity(scenario)
            if value is not None and name not in self.ranges:
                phrases.append(f"{name} {formatter(value)}: the calibration runs had none")
            elif value is not None:
                phrases += self._beyond(name, value, formatter)
        for name, kind in _KINDS.items():
            phrases += self._another(name, kind(scenario))
        for name, value in _sizes(scenario).items():
            # Where no run had the feature, its kind has been named already.
            if name in self.ranges:
                phrases += self._beyond(name, value, "{:g}".format)
        return tuple(phrases)

    def _beyond(self, name: str, value: float, formatter: Callable[[float], str]) -> list[str]:
        low, high = self.ranges[name]
        if low * (1 - _TOLERANCE) <= value <= high * (1 + _TOLERANCE):
            return []
        span = formatter(low) if low == high else f"{formatter(low)} to {formatter(high)}"
        return [f"{name} {formatter(value)} is outside {span}"]

    def _another(self, name: str, kind: str) -> list[str]:
        if name not in self.kinds:
            return (
                []
                if kind in (_NONE, _USUAL.get(name))
                else [f'{name} "{kind}": the fit does not say whether it was calibrated']
            )
        if kind in self.kinds[name]:
            return []
        return [f'{name} "{kind}" was not calibrated (seen: {", ".join(sorted(self.kinds[name]))})']

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "ranges": {name: list(limits) for name, limits in self.ranges.items()},
            "kinds": {name: sorted(kinds) for name, kinds in self.kinds.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Region":
        """The reverse of `to_json`."""
        return cls(
            ranges={name: (low, high) for name, (low, high) in values["ranges"].items()},
            kinds={name: frozenset(kinds) for name, kinds in values["kinds"].items()},
        )
