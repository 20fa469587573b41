"""What hosts were when somebody accepted them, beside the store: hosts unlike each other are then no fault."""

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from psmodel.errors import BadInput
from psmodel.storage.atomic import parse_json, read_text, whole
from validate.gate.hosts import ASPECTS, HostVerdict, Known

SCHEMA_VERSION = 1
_READ: TypeAdapter[dict[str, dict[str, float]]] = TypeAdapter(dict[str, dict[str, float]])


def file_of(store: Path) -> Path:
    """Where the hosts of a store's cluster are kept."""
    return store.with_name(store.name + ".hosts.json")


def save(verdict: HostVerdict, store: Path) -> Path:
    """Keep every host as it is now; where."""
    hosts: dict[str, dict[str, float]] = {}
    for e in verdict.estimates:
        hosts.setdefault(e.host, {})[e.aspect] = e.value
    path = file_of(store)
    with whole(path) as file:
        file.write(json.dumps({"schema_version": SCHEMA_VERSION, "hosts": hosts}, indent=1).encode())
    return path


def load(store: Path) -> Known | None:
    """The hosts that were accepted; None if none were.

    Raises
    ------
    BadInput
        If the file is no whole one.
    """
    path = file_of(store)
    if not path.exists():
        return None
    values = parse_json(read_text(path), str(path))
    if not isinstance(values, dict) or values.get("schema_version") != SCHEMA_VERSION:
        raise BadInput(f"{path} holds no hosts of schema_version {SCHEMA_VERSION}")
    try:
        hosts = _READ.validate_python(values.get("hosts"))
    except ValidationError:
        hosts = {}
    if not hosts or any(set(h) != set(ASPECTS) or min(h.values()) <= 0 for h in hosts.values()):
        raise BadInput(f"{path} is no whole file of accepted hosts; remove it, and accept them anew")
    return hosts
