"""Parse numbers of parameters as people write them ("1.2 billion"); refuse letters that may mean several things."""

import re
from fractions import Fraction
from typing import Any

_WORDS = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_LETTERS = {
    "k": "thousand", "m": "million", "g": "billion", "b": "billion", "bn": "billion", "t": "trillion",
}  # fmt: skip
MOST_ELEMENTS = 10**17
_COUNT = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?(?:[eE]\+?[0-9]{1,2})?)\s*([A-Za-z]*)\s*")
COUNT_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": MOST_ELEMENTS},
        {
            "type": "string",
            "pattern": r"^\s*[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE]\+?[0-9]{1,2})?"
            rf"\s*(?:{'|'.join(f'[{word[0].upper()}{word[0]}]{word[1:]}' for word in _WORDS)})?\s*$",
        },
    ],
    "examples": [1_200_000_000, "1.2 billion"],
}
"""JSON Schema of what is taken, as far as one can say it."""


def parse_count(value: Any) -> Any:
    """A whole number from text such as ``"1.2 billion"`` or ``"1.2e9"``; anything but text as it is.

    Raises
    ------
    ValueError
        If the text ends in a letter: B may be billions or bytes, and M that of a size.

    >>> parse_count("1.2 billion"), parse_count("1.2e9"), parse_count(7)
    (1200000000, 1200000000, 7)
    >>> parse_count("1.2B")
    Traceback (most recent call last):
    ValueError: '1.2B' may be billions or bytes; write "1.2 billion" for elements, or give model_size for bytes
    """
    match = _COUNT.fullmatch(value) if isinstance(value, str) and len(value) <= 40 else None
    if match is None:
        return value
    number, unit = match.groups()
    word = unit.lower()
    if word in _LETTERS:
        multiple = _LETTERS[word]
        what = "billions or bytes" if word == "b" else f"{multiple}s or a prefix of bytes"
        raise ValueError(
            f'{value!r} may be {what}; write "{number} {multiple}" for elements, or give model_size for bytes'
        )
    if word and word not in _WORDS:
        size = re.fullmatch(r"[kmgtp]i?b|bytes?", word)
        hint = (
            "that is a size, so give it as model_size"
            if size
            else 'write it like 1_200_000_000 or "1.2 billion"'
        )
        raise ValueError(f"{value!r} is no number of elements; {hint}")
    count = Fraction(number.replace("_", "")) * _WORDS.get(word, 1)
    if count.denominator != 1:
        raise ValueError(f"{value!r} is {float(count):g} elements; it is a whole number")
    return int(count)
