"""The format of a suite's file, and the scenarios that it expands to."""

import itertools
import math
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from psmodel.errors import BadInput
from psmodel.records import sentence
from psmodel.scenario import Scenario, from_mapping, parse_toml
from psmodel.units import format_rate, format_size
from psmodel.wording import label
from validate.machine.open_links import LEFT_OPEN, REMOTE, is_open
from validate.measurements.selection import content
from validate.testbeds import check_name

SCHEMA_VERSION = 1
MOST_SCENARIOS, MOST_RUNS = 10_000, 100_000
"""A run takes seconds: more than these are a mistake, and are refused before any is made up."""
_MOST_BYTES = 1_000_000
_SEQUENCES = {
    name
    for name, field in Scenario.model_fields.items()
    if any(get_origin(kind) is tuple for kind in (field.annotation, *get_args(field.annotation)))
}
"""Keys of a scenario whose value is a list itself: of these a grid is a list of lists."""
Table = Mapping[str, Any]


def _excerpt(value: object) -> str:
    try:
        return label(repr(value))
    except (RecursionError, ValueError):
        return f"a {type(value).__name__}"


def _table(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError(f"{_excerpt(value)} is no table of scenario keys; it is written [base]")
    _no_empty_grid(value)
    return value


def _tables(value: object) -> object:
    if isinstance(value, dict):
        raise ValueError("it is one table; a part is a list of tables, each written in two brackets, [[...]]")
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        raise ValueError(
            f"{_excerpt(value)} is no list of tables of scenario keys; each is written in two brackets, [[...]]"
        )
    for table in value:
        _no_empty_grid(table)
    return value


def _no_empty_grid(table: Table) -> None:
    for key, values in table.items():
        if values == [] and key not in _SEQUENCES:
            raise ValueError(f"{label(key)} = [] has no value, which makes no scenario; it has at least one")


Tables = Annotated[tuple[dict[str, Any], ...], BeforeValidator(_tables)]


class SuiteFile(BaseModel):
    """The keys of a suite's file; see `validate.suites.suite` for their meaning."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    schema_version: int = SCHEMA_VERSION
    name: Annotated[str, Field(min_length=1, max_length=100)]
    version: Annotated[int, Field(ge=1)]
    description: Annotated[str, Field(max_length=1000)] = ""
    testbed: Annotated[str, AfterValidator(check_name)]
    repetitions: Annotated[int, Field(ge=1, le=MOST_RUNS)] = 3
    seed: Annotated[int, Field(ge=0)] = 0
    base: Annotated[dict[str, Any], BeforeValidator(_table)] = {}
    calibration: Annotated[Tables, Field(strict=False, min_length=1)]
    held_out: Annotated[Tables, Field(strict=False)]

    @field_validator("schema_version")
    @classmethod
    def _read_here(cls, value: int) -> int:
        if value != SCHEMA_VERSION:
            raise ValueError(
                f"{value} is not the version of suites that this psmodel reads, {SCHEMA_VERSION}"
            )
        return value

    @field_validator("name")
    @classmethod
    def _names_one(cls, value: str) -> str:
        if "@" in value or not value.isprintable() or value != value.strip():
            raise ValueError(
                f"{label(value)!r} is no name of a suite; it is printable and has no @, which stands before a version"
            )
        return value


def parse(values: Table, source: str) -> tuple[SuiteFile, dict[str, tuple[Scenario, ...]]]:
    """The checked file and the scenarios of its parts.

    Raises
    ------
    BadInput
        With one sentence that names the key, the value and what is allowed.
    """
    try:
        file = SuiteFile.model_validate(dict(values))
    except ValidationError as error:
        raise BadInput(_shortened(sentence(_brief(error), source, SuiteFile.model_fields))) from None
    tables: dict[str, list[Table]] = {
        part: [{**file.base, **table} for table in getattr(file, part)]
        for part in ("calibration", "held_out")
    }
    count = sum(_count(table) for part in tables.values() for table in part)
    if count > MOST_SCENARIOS or count * file.repetitions > MOST_RUNS:
        raise BadInput(
            f"{source}: {count:.3g} scenarios of {file.repetitions} repetitions are too many; a suite has at most "
            f"{MOST_SCENARIOS} scenarios and {MOST_RUNS} runs"
        )
    parts = {
        part: [s for table in rows for s in _expand(table, f"{source}: {part}", file.testbed)]
        for part, rows in tables.items()
    }
    by_content = _named([*parts["calibration"], *parts["held_out"]], source)
    calibration_keys = {content(s) for s in parts["calibration"]}
    # A grid of held-out scenarios need not spell out which of its points are used for calibration.
    held_out = [s for s in parts["held_out"] if content(s) not in calibration_keys]
    return file, {
        part: tuple({key: by_content[key] for key in map(content, scenarios)}.values())
        for part, scenarios in (("calibration", parts["calibration"]), ("held_out", held_out))
    }


def _brief(error: ValidationError) -> dict[str, Any]:
    # A key that is unknown is likely the one that seems to be missing.
    errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    return dict(errors[0])


def _shortened(text: str) -> str:
    return label(text, 400)


def _grids(table: Table) -> dict[str, Sequence[Any]]:
    return {
        key: v if key not in _SEQUENCES or (v and isinstance(v[0], list)) else [v]
        for key, v in table.items()
        if isinstance(v, list)
    }


def _count(table: Table) -> int:
    return math.prod(len(values) for values in _grids(table).values())


def _expand(table: Table, source: str, testbed: str) -> Iterator[Scenario]:
    grids = _grids(table)
    for values in itertools.product(*grids.values()):
        settings = {**table, "name": table.get("name", ""), **dict(zip(grids, values, strict=True))}
        if testbed in REMOTE and settings.get("placement") != "single-host":
            settings.setdefault("bandwidth", LEFT_OPEN)
        scenario = from_mapping(settings, source)
        if scenario.is_steady:
            raise BadInput(
                f"{source}: iterations is missing; real runs end, so it is given, like iterations = 20"
            )
        yield scenario


def _named(scenarios: Sequence[Scenario], source: str) -> dict[str, Scenario]:
    """`content` → scenario with a name of its own: the one it was given, or what tells it from the others."""
    different: dict[str, Scenario] = {}
    for scenario in scenarios:
        key = content(scenario)
        if key not in different or not different[key].name:
            different[key] = scenario
    groups: dict[str, list[str]] = {}
    for key, scenario in different.items():
        groups.setdefault(scenario.name or _usual_name(scenario), []).append(key)
    by_content = {}
    for name, keys in groups.items():
        own_names = [different[key] for key in keys if different[key].name]
        if own_names and len(keys) > 1:
            raise BadInput(
                f"{source}: {len(keys)} different scenarios are named {label(name)!r}; give each a name of its own, or "
                "none, and it gets one"
            )
        tails = _distinct([different[key] for key in keys])
        for key, tail in zip(keys, tails, strict=True):
            by_content[key] = different[key].replace(name=f"{name}{tail}")
    return by_content


def _usual_name(scenario: Scenario) -> str:
    """N3 K2 16MB 200Mbit/s ssp3 pull=sequential: what suites vary, and what is not the usual."""
    parts = [
        f"N{scenario.workers}",
        f"K{scenario.shards}",
        format_size(scenario.total_bytes).replace(" ", ""),
    ]
    if scenario.bandwidth is not None and scenario.placement != "single-host" and not is_open(scenario):
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


def _distinct(scenarios: Sequence[Scenario]) -> list[str]:
    """What to add to the names of scenarios that are otherwise named alike: the settings in which they differ."""
    if len(scenarios) == 1:
        return [""]
    settings = [
        dict(_leaves(scenario.model_dump(mode="json", exclude_defaults=True))) for scenario in scenarios
    ]
    keys = dict.fromkeys(key for of in settings for key in of if key not in ("name", "description"))
    varying = [key for key in keys if len({str(of.get(key)) for of in settings}) > 1]
    tails = ["".join(f" {key}={label(str(of[key]), 24)}" for key in varying if key in of) for of in settings]
    return [
        tail if tails.count(tail) == 1 else f"{tail} #{content(scenario)[:6]}"
        for tail, scenario in zip(tails, scenarios, strict=True)
    ]


def _leaves(values: Table, path: str = "") -> Iterable[tuple[str, Any]]:
    """Dotted key → value of nested tables."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", f"{value:g}" if isinstance(value, float) else value


def read(file: Path | Traversable, source: str) -> dict[str, Any]:
    """The TOML of a suite's file.

    Raises
    ------
    BadInput
        If it is no regular file of a sensible size, no text, or no TOML.
    """
    try:
        if isinstance(file, Path):
            about = file.stat()
            if not stat.S_ISREG(about.st_mode):
                raise BadInput(f"{source} cannot be read: it is no regular file")
            if about.st_size > _MOST_BYTES:
                raise BadInput(f"{source} has {about.st_size} bytes; a suite has at most {_MOST_BYTES}")
        return parse_toml(file.read_bytes().decode("utf-8-sig"), source)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"{source} cannot be read: {reason}") from None
    except BadInput:
        raise
    except (ValueError, RecursionError, MemoryError):
        raise BadInput(f"{source} is no suite: its numbers are too long or its brackets too deep") from None
