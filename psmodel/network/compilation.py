"""The functions of `levels` and `filling`, compiled; imported only where there is much to do.

What is compiled is kept on disk beside the sources (or in Numba's cache folder if that cannot be written to).
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba

from psmodel.network import filling, levels

_ORDER = (
    (levels, ("put", "sift", "advance", "insert", "remove", "enlarge", "begin")),
    (filling, ("hand_on", "take_over", "candidate", "go_before", "go_last", "next_end", "settle")),
    (filling, ("forget_empty", "end", "take_out", "recount")),
)


def compiled() -> dict[str, Callable[..., Any]]:
    """The functions by name; each calls the compiled ones of those before it."""
    functions: dict[str, Any] = {}
    for module, names in _ORDER:
        for name in names:
            scope = {**vars(module), **functions}
            copy = FunctionType(getattr(module, name).__code__, scope, name)
            functions[name] = numba.njit(cache=True)(copy)
    return functions
