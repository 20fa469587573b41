"""Quantities as people write them, SI inside.

Sizes are bytes, rates are bytes/s, times are seconds. Prefixes are decimal (k, M, G, T, P); ``Ki``, ``Mi``,
``Gi``, ``Ti``, ``Pi`` are binary. ``B`` is a byte and ``b`` or ``bit`` a bit. Rates are written in bits/s, as
network people do ("10Gbps", "10 Gbit/s"), or in bytes/s ("1.25 GB/s"). Units are converted here, once, at the
door; nothing further in knows of them. A number without a unit is refused there, for nobody can tell bits from
bytes or milliseconds from seconds; 0 needs none. Only records that psmodel wrote itself hold bare SI numbers.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, SerializationInfo, ValidationInfo, WithJsonSchema

from psmodel.wording import excerpt

_NUMBER = r"[+-]?(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*(.*?)\s*", re.DOTALL)
"""Whatever follows the number is taken for a unit, so that a sentence can say what was meant."""
_MOST_CHARACTERS = 100
_DECIMAL = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_PREFIX = _DECIMAL | _BINARY

_SIZE_UNITS = {prefix + "B": float(factor) for prefix, factor in _PREFIX.items()}
_RATE_UNITS = {
    prefix + unit: factor / 8
    for prefix, factor in _PREFIX.items()
    for unit in ("bps", "bit/s", "b/s", "bits/s")
} | {prefix + "B/s": float(factor) for prefix, factor in _PREFIX.items()}
_TIME_UNITS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0,
}  # fmt: skip

READ = "units"
"""Key of a validation context: true where every number must have its unit."""
WRITTEN = "units"
"""Key of a serialisation context: true to write quantities as text, exactly."""


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A kind of quantity: its units, the largest value that makes sense (what is computed from it stays finite)."""

    name: str
    units: dict[str, float]
    si: str
    examples: str
    most: float
    most_text: str
    suggestions: Callable[[str], tuple[str, ...]]
    """Unit that is none → those that were probably meant."""
    scaled: Callable[[float], str]
    """Bare number → how to write what was probably meant."""

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of what the door takes, as far as one can say it."""
        units = "|".join(sorted(map(re.escape, self.units), key=len, reverse=True))
        number = _NUMBER.replace("[+-]?", r"\+?", 1)
        zero = r"\+?0+(?:\.0*)?"
        text = {"type": "string", "pattern": rf"^\s*(?:{number}\s*(?:{units})|{zero})\s*$"}
        return {"anyOf": [{"const": 0}, text], "examples": [self.examples.split('"')[1]]}


def _bits_or_bytes(unit: str) -> tuple[str, ...]:
    """
    >>> _bits_or_bytes("gbps"), _bits_or_bytes("GBps"), _bits_or_bytes("Gb"), _bits_or_bytes("furlong")
    (('Gbps',), ('GB/s', 'Gbps'), ('Gbps',), ())
    """
    match = re.fullmatch(
        r"([kmgtp]?)(i?)(bits?|bytes?|b|B|)(ps|/s|/sec|p|)", unit.replace(" ", ""), re.IGNORECASE
    )
    if match is None or not match[0]:
        return ()
    prefix = _prefix(match[1]) + match[2].lower()
    if match[3] == "B" or match[3].lower().startswith("byte"):
        return (f"{prefix}B/s", f"{prefix}bps") if match[3] == "B" else (f"{prefix}B/s",)
    return (f"{prefix}bps",)


def _bytes(unit: str) -> tuple[str, ...]:
    """
    >>> _bytes("mb"), _bytes("M"), _bytes("mebibytes")
    (('MB',), ('MB',), ())
    """
    match = re.fullmatch(r"([kmgtp]?)(i?)(bytes?|b|B|)", unit.replace(" ", ""), re.IGNORECASE)
    return () if match is None or not match[0] else (f"{_prefix(match[1])}{match[2].lower()}B",)


def _prefix(letter: str) -> str:
    return "k" if letter in "kK" and letter else letter.upper()


_TIME_WORDS = {
    "sec": ("s",), "secs": ("s",), "second": ("s",), "seconds": ("s",), "msec": ("ms",), "millis": ("ms",),
    "milliseconds": ("ms",), "usec": ("us",), "microseconds": ("us",), "nsec": ("ns",), "nanoseconds": ("ns",),
    "m": ("min", "ms"), "mins": ("min",), "minute": ("min",), "minutes": ("min",), "hr": ("h",), "hour": ("h",),
    "hours": ("h",), "day": ("d",), "days": ("d",),
}  # fmt: skip


def _times(unit: str) -> tuple[str, ...]:
    lower = unit.lower()
    return (lower,) if lower in _TIME_UNITS else _TIME_WORDS.get(lower, ())


_SIZE = _Kind(
    name="size", units=_SIZE_UNITS, si="B", examples='"100MB" or "64MiB"', most=1e18, most_text="1000 PB",
    suggestions=_bytes, scaled=lambda value: format_size(value).replace(" ", ""),
)  # fmt: skip
_RATE = _Kind(
    name="bandwidth", units=_RATE_UNITS, si="B/s", examples='"10Gbps", "10 Gbit/s" or "1.25 GB/s"', most=1.25e17,
    most_text="1000 Pbit/s", suggestions=_bits_or_bytes,
    scaled=lambda value: format_rate(value / 8).replace(" ", "").replace("bit/s", "bps")
    if value >= 1000 else f"{value:g}Gbps",
)  # fmt: skip
_TIME = _Kind(
    name="time", units=_TIME_UNITS, si="s", examples='"80 ms" or "0.5 s"', most=36_500 * 86_400.0,
    most_text="36500 d", suggestions=_times, scaled=lambda value: f"{value:g} s",
)  # fmt: skip


def _parse(value: object, kind: _Kind, *, bare: bool) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{excerpt(value)} is not a {kind.name}; write it like {kind.examples}")
    if isinstance(value, str):
        number, unit = _number_and_unit(value, kind)
    else:
        number, unit = _finite(value, kind), ""
    if number < 0:
        raise ValueError(f"{excerpt(value)} is negative; a {kind.name} is at least 0")
    if unit == "" and number != 0 and not (bare and not isinstance(value, str)):
        likely = 1e-3 <= number <= kind.most
        like = f'"{kind.scaled(number)}"' if likely else f"a {kind.name} like {kind.examples}"
        raise ValueError(f"{excerpt(value)} has no unit; write {like}")
    if unit not in kind.units and unit != "":
        suggestion = " or ".join(f'"{_digits(value)} {likely}"' for likely in kind.suggestions(unit))
        hint = f"did you mean {suggestion}?" if suggestion else f"write it like {kind.examples}"
        raise ValueError(f"{excerpt(value)}: {excerpt(unit)} is not a unit of a {kind.name}; {hint}")
    # A product of an integer and a unit stays exact: 80 ms is 0.08, not 0.08000000000000002.
    factor = kind.units.get(unit, 1.0)
    result = number / round(1 / factor) if 0 < factor < 1 else number * factor
    if result > kind.most:
        raise ValueError(f"{excerpt(value)} is too large; a {kind.name} is at most {kind.most_text}")
    return result


def _number_and_unit(text: str, kind: _Kind) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text) if len(text) <= _MOST_CHARACTERS else None
    if match is None or match[2][:1] in tuple("_.0123456789"):
        raise ValueError(f"{excerpt(text)} is not a {kind.name}; write it like {kind.examples}")
    number = float(match[1])
    if not math.isfinite(number):
        raise ValueError(f"{excerpt(text)} is too large; a {kind.name} is at most {kind.most_text}")
    return number, match[2]


def _finite(value: float, kind: _Kind) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(
            f"{excerpt(value)} is too large; a {kind.name} is at most {kind.most_text}"
        ) from None
    if not math.isfinite(number):
        raise ValueError(f"{excerpt(value)} is not a finite {kind.name}; write it like {kind.examples}")
    return number


def _digits(value: object) -> str:
    match = _QUANTITY.fullmatch(str(value))
    assert match is not None
    return match[1]


def parse_size(value: object, *, bare: bool = False) -> float:
    """Bytes from text such as ``"100MB"`` or ``"64 MiB"``; a number without a unit is refused unless `bare`.

    >>> parse_size("100MB"), parse_size("64MiB"), parse_size(8, bare=True)
    (100000000.0, 67108864.0, 8.0)
    """
    return _parse(value, _SIZE, bare=bare)


def parse_rate(value: object, *, bare: bool = False) -> float:
    """Bytes/s from text such as ``"10Gbps"``, ``"10 Gbit/s"`` or ``"1.25 GB/s"``; see `parse_size`.

    >>> parse_rate("10Gbps"), parse_rate("1.25 GB/s")
    (1250000000.0, 1250000000.0)
    """
    return _parse(value, _RATE, bare=bare)


def parse_time(value: object, *, bare: bool = False) -> float:
    """Seconds from text such as ``"80 ms"``; see `parse_size`.

    >>> parse_time("80 ms"), parse_time("2 min")
    (0.08, 120.0)
    """
    return _parse(value, _TIME, bare=bare)


def _scaled(value: float, steps: list[tuple[float, str]]) -> str:
    for factor, unit in steps:
        if value >= factor * 0.9995:
            return f"{value / factor:.4g} {unit}"
    factor, unit = steps[-1]
    return f"{value / factor:.4g} {unit}"


def format_size(nbytes: float) -> str:
    """Decimal text of a size: ``100 MB``."""
    return _scaled(nbytes, [(1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B")])


def format_rate(bytes_per_s: float) -> str:
    """Text of a rate in bits/s: ``10 Gbit/s``."""
    return _scaled(
        bytes_per_s * 8, [(1e12, "Tbit/s"), (1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s"), (1, "bit/s")]
    )


def format_time(seconds: float) -> str:
    """Text of a duration: ``80 ms``; what no clock could tell from nothing is not given digits.

    >>> format_time(8.132e-20)
    '< 0.001 ns'
    """
    if seconds == 0:
        return "0 s"
    if 0 < seconds < 0.9995e-12:
        return "< 0.001 ns"
    return _scaled(seconds, [(1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")])


def _quantity(kind: _Kind) -> Any:
    def read(value: object, info: ValidationInfo) -> float:
        return _parse(value, kind, bare=not (info.context or {}).get(READ))

    def written(value: float, info: SerializationInfo) -> Any:
        if not (info.context and info.context.get(WRITTEN)):
            return value
        # Python's shortest text of a number reads back as that very number.
        return f"{int(value) if value.is_integer() else repr(value)} {kind.si}"

    return BeforeValidator(read), PlainSerializer(written), WithJsonSchema(kind.schema, mode="validation")


Size = Annotated[float, *_quantity(_SIZE)]
"""A pydantic field in bytes."""
Rate = Annotated[float, *_quantity(_RATE)]
"""A pydantic field in bytes/s."""
Time = Annotated[float, *_quantity(_TIME)]
"""A pydantic field in seconds."""
