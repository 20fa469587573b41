"""Scenarios from files: TOML or JSON, packaged or the user's own."""

import difflib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from psmodel.errors import BadInput
from psmodel.records import ScenarioError
from psmodel.scenario.changes import changed
from psmodel.scenario.scenario import Scenario, from_mapping
from psmodel.storage import atomic as files
from psmodel.wording import excerpt, plain

_MOST_BYTES = 16 * 2**20


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """TOML as a mapping; a mistake in it is a ScenarioError."""
    try:
        return files.parse_toml(text, source)
    except BadInput as error:
        raise ScenarioError(str(error)) from None


def _read(file: Path | Traversable, source: str) -> dict[str, Any]:
    try:
        text = files.read_text(file, source, most=_MOST_BYTES)
        values = (
            files.parse_json(text, source) if source.endswith(".json") else files.parse_toml(text, source)
        )
    except BadInput as error:
        raise ScenarioError(str(error)) from None
    if not isinstance(values, dict):
        raise ScenarioError(f"{plain(source)} holds no JSON object; a scenario is one")
    return values


def packaged() -> dict[str, Traversable]:
    """Name → file of the scenarios that come with psmodel, sorted by name."""
    folder = resources.files("psmodel.scenario") / "packaged"
    files = {f.name.removesuffix(".toml"): f for f in folder.iterdir() if f.name.endswith(".toml")}
    return dict(sorted(files.items()))


def load(name_or_path: str, **changes: Any) -> Scenario:
    """A packaged scenario by name, or one from a TOML or JSON file, with some fields changed.

    Quantities have their units in the file as in the changes: ``load("ingress-single", bandwidth="25Gbps")``.

    Raises
    ------
    ScenarioError
        If there is none of that name, or it is not valid.
    """
    path = Path(name_or_path)
    files = packaged()
    if name_or_path in files:
        values = _read(files[name_or_path], f"{name_or_path}.toml")
        values.setdefault("name", name_or_path)
    elif path.suffix in (".toml", ".json"):
        values = _read(path, str(path))
        values.setdefault("name", plain(path.stem)[:200])
    else:
        close = difflib.get_close_matches(name_or_path[:100], files, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; choose one of {', '.join(files)}"
        raise ScenarioError(
            f"scenario {excerpt(name_or_path)} is neither a packaged one nor a .toml or .json file{hint}"
        )
    return from_mapping(changed(values, changes), name_or_path, path.parent)
