"""Closed forms of thousands of scenarios at once: one array element each, through the very formulas of one."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from psmodel.analytic.closed_form import ClosedForm, phases
from psmodel.analytic.input_arrays import inputs
from psmodel.analytic.resources import work
from psmodel.calibration import IDEAL, Calibration
from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from psmodel.scenario.features import fixed_columns
from psmodel.scenario.parts import ROLES

Array = NDArray[np.float64]
_WHOLE = ("workers", "shards", "model_size")
COLUMNS = (*_WHOLE, "bandwidth", *(f"bandwidth.{role}" for role in ROLES), "propagation_delay", "compute")
"""Keys of a scenario that may vary along a grid, all in SI units."""


def predict_grid(
    base: Scenario, columns: Mapping[str, ArrayLike], calibration: Calibration = IDEAL
) -> dict[str, NDArray[Any]]:
    """What `psmodel.analytic.predict` says of `base` with each row of `columns` put in its place.

    Parameters
    ----------
    columns
        Key (of `COLUMNS`) → its values, shape (rows,), or one value for all rows. ``workers`` and ``shards`` are
        numbers, ``model_size`` bytes, ``bandwidth`` (of all links, or of one role's direction as
        ``bandwidth.shard_down``) bytes/s, ``propagation_delay`` and ``compute`` (a time that never varies) s.

    Returns
    -------
    dict
        The metrics that closed forms give (s; updates/s, NaN where an iteration takes no time) and the
        ``bottleneck``'s name; each of shape (rows,).

    Raises
    ------
    BadInput
        If a column is unknown or a value is not possible.

    Notes
    -----
    If the base's compute time is random and stays, its E[max of N] is evaluated once for each different N.

    Examples
    --------
    >>> from psmodel.scenario import load
    >>> predict_grid(load("ingress-single"), {"shards": [1, 10, 100]})["ingress_time_s"].tolist()
    [8.0, 0.8, 0.08]
    """
    table = _checked(base, columns)
    if "compute" in table:
        base = base.replace(compute=float(table["compute"].max()))  # the column's times never vary
    closed = ClosedForm(scenario=base, calibration=calibration)
    i = inputs(base, calibration, table)
    p = phases(i, together=closed.together)
    metrics: dict[str, NDArray[Any]] = {
        "iteration_time_s": p.iteration,
        "pull_time_s": p.pull,
        "compute_time_s": p.compute,
        "push_time_s": p.push,
        "wait_time_s": p.wait,
        "updates_per_s": p.updates_per_s,
    }
    if base.push != "none":
        metrics["ingress_time_s"] = p.ingress
    loads = work(i)
    busiest = np.argmax(list(loads.values()), axis=0)
    return {**metrics, "bottleneck": np.array(list(loads))[busiest]}


def _checked(base: Scenario, columns: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """The columns as arrays of one length, refused where a scenario would be."""
    fixed = fixed_columns(base)
    for name in columns:
        if name not in COLUMNS:
            raise BadInput(f"{name!r} cannot vary along a grid of closed forms; {', '.join(COLUMNS)} can")
        if name in fixed:
            raise BadInput(f"{name} cannot vary where the scenario has {fixed[name]}; sweep it")
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    defaults = {"workers": base.workers, "shards": base.shards, "model_size": base.total_bytes}
    try:
        shaped = np.broadcast_arrays(
            *arrays.values(), *(np.float64(defaults[name]) for name in _WHOLE if name not in arrays)
        )
    except ValueError:
        lengths = ", ".join(f"{name} {values.size}" for name, values in arrays.items())
        raise BadInput(f"the columns of a grid have different lengths: {lengths}") from None
    names = [*arrays, *(name for name in _WHOLE if name not in arrays)]
    table = {name: np.atleast_1d(values) for name, values in zip(names, shaped, strict=True)}
    item = base.item_size
    for name, values in table.items():
        least, above = (1.0, False) if name in _WHOLE else (0.0, name.startswith("bandwidth"))
        _refuse(name, values, lambda v, low=least, strict=above: (v > low if strict else v >= low) & (v < np.inf),  # type: ignore[misc]
                f"it is a finite number {'above' if above else 'of at least'} {least:g}")  # fmt: skip
        if name in _WHOLE:
            _refuse(name, values, lambda v: v == np.floor(v), "it is a whole number")
    _refuse("model_size", table["model_size"], lambda v: v % item == 0,
            f"it is a multiple of {item}, the bytes of one {base.dtype}")  # fmt: skip
    _refuse("workers", table["workers"], lambda v: v > base.backup_workers,
            f"it is more than backup_workers = {base.backup_workers}")  # fmt: skip
    most = table["model_size"] // item
    _refuse("shards", table["shards"], lambda v: v <= most, "it is at most the model's number of elements")
    if base.placement == "colocated" and any(name.startswith("bandwidth.") for name in table):
        raise BadInput(
            'bandwidth of one role cannot vary with placement = "colocated"; both share one interface'
        )
    return table


def _refuse(name: str, values: Array, possible: Callable[[Array], NDArray[np.bool_]], allowed: str) -> None:
    bad = np.flatnonzero(~possible(values))
    if bad.size:
        raise BadInput(f"{name} = {values[bad[0]]:g} in row {bad[0]}; {allowed}")
