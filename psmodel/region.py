"""Where the calibration runs were: a prediction outside is an extrapolation."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from psmodel.scenario import Scenario
from psmodel.scenario.features import features_of
from psmodel.units import format_rate, format_size, format_time

_TOLERANCE = 0.05
"""Part of a limit by which a scenario may lie outside and still count as inside."""


def _slowest(scenario: Scenario) -> float | None:
    if scenario.bandwidth is None or scenario.placement == "single-host":
        return None
    slowest: float = min(rate for _, rate in scenario.bandwidth)
    return slowest


_QUANTITIES: dict[str, tuple[Callable[[Scenario], float | None], Callable[[float], str]]] = {
    "workers": (lambda s: s.workers, "{:.0f}".format),
    "shards": (lambda s: s.shards, "{:.0f}".format),
    "model size": (lambda s: s.total_bytes, format_size),
    "largest shard": (lambda s: max(s.shard_sizes), format_size),
    "bandwidth": (_slowest, format_rate),
    "propagation delay": (lambda s: s.propagation_delay, format_time),
    "compute time": (lambda s: s.compute.expected(), format_time),
}
_KINDS: dict[str, Callable[[Scenario], str]] = {
    "mode": lambda s: s.mode,
    "pull": lambda s: s.pull,
    "push": lambda s: s.push,
    "placement": lambda s: s.placement,
    "update_rule": lambda s: s.update_rule,
}


def _features(scenario: Scenario) -> list[str]:
    """Labels of the optional features that the kinds do not name already."""
    return [feature.label for feature in features_of(scenario) if feature.field not in _KINDS]


@dataclass(frozen=True, kw_only=True)
class Region:
    """Ranges of the quantities (SI), the kinds of scenario and the optional features that a fit has seen.

    `features` is None in a fit that was written before they were kept; then nothing is said of them.
    """

    ranges: Mapping[str, tuple[float, float]]
    kinds: Mapping[str, frozenset[str]]
    features: frozenset[str] | None = None

    @classmethod
    def of(cls, scenarios: Iterable[Scenario]) -> "Region":
        """The smallest region that holds all scenarios."""
        seen = list(scenarios)
        values = {
            name: [v for v in map(quantity, seen) if v is not None]
            for name, (quantity, _) in _QUANTITIES.items()
        }
        return cls(
            ranges={name: (float(min(v)), float(max(v))) for name, v in values.items() if v},
            kinds={name: frozenset(map(kind, seen)) for name, kind in _KINDS.items()},
            features=frozenset(label for scenario in seen for label in _features(scenario)),
        )

    def outside(self, scenario: Scenario) -> tuple[str, ...]:
        """One phrase for everything in which a scenario lies outside; none if it is inside."""
        phrases = []
        for name, (quantity, written) in _QUANTITIES.items():
            value = quantity(scenario)
            if value is None:
                continue
            if name not in self.ranges:
                phrases.append(f"{name} {written(value)}: the calibration runs had none")
                continue
            low, high = self.ranges[name]
            if not low * (1 - _TOLERANCE) <= value <= high * (1 + _TOLERANCE):
                span = written(low) if low == high else f"{written(low)} to {written(high)}"
                phrases.append(f"{name} {written(value)} is outside {span}")
        for name, kind in _KINDS.items():
            if kind(scenario) not in self.kinds[name]:
                seen = ", ".join(sorted(self.kinds[name]))
                phrases.append(f'{name} "{kind(scenario)}" was not calibrated (seen: {seen})')
        if self.features is not None:
            phrases += [f"{label}: the calibration runs had none" for label in _features(scenario)
                        if label not in self.features]  # fmt: skip
        return tuple(phrases)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "ranges": {name: list(limits) for name, limits in self.ranges.items()},
            "kinds": {name: sorted(kinds) for name, kinds in self.kinds.items()},
        } | ({} if self.features is None else {"features": sorted(self.features)})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Region":
        """The reverse of `to_json`."""
        return cls(
            ranges={name: (low, high) for name, (low, high) in values["ranges"].items()},
            kinds={name: frozenset(kinds) for name, kinds in values["kinds"].items()},
            features=frozenset(values["features"]) if "features" in values else None,
        )
