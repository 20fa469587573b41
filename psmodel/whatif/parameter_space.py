"""Spaces of scenarios: grids and Latin hypercubes over the keys of a scenario.

An axis is written ``key=values``: a list (``shards=1,2,4``), a range with its end included (``workers=1:10:3``,
``bandwidth=10Gbps:40Gbps:10Gbps``) or a geometric range (``workers=1:256:x2``). A Latin hypercube takes
``key=low:high``, ``key=low:high:log`` or a list. Keys of a table are reached by a dot (``bandwidth.shard_down``).
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from psmodel.errors import BadInput
from psmodel.limits import budget
from psmodel.scenario import Scenario, changed, from_mapping
from psmodel.storage.atomic import parse_json, parse_value
from psmodel.units import format_rate, format_size, format_time
from psmodel.wording import excerpt

Point = Mapping[str, Any]
"""Key → value, as in a scenario file."""
_PART = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S*)\s*")
_FORM = "write it like shards=4, shards=1,2,4 or workers=1:256:x2 or bandwidth=10Gbps:40Gbps:10Gbps"
_MOST_VALUES = 1_000_000
_MOST_EXPONENT = 40
_WORDS = ("name", "description")
"""Keys whose text may have commas and colons."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A key and the values it takes."""

    key: str
    values: tuple[Any, ...]


