"""Make others' text (names, paths, values) safe to print: one line, short, without control characters."""

from typing import Any

MOST_CHARACTERS = 60
"""Of a value that a sentence repeats."""


def plain(text: str) -> str:
    """The text with control characters, line ends and lone surrogates written out as in Python.

    >>> plain("a\\tb\\x1b[1m")
    'a\\\\tb\\\\x1b[1m'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """At most so many characters: the middle of what is longer goes.

    >>> cut("a" * 30 + "b" * 30, 11)
    'aaaaa…bbbbb'
    """
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[: most - 1 - half]}…{text[len(text) - half :]}"


def label(text: str, most: int = 80) -> str:
    """Text of others as a cell or a label shows it: on one line, plain, and not too long.

    >>> label("a\\tb\\x1b[31m"), label("x" * 20, 9)
    ('a b\\\\x1b[31m', 'xxxx…xxxx')
    """
    # Cut first as well: somebody's megabyte takes its time.
    return cut(plain("".join(" " if c.isspace() else c for c in cut(text, most))), most)


def excerpt(value: Any, most: int = MOST_CHARACTERS) -> str:
    """A value as a sentence repeats it.

    >>> excerpt("80 ms"), excerpt(True), excerpt(10**5000)
    ("'80 ms'", 'true', 'a number of 5001 digits')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # Cut first: the repr of a megabyte takes its time.
        return repr(cut(value, most))
    if isinstance(value, int) and abs(value) >= 10**most:
        # The digits of a number of a million bits take its time too, and Python refuses them.
        import math

        return f"a number of {math.floor(math.log10(abs(value))) + 1} digits"
    try:
        return cut(plain(repr(value)), most)
    except (RecursionError, ValueError, MemoryError):
        return f"a {type(value).__name__}"
