"""Quantities as people write them, SI inside.

Sizes are bytes, rates are bytes/s, times are seconds. Prefixes are decimal (k, M, G, T, P); ``Ki``, ``Mi``,
``Gi``, ``Ti``, ``Pi`` are binary. ``B`` is a byte and ``b`` or ``bit`` a bit. Rates are written in bits/s, as
network people do ("10Gbps", "10 Gbit/s"), or in bytes/s ("1.25 GB/s"). Units are converted here, once, at the
door; nothing further in knows of them.
"""

import math
import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_QUANTITY = re.compile(r"\s*([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*")
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


def _parse(text: str | float, units: dict[str, float], kind: str, examples: str) -> float:
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError(f"{text!r} is not a {kind}; write it like {examples}")
    if isinstance(text, int | float):
        value, unit = float(text), ""
    else:
        match = _QUANTITY.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a {kind}; write it like {examples}")
        value, unit = float(match[1]), match[2]
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite {kind}; write it like {examples}")
    if value < 0:
        raise ValueError(f"{text!r} is negative; a {kind} is at least 0")
    if isinstance(text, str) and unit == "" and value != 0:
        raise ValueError(f"{text!r} has no unit; write a {kind} like {examples}")
    if unit not in units and unit != "":
        raise ValueError(f"{text!r}: {unit!r} is not a unit of a {kind}; write it like {examples}")
    # A product of an integer and a unit stays exact: 80 ms is 0.08, not 0.08000000000000002.
    factor = units.get(unit, 1.0)
    result = value / round(1 / factor) if 0 < factor < 1 else value * factor
    if not math.isfinite(result):
        raise ValueError(f"{text!r} is too large for a {kind}")
    return result


def parse_size(text: str | float) -> float:
    """Bytes from text such as ``"100MB"`` or ``"64 MiB"``; a bare number is bytes.

    >>> parse_size("100MB"), parse_size("64MiB")
    (100000000.0, 67108864.0)
    """
    return _parse(text, _SIZE_UNITS, "size", '"100MB" or "64MiB"')


def parse_rate(text: str | float) -> float:
    """Bytes/s from text such as ``"10Gbps"``, ``"10 Gbit/s"`` or ``"1.25 GB/s"``; a bare number is bytes/s.

    >>> parse_rate("10Gbps"), parse_rate("1.25 GB/s")
    (1250000000.0, 1250000000.0)
    """
    return _parse(text, _RATE_UNITS, "bandwidth", '"10Gbps", "10 Gbit/s" or "1.25 GB/s"')


def parse_time(text: str | float) -> float:
    """Seconds from text such as ``"80 ms"``; a bare number is seconds.

    >>> parse_time("80 ms"), parse_time("2 min")
    (0.08, 120.0)
    """
    return _parse(text, _TIME_UNITS, "time", '"80 ms" or "0.5 s"')


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
    """Text of a duration: ``80 ms``."""
    if seconds == 0:
        return "0 s"
    return _scaled(seconds, [(1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")])


def _quantity(parse: Callable[[Any], float], example: str) -> Any:
    schema = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}], "examples": [example]}
    return BeforeValidator(parse), WithJsonSchema(schema)


Size = Annotated[float, *_quantity(parse_size, "100MB")]
"""A pydantic field in bytes."""
Rate = Annotated[float, *_quantity(parse_rate, "10Gbps")]
"""A pydantic field in bytes/s."""
Time = Annotated[float, *_quantity(parse_time, "80 ms")]
"""A pydantic field in seconds."""
