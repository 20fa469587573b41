"""Whether what was stored of a run can be one: types, ranges, shapes, and instants in their order.

A record comes from a disk or from somebody else, so nothing of it is taken for granted; what is wrong with it is one
sentence, and a run that fails is left out rather than scored.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from psmodel.errors import BadInput
from psmodel.records import sentence
from psmodel.scenario import Scenario
from psmodel.wording import label

_TOLERANCE_S = 2e-6
"""Instants that are shipped are rounded to microseconds."""
_NO_RECORD = ("scenario", "instants", "updates")
_PARTS = (None, "calibration", "held_out")


@cache
def _model(kind: type) -> type[BaseModel]:
    """The record's fields with their types, as the dataclass declares them; all but the scenario and the samples."""
    hints = get_type_hints(kind)
    declared: dict[str, Any] = {
        f.name: (hints[f.name], ... if f.default is MISSING else f.default)
        for f in fields(kind)
        if f.name not in _NO_RECORD
    }
    config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")
    return create_model(f"{kind.__name__}Record", __config__=config, **declared)


def record_fields(record: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """The fields of a record, typed as those of the dataclass `kind`.

    Raises
    ------
    BadInput
        If one is missing, of another type, or impossible.
    """
    try:
        # By way of JSON, in which a list is a tuple and a whole number a float, and nothing else is anything else.
        checked = _model(kind).model_validate_json(json.dumps(dict(record)))
    except ValidationError as error:
        first: dict[str, Any] = dict(error.errors()[0])
        raise BadInput(f"a measurement is no whole one: {label(sentence(first, '', ()), 200)}") from None
    values = {name: getattr(checked, name) for name in type(checked).model_fields}
    for name, allowed in (
        ("run_id", values["run_id"].isprintable() and 0 < len(values["run_id"]) <= 100),
        ("part", values["part"] in _PARTS),
        ("repetition", values["repetition"] >= 0),
        ("duration_s", values["duration_s"] >= 0),
        ("clock_uncertainty_s", values["clock_uncertainty_s"] >= 0),
        ("started_at", _is_instant(values["started_at"])),
        ("link_goodput", all(rate > 0 for rate in values["link_goodput"].values())),
        ("outages", all(o.died_s <= o.back_s and o.updates_lost >= 0 for o in values["outages"])),
    ):
        if not allowed:
            raise BadInput(f"a measurement's {name} cannot be {label(repr(values[name]))}")
    return values


def _is_instant(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def most_bytes(scenario: Scenario) -> int:
    """Bytes that the samples of a run of the scenario can have at most, one array at a time."""
    return (
        1 + bool(scenario.failures)
    ) * 8 * scenario.workers * scenario.total_iterations * scenario.shards + 4096


def check_samples(
    scenario: Scenario, instants: Mapping[str, NDArray[Any]], updates: Mapping[str, NDArray[Any]]
) -> None:
    """See whether a run's samples are those of its scenario.

    Parameters
    ----------
    instants
        Name → instants (s) in the order of an iteration, each of shape (workers, iterations).
    updates
        Name → what is known of every update, each of shape (updates,).

    Raises
    ------
    BadInput
        If a shape, a type or a value cannot be, say because an iteration ends before it starts.
    """
    shape = (scenario.workers, scenario.total_iterations)
    for name, array in instants.items():
        if array.shape != shape or array.dtype.kind not in "fiu":
            raise BadInput(
                f"a measurement's instants {name!r} have the shape {array.shape} and type {array.dtype}; for its "
                f"scenario they are numbers of shape {shape}"
            )
        if not np.isfinite(array).all():
            raise BadInput(f"a measurement's instants {name!r} hold what is no number")
    names = list(instants)
    for before, after in pairwise(names):
        if (instants[after] < instants[before] - _TOLERANCE_S).any():
            raise BadInput(f"in a measurement an iteration's instant {after!r} lies before {before!r}")
    first, last = instants[names[0]], instants[names[-1]]
    if (first[:, 1:] < last[:, :-1] - _TOLERANCE_S).any():
        raise BadInput("in a measurement an iteration starts before the one before it has ended")
    _check_updates(scenario, updates)


def _check_updates(scenario: Scenario, updates: Mapping[str, NDArray[Any]]) -> None:
    planned = scenario.workers * scenario.total_iterations * scenario.shards
    if scenario.failures:
        planned *= 2  # some are applied again
    sizes = {array.shape for array in updates.values()}
    if len(sizes) != 1 or any(len(size) != 1 or size[0] > planned for size in sizes):
        raise BadInput(
            f"a measurement's updates have the shapes {sorted(sizes)}; they are lists of one length, "
            f"of {planned} at most"
        )
    limits = {"shard": scenario.shards, "worker": scenario.workers, "iteration": scenario.total_iterations}
    for name in (*limits, "staleness"):
        array = updates[name]
        if array.dtype.kind not in "iu" or (array < 0).any() or (array >= limits.get(name, np.inf)).any():
            raise BadInput(f"a measurement's updates have a {name} that its scenario does not have")
    begin, end = updates["begin"], updates["end"]
    if (
        not all(a.dtype.kind in "fiu" and np.isfinite(a).all() for a in (begin, end))
        or (end < begin - _TOLERANCE_S).any()
    ):
        raise BadInput("in a measurement an update ends before it begins, or at no time")