def _key_and_text(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise BadInput(f"--set {excerpt(text)} is no key with a value; {_FORM}")
    return key.strip().replace("-", "_"), value.strip()


def _split(text: str) -> list[str]:
    """Split at commas that lie in no bracket and no quotes, so that lists of tables can be written."""
    items, depth, quote, start = [], 0, "", 0
    for position, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        elif letter == "," and depth == 0:
            items.append(text[start:position])
            start = position + 1
    return [item.strip() for item in (*items, text[start:])]


def _value(text: str, key: str) -> Any:
    value = parse_value(text, excerpt(key))
    if value != text.strip() or text[:1] not in ("[", "{", '"'):
        return value
    try:
        return parse_json(text, excerpt(key))
    except BadInput:
        return value


def _number(text: str, whole: str) -> tuple[Decimal, str]:
    match = _PART.fullmatch(text)
    if match is None:
        raise BadInput(f"{excerpt(whole)}: {excerpt(text)} is not a number with a unit; {_FORM}")
    try:
        number = Decimal(match[1])
    except InvalidOperation:  # an exponent of twenty digits
        number = Decimal("Infinity")
    if number and not (number.is_finite() and abs(number.adjusted()) <= _MOST_EXPONENT):
        raise BadInput(
            f"{excerpt(whole)}: {excerpt(text)}; numbers of a range lie "
            f"between 1e-{_MOST_EXPONENT} and 1e{_MOST_EXPONENT}"
        )
    return number, match[2]


def _text_of(number: Decimal, unit: str) -> Any:
    if unit:
        return f"{number.normalize():f}{unit}"
    return int(number) if number == number.to_integral_value() else float(number)


def _range(parts: list[str], whole: str) -> tuple[Any, ...]:
    (low, unit), (high, high_unit) = _number(parts[0], whole), _number(parts[1], whole)
    factor = parts[2].strip().startswith("x")
    step, step_unit = _number(parts[2].strip().removeprefix("x"), whole)
    if high_unit != unit or step_unit != ("" if factor else unit):
        raise BadInput(f"{excerpt(whole)}: the parts of a range have one unit; {_FORM}")
    if high < low:
        raise BadInput(f"{excerpt(whole)}: the range ends before it begins; {_FORM}")
    if step <= (1 if factor else 0) or (factor and low <= 0):
        raise BadInput(
            f"{excerpt(whole)}: a step is more than 0, a factor more than 1 and starts above 0; {_FORM}"
        )
    steps = (high / low).ln() / step.ln() if factor else (high - low) / step
    if steps > _MOST_VALUES:
        raise BadInput(f"{excerpt(whole)} has more than {_MOST_VALUES} values")
    values = []
    while low <= high:
        values.append(_text_of(low, unit))
        before, low = low, low * step if factor else low + step
        if low == before:  # a step below the last digit that is kept
            break
    return tuple(values)


def parse_axis(text: str) -> Axis:
    """An axis of a grid from ``key=values``.

    Raises
    ------
    BadInput
        If it is not written in one of the ways that the module names.

    >>> parse_axis("workers=1:256:x4").values
    (1, 4, 16, 64, 256)
    >>> parse_axis("bandwidth=10Gbps,25Gbps").values
    ('10Gbps', '25Gbps')
    """
    key, value = _key_and_text(text)
    if key in _WORDS:
        return Axis(key=key, values=(_value(value, key),))
    if key.endswith(".file"):  # a path is no range; one with a comma stands in quotes
        return Axis(key=key, values=tuple(_value(item, key) for item in _split(value)))
    parts = value.split(":")
    if len(parts) == 3 and not set(value) & set("\"'[{"):
        return Axis(key=key, values=_range(parts, text))
    if len(parts) == 2 and _PART.fullmatch(parts[0]):
        raise BadInput(f"{excerpt(text)} is no whole range; {_FORM}")
    items = _split(value)
    if "" in items:
        raise BadInput(f"{excerpt(text)} has an empty value; {_FORM}")
    return Axis(key=key, values=tuple(_value(item, key) for item in items))


@dataclass(frozen=True, kw_only=True)
class Grid(Sequence[Point]):
    """Every combination of the axes' values, the last axis fastest; computed when asked for."""

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        _check_once([axis.key for axis in self.axes])

    def __len__(self) -> int:
        return math.prod(len(axis.values) for axis in self.axes)

    def __iter__(self) -> Iterator[Point]:
        keys = [axis.key for axis in self.axes]
        for values in itertools.product(*(axis.values for axis in self.axes)):
            yield dict(zip(keys, values, strict=True))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        rest = range(len(self))[index]
        point = {}
        for axis in reversed(self.axes):
            rest, position = divmod(rest, len(axis.values))
            point[axis.key] = axis.values[position]
        return dict(reversed(point.items()))


def _check_once(keys: Sequence[str]) -> None:
    """Refuse a key that is given twice, or as a whole and in part."""
    if len(set(keys)) < len(keys):
        raise BadInput(f"{max(keys, key=keys.count)!r} is given twice; give each key once")
    for key in keys:
        for part in keys:
            if part.startswith(f"{key}."):
                raise BadInput(f"{key!r} is given, and {part!r}, a part of it; give either it or its parts")


def _between(text: str) -> tuple[str, Any]:
    """The key and a function from a number in [0, 1) to a value."""
    key, value = _key_and_text(text)
    parts = value.split(":")
    if len(parts) not in (2, 3) or set(value) & set("\"'[{,"):
        values = parse_axis(text).values
        return key, lambda u: values[int(u * len(values))]
    (low, unit), (high, high_unit) = _number(parts[0], text), _number(parts[1], text)
    log = len(parts) == 3
    if (log and parts[2] != "log") or unit != high_unit or not low < high or (log and low <= 0):
        raise BadInput(
            f"{excerpt(text)}: a Latin hypercube takes key=low:high or key=low:high:log in one unit, or a list"
        )
    whole = not unit and "." not in value and "e" not in value.partition(":log")[0].lower()
    a, b = float(low), float(high)
    if not (math.isfinite(a) and math.isfinite(b)):
        raise BadInput(f"{excerpt(text)}: an end of the range is too large")

    def at(u: float) -> Any:
        # Whole numbers take each value between the ends, both included, with the same chance.
        top = b + 1 if whole else b
        number = a * (top / a) ** u if log else a + (top - a) * u
        return math.floor(number) if whole else f"{number!r}{unit}" if unit else number

    return key, at


def latin_hypercube(ranges: Sequence[str], *, samples: int, seed: int) -> tuple[Point, ...]:
    """Points that fill a space evenly: each axis is cut into `samples` slices, each of them hit once.

    McKay, Beckman & Conover 1979, Technometrics 21(2):239, by ``scipy.stats.qmc.LatinHypercube``.

    Raises
    ------
    BadInput
        If a range cannot be read, or there are no samples.
    CannotRun
        If there are more than memory holds.
    """
    from scipy.stats import qmc

    if samples < 1:
        raise BadInput(f"samples = {samples}; a Latin hypercube has at least 1")
    axes = [_between(text) for text in ranges]
    _check_once([key for key, _ in axes])
    memory = samples * (500.0 + 100 * len(axes))
    budget.check(
        budget.Need(what=f"a Latin hypercube of {samples} points", fewer="samples", memory_bytes=memory)
    )
    unit = qmc.LatinHypercube(d=len(axes), seed=np.random.default_rng(seed)).random(samples)
    return tuple({key: at(float(u)) for (key, at), u in zip(axes, row, strict=True)} for row in unit)


def resolve(base: Scenario | Mapping[str, Any], point: Point) -> Scenario:
    """The scenario of a point: `base` with the point's keys changed, validated.

    Raises
    ------
    ScenarioError
        If it is not a possible one.
    """
    changes: dict[str, Any] = {}
    for key, value in point.items():
        *path, last = key.split(".")
        table = changes
        for part in path:
            inner = table.get(part)
            # A table is changed key by key, and so is one that another key of this point gives.
            table[part] = dict(inner) if isinstance(inner, Mapping) else {}
            table = table[part]
        table[last] = value
    if isinstance(base, Scenario):
        return base.with_settings(changes)
    return from_mapping(changed({"name": "command line"} | dict(base), changes))


def settings(scenario: Scenario, point: Point) -> dict[str, Any]:
    """The point's keys with SI values, as they stand in the scenario: one column of a table each."""
    # A file of samples is not kept in the scenario, its samples are.
    return {key: v if key.endswith(".file") else _plain(scenario, key) for key, v in point.items()}


def written(key: str, value: Any) -> str:
    """A setting or metric as people read it: ``25 Gbit/s``, ``80 ms``."""
    if value is None:
        return "–"
    if not isinstance(value, int | float):
        return str(value)
    if key.startswith("bandwidth"):
        return format_rate(value)
    if key == "model_size":
        return format_size(value)
    if key in _TIMES or key.rpartition(".")[2] in _PARTS_OF_TIMES or "time" in key:
        return format_time(value)
    if key in _WRITTEN:
        return _WRITTEN[key](value)
    if key.startswith("cost"):
        return four_digits(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


_TIMES = ("compute", "update_cost", "propagation_delay", "message_overhead")
_PARTS_OF_TIMES = ("mean", "sd", "minimum", "value", "duration", "checkpoint_interval")


def four_digits(value: float) -> str:
    """A number with four significant digits, never in powers of ten.

    >>> four_digits(318.823), four_digits(0.012345), four_digits(1234567)
    ('318.8', '0.01235', '1,235,000')
    """
    rounded = float(f"{value:.4g}")
    decimals = 0 if rounded == 0 else max(0, 3 - math.floor(math.log10(abs(rounded))))
    text = f"{rounded:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_WRITTEN: dict[str, Callable[[float], str]] = {
    "communication_share": lambda v: f"{100 * v:.4g} %",
    "scaling_efficiency": lambda v: f"{100 * v:.4g} %",
    "goodput_bytes_per_s": format_rate,
    "speedup": lambda v: f"{v:.4g} ×",
    "updates_per_s": lambda v: f"{four_digits(v)} /s",
}


def varying(points: Sequence[Point]) -> tuple[str, ...]:
    """The keys that differ from point to point."""
    if isinstance(points, Grid):
        return tuple(axis.key for axis in points.axes if len(axis.values) > 1)
    return tuple(key for key in points[0] if len({str(point[key]) for point in points}) > 1)


def _plain(scenario: Scenario, key: str) -> Any:
    value: Any = scenario.model_dump(mode="json")
    for part in key.split("."):
        value = value[part]
    if key == "bandwidth" and len(set(value.values())) == 1:
        return next(iter(value.values()))
    if isinstance(value, dict) and value.get("kind") == "deterministic":
        return value["value"]
    return str(value) if isinstance(value, dict | list) else value
