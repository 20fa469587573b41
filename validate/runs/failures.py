"""The log of failed runs beside the store, one JSON line each."""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
_NAMES = ("at", "scenario", "reason")


def file_of(store: Path) -> Path:
    """Where the failures of a store's runs are kept."""
    return store.with_name(store.name + ".failures.jsonl")


def add(store: Path, *, key: str, scenario: str, repetition: int, suite: str | None, reason: str) -> None:
    """Keep a failure; one that cannot be written down must not hide itself, so that errors of writing it go unheard."""
    entry = {
        "schema_version": SCHEMA_VERSION,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "suite": suite,
        "scenario": scenario,
        "repetition": repetition,
        "key": key,
        "reason": reason,
    }
    try:
        with file_of(store).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
    except OSError:
        return


def entries(store: Path) -> list[dict[str, Any]]:
    """The failures that are written down, oldest first; a damaged line is left out."""
    try:
        lines = file_of(store).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    events = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if not isinstance(entry, dict) or entry.get("schema_version") != SCHEMA_VERSION:
                continue
            if all(isinstance(entry.get(name), str) for name in _NAMES):
                events.append(entry)
    return events
