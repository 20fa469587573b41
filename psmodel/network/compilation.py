"""The functions of `levels` and `filling`, compiled; imported only where there is much to do.

What is compiled is kept on disk beside the sources (or in Numba's cache folder if that cannot be written to).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numba

from psmodel.network import filling, levels

_ORDER = (
    (levels, ("put", "sift", "advance", "insert", "remove", "enlarge", "begin")),
    (filling, ("hand_on", "take_over", "candidate", "go_before", "go_last", "next_end", "settle")),
    (filling, ("forget_empty", "end", "take_out", "recount")),
)


def compiled() -> dict[str, Callable[..., Any]]:
    """The functions by name."""
    return compile_in_order(_ORDER, {})


def compile_in_order(
    order: Sequence[tuple[ModuleType, Sequence[str]]],
    before: Mapping[str, Callable[..., Any]],
    sources: Sequence[ModuleType] = (),
) -> dict[str, Callable[..., Any]]:
    """`before` and the functions that `order` names; each calls the compiled ones of those before it.

    What is on disk is used only if nothing has changed in any of their modules, or in `sources`, whose constants they
    use: Numba looks at the file of the one function alone.
    """
    functions: dict[str, Any] = dict(before)
    digest = hashlib.sha256("".join(sorted(functions)).encode())
    for module in (*(module for module, _ in _ORDER), *(module for module, _ in order), *sources):
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    state = digest.hexdigest()[:12]
    for module, names in order:
        for name in names:
            scope = {**vars(module), **functions}
            copy = FunctionType(getattr(module, name).__code__, scope, name)
            copy.__qualname__ = f"{name}_{state}"
            # They allocate nothing: without Numba's counting of references they are three times as fast.
            functions[name] = numba.njit(cache=True, _nrt=False)(copy)
    return functions
