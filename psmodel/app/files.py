"""Scenario files of the page: read an uploaded file, write one for download."""

import json
from collections.abc import Mapping
from typing import Any

from psmodel.errors import BadInput
from psmodel.scenario import Scenario, from_mapping
from psmodel.storage.atomic import parse_json, parse_toml
from psmodel.wording import excerpt, plain

MOST_BYTES = 16_000
"""Of a file as JSON: the page carries it in its address, which servers take up to 64 kB of (escaped)."""


def from_file(text: str, source: str) -> Scenario:
    """A scenario from the text of a TOML or JSON file.

    Raises
    ------
    BadInput
        If it is neither, too long, no possible scenario, or names another file.
    """
    text = text.removeprefix("\ufeff")
    parse = parse_json if text.lstrip().startswith("{") else parse_toml
    values = parse(text, source)
    if not values:
        raise BadInput(f"{plain(source)} is empty; a scenario has at least workers, shards and model_size")
    no_files(values)
    scenario = from_mapping({"name": plain(source.rpartition(".")[0] or source)[:200]} | values, source)
    length = len(json.dumps(scenario.to_settings()))
    if length > MOST_BYTES:
        raise BadInput(
            f"{plain(source)} holds {length} bytes; the page takes at most {MOST_BYTES}, "
            f"`psmodel predict FILE` takes any"
        )
    return scenario


def no_files(value: Any) -> None:
    """Refuse what would have this machine read one of its files: whoever sees the page could look into it."""
    if isinstance(value, Mapping):
        if value.get("file") is not None:
            raise BadInput(
                f"file = {excerpt(value['file'])}; the page reads no files of this machine, so give the samples"
            )
        for inner in value.values():
            no_files(inner)
    elif isinstance(value, list):
        for inner in value:
            no_files(inner)


def to_toml(scenario: Scenario) -> str:
    """The scenario as a TOML file, exactly: one line per key that is not the default."""
    return "".join(f"{key} = {toml_value(value)}\n" for key, value in scenario.to_settings().items())


def toml_value(value: Any) -> str:
    """A JSON value as TOML writes it on one line (TOML 1.0: no line breaks within inline tables)."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {toml_value(v)}" for key, v in value.items() if v is not None)
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    # Scenarios hold no control characters, and any other JSON string is a basic string of TOML.
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
