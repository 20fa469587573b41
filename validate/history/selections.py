"""Two selections of stored runs side by side: the same scenarios on other days, clusters or versions."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from scipy.stats import t as student

from psmodel.errors import BadInput
from psmodel.wording import label
from validate.fitting.noise import Block, run_to_run
from validate.fitting.observables import signals, to_seconds
from validate.history.expectation import judged
from validate.history.several_tests import benjamini_hochberg
from validate.measurements.measurement import Measurement
from validate.measurements.selection import by_question, content, labels

SCHEMA_VERSION = 1
FALSE_DISCOVERIES = 0.05
_PRIOR_RUNS = 4
_KEYS: Mapping[str, Callable[[Measurement], str]] = {
    "ray": lambda m: m.environment.ray,
    "psmodel": lambda m: m.environment.psmodel,
    "python": lambda m: m.environment.python,
    "kernel": lambda m: m.environment.kernel,
    "machine": lambda m: m.environment.fingerprint,
    "testbed": lambda m: m.testbed,
    "suite": lambda m: m.suite or "",
    "run": lambda m: m.run_id,
}
KEYS = (*_KEYS, "since", "until")
_PREFIXES = ("machine", "run")
"""What may be given by its beginning."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Runs that have all of these: key → value; `since` and `until` are dates or instants (UTC where none is said)."""

    text: str
    values: Mapping[str, str]
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def parse(cls, text: str) -> "Selection":
        """Read ``key=value,key=value``; "all" is every run.

        Raises
        ------
        BadInput
            If a key is not one of `KEYS`, is there twice, or a date is none.
        """
        values: dict[str, str] = {}
        if text != "all":
            for part in text.split(","):
                key, equals, value = (piece.strip() for piece in part.partition("="))
                if not equals or key not in KEYS or not value:
                    raise BadInput(
                        f"selection {label(text)!r}: {label(part)!r} is no key=value; keys are {', '.join(KEYS)}, "
                        "joined by commas, or all"
                    )
                if key in values:
                    raise BadInput(f"selection {label(text)!r} gives {key} twice")
                values[key] = value
        since, until = (_instant(text, key, values.pop(key, None)) for key in ("since", "until"))
        return cls(text=text, values=values, since=since, until=until)

    def holds(self, run: Measurement) -> bool:
        """Whether the run is of it."""
        started = _aware(datetime.fromisoformat(run.started_at))
        if (self.since is not None and started < self.since) or (
            self.until is not None and started >= self.until
        ):
            return False
        for key, value in self.values.items():
            has = _KEYS[key](run)
            if key in _PREFIXES:
                if not has.startswith(value):
                    return False
            elif value != has and not (key == "suite" and has.rpartition("@")[0] == value):
                return False
        return True

    def of(self, runs: Sequence[Measurement]) -> list[Measurement]:
        """The runs of it.

        Raises
        ------
        BadInput
            If there are none.
        """
        members = [run for run in runs if self.holds(run)]
        if not members:
            raise BadInput(f"selection {label(self.text)!r} has none of the store's {len(runs)} runs")
        return members


def _instant(text: str, key: str, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        return _aware(datetime.fromisoformat(value))
    except ValueError:
        raise BadInput(
            f"selection {label(text)!r}: {key} {label(value)!r} is no date; write it like 2026-01-31 or "
            "2026-01-31T12:00"
        ) from None


def _aware(instant: datetime) -> datetime:
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One metric of one scenario in both selections: geometric means (s), second ÷ first with its 95 % interval.

    `differs`: for certain, at a false-discovery rate of 5 % over all pairs.
    """

    scenario: str
    metric: str
    runs: tuple[int, int]
    first_s: float
    second_s: float
    ratio: float
    low: float
    high: float
    p_value: float
    differs: bool


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """Two selections.

    Attributes
    ----------
    alone
        How many scenarios only the first, and only the second have.
    environments
        Fields of the environment that differ → their values in both.
    """

    first: str
    second: str
    pairs: tuple[Pair, ...]
    alone: tuple[int, int]
    environments: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]


def side_by_side(runs: Sequence[Measurement], first: Selection, second: Selection) -> SideBySide:
    """Compare what two selections of the runs have in common.

    Raises
    ------
    BadInput
        If one is empty, or they have no scenario in common.
    """
    parts = [selection.of(runs) for selection in (first, second)]
    groups = [{content(g[0].asked_for): g for g in by_question(part)} for part in parts]
    common = [key for key in groups[0] if key in groups[1]]
    if not common:
        raise BadInput(
            f"selections {label(first.text)!r} and {label(second.text)!r} have no scenario in common"
        )
    names = labels([groups[0][key][0].asked_for for key in common])
    # One noise for both sides: the same scenarios, and more repetitions to tell it from.
    every_group = [side[key] for side in groups for key in common]
    noise = run_to_run([[signals(r.scenario, r.metrics) for r in group] for group in every_group])
    freedom = sum(len(group) - 1 for group in every_group) + _PRIOR_RUNS
    rows = []
    for place, key in enumerate(common):
        blocks = noise.blocks[place], noise.blocks[len(common) + place]
        for metric in judged(groups[0][key][0].scenario):
            if all(metric in block.mean for block in blocks):
                rows.append((names[key], metric, *_difference(blocks, metric, freedom)))
    decided = benjamini_hochberg([row[-1] for row in rows], FALSE_DISCOVERIES)
    pairs = tuple(
        Pair(
            scenario=name,
            metric=metric,
            runs=counts,
            first_s=to_seconds(one),
            second_s=to_seconds(other),
            ratio=math.exp(other - one),
            low=math.exp(other - one - reach),
            high=math.exp(other - one + reach),
            p_value=p,
            differs=differs,
        )
        for (name, metric, counts, one, other, reach, p), differs in zip(rows, decided, strict=True)
    )
    return SideBySide(
        first=first.text,
        second=second.text,
        pairs=pairs,
        alone=(len(groups[0]) - len(common), len(groups[1]) - len(common)),
        environments=_environments(parts),
    )


def _difference(
    blocks: tuple[Block, Block], metric: str, freedom: float
) -> tuple[tuple[int, int], float, float, float, float]:
    """Runs of both, means of both, half width of the 95 % interval, p-value."""
    one, other = blocks
    variance = sum(b.noise[metric] ** 2 / b.runs for b in blocks)
    error = float(np.sqrt(variance))
    difference = other.mean[metric] - one.mean[metric]
    p = 2 * float(student.sf(abs(difference) / error, freedom)) if error > 0 else float(difference == 0)
    reach = float(student.isf(0.025, freedom)) * error
    return (one.runs, other.runs), one.mean[metric], other.mean[metric], reach, p


def _environments(
    parts: Sequence[Sequence[Measurement]],
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    sets: list[dict[str, set[str]]] = []
    for part in parts:
        values: dict[str, set[str]] = {}
        for environment in {run.environment for run in part}:
            for name, value in environment.to_json().items():
                values.setdefault(name, set()).add(label(str(value)))
        sets.append(values)
    return {
        name: (tuple(sorted(sets[0][name])), tuple(sorted(sets[1][name])))
        for name in sets[0]
        if sets[0][name] != sets[1].get(name)
    }
