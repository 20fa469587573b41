"""Scenarios from files: TOML or JSON, packaged or the user's own."""

import difflib
import json
import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from psmodel.scenario.record import Scenario, changed, from_mapping
from psmodel.scenario.sentences import ScenarioError


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """TOML as a mapping; a mistake in it is a ScenarioError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{source} is not valid TOML: {error}") from None


def _read(file: Path | Traversable, source: str) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ScenarioError(f"{source} cannot be read: {reason}") from None
    if not source.endswith(".json"):
        return parse_toml(text, source)
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ScenarioError(f"{source} is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise ScenarioError(f"{source} holds {type(values).__name__}; a scenario is a JSON object")
    return values


def packaged() -> dict[str, Traversable]:
    """Name → file of the scenarios that come with psmodel, sorted by name."""
    folder = resources.files("psmodel") / "scenarios"
    files = {f.name.removesuffix(".toml"): f for f in folder.iterdir() if f.name.endswith(".toml")}
    return dict(sorted(files.items()))


def load(name_or_path: str, **changes: Any) -> Scenario:
    """A packaged scenario by name, or one from a TOML or JSON file, with some fields changed.

    Raises
    ------
    ScenarioError
        If there is none of that name, or it is not valid.
    """
    path = Path(name_or_path)
    known = packaged()
    if name_or_path in known:
        values = _read(known[name_or_path], f"{name_or_path}.toml")
        values.setdefault("name", name_or_path)
    elif path.suffix in (".toml", ".json"):
        values = _read(path, str(path))
        values.setdefault("name", path.stem)
    else:
        close = difflib.get_close_matches(name_or_path, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
        raise ScenarioError(
            f"scenario {name_or_path!r} is neither a packaged one nor a .toml or .json file{hint}"
        )
    return from_mapping(changed(values, changes), name_or_path, path.parent)
