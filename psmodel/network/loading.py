"""The compiled functions, loaded when they are first needed."""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any


@cache
def has_numba() -> bool:
    """Whether the extra `fast` is installed."""
    return find_spec("numba") is not None


@cache
def compiled_functions() -> dict[str, Callable[..., Any]]:
    """The compiled functions; loading Numba takes half a second, and a first compilation some more.

    Raises
    ------
    ModuleNotFoundError
        If the extra `fast` is not installed.
    """
    from psmodel.network.compilation import compiled

    return compiled()


def is_loaded() -> bool:
    """Whether this process has the compiled functions already."""
    return compiled_functions.cache_info().currsize > 0
