"""Records that are checked when they are made, and the sentence that says what is wrong with one.

Pydantic reports a mistake as a `ValidationError` of several lines. Whoever writes ``Scenario(...)`` or ``Normal(...)``
gets what a file gets: a `ScenarioError` of one sentence.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from psmodel.errors import BadInput
from psmodel.wording import cut, excerpt, plain

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


class ScenarioError(BadInput):
    """A scenario that cannot be: the message is one sentence naming the field, the value and what is allowed."""


class RecordType(ModelMetaclass):
    """Metaclass of records. Records inside a record are made by Pydantic without it, so that paths stay whole."""

    def __call__(cls, *arguments: Any, **values: Any) -> Any:  # noqa: N805 (of a metaclass)
        """Make one.

        Raises
        ------
        ScenarioError
            With one sentence that names the field, the value and what is allowed.
        """
        try:
            return super().__call__(*arguments, **values)
        except ValidationError as error:
            # Without the URL and the context of each error: what was given may be large.
            first = error.errors(include_url=False)[0]
            raise ScenarioError(sentence(first, "", cls.model_fields)) from None  # type: ignore[attr-defined]


TAGS: set[str] = set()
"""Kinds that tell records of one field apart; Pydantic puts them into paths, and no file has them there."""
_INTERNAL = ("function-", "constrained-", "nullable", "tagged-union")


def sentence(error: Mapping[str, Any], source: str, keys: Iterable[str]) -> str:
    """The sentence for one of Pydantic's errors; `keys` are the names that an unknown key may have meant."""
    source = plain(source)
    field = _field(error["loc"])
    where = f"{source}: {field}" if source and field else source or field
    match error["type"]:
        case "extra_forbidden":
            key = str(error["loc"][-1])
            close = difflib.get_close_matches(key, keys, n=1) if len(key) < 60 else []
            hint = f"; did you mean {close[0]!r}?" if close else "; `psmodel schema` lists the keys"
            return f"{source + ': ' if source else ''}unknown key {field!r}{hint}"
        case "missing":
            return f"{where} is missing; it must be given"
        case "value_error":
            text = str(error["ctx"]["error"])
            return f"{where}: {text}" if where else text
        case _:
            message = error["msg"][0].lower() + error["msg"][1:]
            return f"{where} = {excerpt(error['input'])}: {message}"


def _field(loc: tuple[int | str, ...]) -> str:
    """The path of a key as it is written in a file, without what only Pydantic knows of."""
    if loc[-2:] == ("deterministic", "value"):
        loc = loc[:-2]  # of a time that was given without a table
    parts = [str(part) for part in loc]
    return cut(plain(".".join(p for p in parts if not p.startswith(_INTERNAL) and p not in TAGS)))
