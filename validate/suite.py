"""Suites: named, versioned sets of scenarios with a calibration part and a held-out part, kept as TOML files.

A suite file holds ``[base]`` (scenario keys that all runs share) and any number of ``[[calibration]]`` and
``[[held_out]]`` tables. Each is a scenario's keys on top of the base; a key whose value is a list stands for
each of its values (all combinations). Scenarios of the calibration part are never scored.
"""

import difflib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np

from psmodel.errors import BadInput
from psmodel.scenario import Scenario, from_mapping, parse_toml
from psmodel.units import format_rate, format_size

Part = Literal["calibration", "held_out"]
_SEQUENCES = {
    name
    for name, field in Scenario.model_fields.items()
    if any(get_origin(kind) is tuple for kind in (field.annotation, *get_args(field.annotation)))
}
"""Keys of a scenario whose value is a list itself: of these a grid is a list of lists."""
_KEYS = {
    "schema_version", "name", "version", "description", "testbed", "repetitions", "seed", "base",
    "calibration", "held_out",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Run:
    """One planned run of a suite."""

    scenario: Scenario
    part: Part
    repetition: int


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What a suite file says.

    Attributes
    ----------
    calibration, held_out
        Scenarios the fit may see, and those it is scored on.
    repetitions
        How often each scenario is run.
    seed
        Of the order of runs.
    """

    name: str
    version: int
    description: str
    testbed: str
    repetitions: int
    seed: int
    calibration: tuple[Scenario, ...]
    held_out: tuple[Scenario, ...]

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Both parts."""
        return self.calibration + self.held_out

    def runs(self) -> list[Run]:
        """Every run, in the suite's own random order: a drift of the machine must not look like an effect."""
        parts: tuple[tuple[Part, tuple[Scenario, ...]], ...] = (
            ("calibration", self.calibration),
            ("held_out", self.held_out),
        )
        planned = [
            Run(scenario=scenario, part=part, repetition=repetition)
            for part, scenarios in parts
            for scenario in scenarios
            for repetition in range(self.repetitions)
        ]
        order = np.random.default_rng(self.seed).permutation(len(planned))
        return [planned[i] for i in order]


def packaged() -> dict[str, Traversable]:
    """Name → file of the suites that come with the package."""
    folder = resources.files("validate") / "suites"
    files = {f.name.removesuffix(".toml"): f for f in folder.iterdir() if f.name.endswith(".toml")}
    return dict(sorted(files.items()))


def load(name_or_path: str) -> Suite:
    """A packaged suite by name, or one from a TOML file.

    Raises
    ------
    BadInput
        If there is none, or it is not valid.
    """
    known = packaged()
    source = f"{name_or_path}.toml" if name_or_path in known else name_or_path
    if name_or_path not in known and not name_or_path.endswith(".toml"):
        close = difflib.get_close_matches(name_or_path, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
        raise BadInput(f"suite {name_or_path!r} is neither a packaged one nor a .toml file{hint}")
    try:
        text = known.get(name_or_path, Path(name_or_path)).read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{source} cannot be read: {error.strerror}") from None
    return _suite(parse_toml(text, source), source)


def _suite(values: Mapping[str, Any], source: str) -> Suite:
    unknown = values.keys() - _KEYS
    if unknown:
        raise BadInput(f"{source}: unknown key {min(unknown)!r}; known: {', '.join(sorted(_KEYS))}")
    missing = {"name", "version", "testbed", "calibration", "held_out"} - values.keys()
    if missing:
        raise BadInput(f"{source}: {min(missing)} is missing; it must be given")
    base = values.get("base", {})
    parts = {
        part: tuple(
            scenario for table in values[part] for scenario in _expand(base | table, f"{source}: {part}")
        )
        for part in ("calibration", "held_out")
    }
    seen = set(parts["calibration"])
    return Suite(
        name=values["name"],
        version=values["version"],
        description=values.get("description", ""),
        testbed=values["testbed"],
        repetitions=values.get("repetitions", 3),
        seed=values.get("seed", 0),
        calibration=parts["calibration"],
        # A grid of held-out scenarios need not spell out which of its points are used for calibration.
        held_out=tuple(scenario for scenario in parts["held_out"] if scenario not in seen),
    )


def _expand(table: Mapping[str, Any], source: str) -> list[Scenario]:
    grids: dict[str, Sequence[Any]] = {
        key: v if key not in _SEQUENCES or isinstance(v[0], list) else [v]
        for key, v in table.items()
        if isinstance(v, list)
    }
    scenarios = []
    for values in itertools.product(*grids.values()):
        chosen = {**table, **dict(zip(grids, values, strict=True))}
        chosen.setdefault("name", "?")
        scenario = from_mapping(chosen, source)
        if scenario.is_steady:
            raise BadInput(
                f"{source}: iterations is missing; real runs end, so it is given, like iterations = 20"
            )
        named = scenario if scenario.name != "?" else scenario.replace(name=_name(scenario))
        scenarios.append(named)
    return scenarios


def _name(scenario: Scenario) -> str:
    """N3 K2 16MB 200Mbit/s ssp3 pull=sequential: what suites vary, and what is not the usual."""
    parts = [
        f"N{scenario.workers}",
        f"K{scenario.shards}",
        format_size(scenario.total_bytes).replace(" ", ""),
    ]
    if scenario.bandwidth is not None and scenario.placement != "single-host":
        parts.append(format_rate(scenario.bandwidth.shard_down).replace(" ", ""))
    if scenario.mode != "bsp":
        parts.append(
            scenario.mode + ("" if scenario.staleness_bound is None else str(scenario.staleness_bound))
        )
    usual = {"pull": "parallel", "push": "blocking"}
    parts += [f"{key}={getattr(scenario, key)}" for key in usual if getattr(scenario, key) != usual[key]]
    if scenario.compute.is_random:
        parts.append(f"compute={scenario.compute.kind}")
    if scenario.compute_factors is not None:
        parts.append(f"slowest={max(scenario.compute_factors):g}x")
    return " ".join(parts)
