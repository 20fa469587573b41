"""Targets of a plan: a metric and the most, or the least, that it may be, as people write them.

>>> [str(parse_target(t)) for t in ("iteration_time<=500ms", "communication_share<=20%", "goodput>=40Gbps")]
['iteration_time_s <= 500 ms', 'communication_share <= 20 %', 'goodput_bytes_per_s >= 40 Gbit/s']
"""

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields

from psmodel.derived_metrics import DERIVED
from psmodel.errors import BadInput
from psmodel.results import Metrics
from psmodel.units import parse_rate, parse_time
from psmodel.whatif.parameter_space import written

COSTS = ("cost_per_hour", "cost_per_1000_iterations")
NAMES = (*(f.name for f in fields(Metrics)), *DERIVED, *COSTS)
"""Everything a target may be of."""
FORM = 'write a target like "iteration_time<=0.5s", "communication_share<=20%" or "updates_per_s>=100"'
ROUNDING = 1e-9
"""A target is met up to rounding: 0.1 + 0.2 meets 0.3."""
_TARGET = re.compile(r"\s*([\w-]+)\s*(<=|>=|≤|≥)\s*(.+?)\s*")
_SHARES = ("communication_share", "scaling_efficiency")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A metric (or cost) and the most, or the least, that it may be; SI units."""

    name: str
    at_most: bool
    value: float

    def met(self, value: float | None) -> bool:
        """Whether a value is good enough; an unknown one is not."""
        if value is None:
            return False
        slack = ROUNDING * abs(self.value)
        return value <= self.value + slack if self.at_most else value >= self.value - slack

    def distance(self, value: float | None) -> float:
        """Ratio by which a value misses: 1 or less where it meets the target."""
        if value is None or min(value, self.value) <= 0:
            return 0.0 if self.met(value) else float("inf")
        return value / self.value if self.at_most else self.value / value

    def text(self, value: float | None) -> str:
        """A value of this metric as people read it."""
        return written(self.name, value)

    def __str__(self) -> str:
        return f"{self.name} {'<=' if self.at_most else '>='} {self.text(self.value)}"


def parse_target(text: str) -> Target:
    """A target from ``metric<=value`` or ``metric>=value``; the unit in a name (``_s``) may be left out.

    Raises
    ------
    BadInput
        If it cannot be read, there is no such metric, or the value is not one of it.
    """
    match = _TARGET.fullmatch(text)
    if match is None:
        raise BadInput(f"--target {text!r} cannot be read; {FORM}")
    name, sign, value_text = match.groups()
    name = _full_name(name.replace("-", "_"), text)
    try:
        value = _reader(name)(value_text)
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"{value_text!r} is no value of {name}; it is finite and at least 0")
    except ValueError as error:
        raise BadInput(f"--target {text!r}: {error}") from None
    return Target(name=name, at_most=sign in "<=≤", value=value)


def _full_name(name: str, text: str) -> str:
    for candidate in (name, f"{name}_s", f"{name}_bytes_per_s", f"{name}_per_s"):
        if candidate in NAMES:
            return candidate
    close = difflib.get_close_matches(name, NAMES, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(NAMES)}"
    raise BadInput(f"--target {text!r}: there is no {name!r}; {hint}")


def _reader(name: str) -> Callable[[str], float]:
    if name in _SHARES:
        return _share
    if name == "goodput_bytes_per_s":
        return parse_rate
    if name.endswith("_s") and not name.endswith("_per_s"):
        return parse_time
    return {"updates_per_s": _suffixed("/s"), "speedup": _suffixed("x", "×")}.get(name, _number)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


def _suffixed(*suffixes: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        for suffix in suffixes:
            text = text.removesuffix(suffix)
        return _number(text.strip())

    return read


def _share(text: str) -> float:
    number, percent, rest = text.partition("%")
    value = _number(number.strip()) / (100 if percent else 1)
    if rest or value > 1:
        raise ValueError(f"{text!r} is no share; write it like 20% or 0.2")
    return value
