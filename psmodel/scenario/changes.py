"""A scenario's plain values with some of them changed."""

from collections.abc import Mapping
from typing import Any

from psmodel.scenario.parts import one_rate_sets_all


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with `changes` on top: tables are merged key by key, and what a change contradicts goes."""
    merged = dict(values)
    for key, value in changes.items():
        if key == "bandwidth":
            merged[key] = merge(one_rate_sets_all(merged.get(key)), value)
        else:
            merged[key] = merge(merged.get(key), value)
    for one, other in (("model_size", "elements"), ("elements", "model_size")):
        if one in changes and other not in changes:
            merged.pop(other, None)
    if changes.get("iterations", 1) is None:
        merged.pop("warmup", None)
    if changes.get("mode", "ssp") != "ssp" and "staleness_bound" not in changes:
        merged.pop("staleness_bound", None)
    return merged


def merge(old: object, new: object) -> object:
    """`new`, or if both are tables `old` with the keys of `new` on top; another ``kind`` is another table."""
    if isinstance(old, Mapping) and isinstance(new, Mapping) and "kind" not in new:
        # A file of samples takes the place of samples that were there, and the reverse.
        obsolete = {"samples"} if "file" in new else {"file"} if "samples" in new else set()
        rest = {key: value for key, value in old.items() if key not in obsolete}
        return {**rest, **{key: merge(old.get(key), value) for key, value in new.items()}}
    return new
