"""The functions of this folder, compiled; imported only where there are many messages."""

from collections.abc import Callable
from functools import cache
from typing import Any

from psmodel.network.compilation import compile_in_order
from psmodel.network.loading import compiled_functions
from psmodel.simulation.messages import asking, calls, course, events, rows

_ORDER = (
    (events, ("schedule", "first", "after", "change")),
    (calls, ("depart", "one_less", "finish", "begin_call", "serve", "call", "take", "arrive", "served")),
    (asking, ("ask_next", "ask", "sent", "send", "push", "pushed_one")),
    (course, ("by_start", "complete", "set_timer", "happen", "lengthen", "repair", "run")),
)


@cache
def compiled() -> dict[str, Callable[..., Any]]:
    """The functions by name."""
    return compile_in_order(_ORDER, compiled_functions(), sources=(rows,))
