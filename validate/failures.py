"""Runs that could not be made, in a file beside the store: a line of JSON each."""

import json
from datetime import UTC, datetime
from pathlib import Path


def file_of(store: Path) -> Path:
    """Where the failures of a store's runs are kept."""
    return store.with_name(store.name + ".failures.jsonl")


def add(store: Path, *, key: str, scenario: str, repetition: int, suite: str | None, reason: str) -> None:
    """Keep a failure; one that cannot be written down must not hide itself, so that errors of writing it go unheard."""
    entry = {
        "schema_version": 1,
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
