"""What is wrong with a scenario, in one sentence."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from psmodel.distributions import KINDS
from psmodel.errors import BadInput


class ScenarioError(BadInput):
    """A scenario that cannot be: the message is one sentence naming the field, the value and what is allowed."""


def sentence(error: Mapping[str, Any], source: str, known: Iterable[str]) -> str:
    """The sentence for one of Pydantic's errors; `known` are the names that an unknown key may have meant."""
    field = ".".join(str(p) for p in error["loc"] if not str(p).startswith("function-") and p not in KINDS)
    where = f"{source}: {field}" if source and field else source or field
    match error["type"]:
        case "extra_forbidden":
            close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else "; `psmodel schema` lists the keys"
            return f"{source + ': ' if source else ''}unknown key {field!r}{hint}"
        case "missing":
            return f"{where} is missing; it must be given"
        case "value_error":
            text = str(error["ctx"]["error"])
            return f"{where}: {text}" if where else text
        case _:
            message = error["msg"][0].lower() + error["msg"][1:]
            return f"{where} = {error['input']!r}: {message}"
