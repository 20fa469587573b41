"""Closed forms of thousands of scenarios at once: one array element each, through the very formulas of one."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from psmodel.analytic import Inputs, inputs, phase_times, resource_times
from psmodel.calibration import IDEAL, Calibration
from psmodel.demands import array_costs
from psmodel.errors import BadInput
from psmodel.scenario import Scenario

Array = NDArray[np.float64]
_ROLES = ("worker_up", "worker_down", "shard_up", "shard_down")
_EVEN_ONLY = (
    "shard_weights", "shards_per_host", "racks", "stragglers", "layers", "compression", "prefetch", "backup_workers",
)  # fmt: skip
_WHOLE = ("workers", "shards", "model_size")
COLUMNS = (*_WHOLE, "bandwidth", *(f"bandwidth.{role}" for role in _ROLES), "propagation_delay", "compute")
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
    i = _inputs(base, _checked(base, columns), calibration)
    times = phase_times(i, mode=base.mode, pull=base.pull, push=base.push)
    rows = np.shape(i.workers)
    metrics: dict[str, Array] = {
        f"{phase}_time_s": np.broadcast_to(time, rows).astype(np.float64)
        for phase, time in times.items()
        if phase != "ingress" or base.push != "none"
    }
    iteration = metrics["iteration_time_s"]
    metrics["updates_per_s"] = np.divide(i.workers, iteration, out=np.full(rows, np.nan), where=iteration > 0)
    work = resource_times(i, pull=base.pull, push=base.push)
    busiest = np.argmax([np.broadcast_to(time, rows) for time in work.values()], axis=0)
    return {**metrics, "bottleneck": np.array(list(work))[busiest]}


def _checked(base: Scenario, columns: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """The columns as arrays of one length, refused where a scenario would be."""
    for name in columns:
        if name not in COLUMNS:
            raise BadInput(f"{name!r} cannot vary along a grid of closed forms; {', '.join(COLUMNS)} can")
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    defaults = {"workers": base.workers, "shards": base.shards, "model_size": base.total_bytes}
    try:
        shaped = np.broadcast_arrays(
            *arrays.values(), *(np.float64(defaults[name]) for name in _WHOLE if name not in arrays)
        )
    except ValueError:
        lengths = ", ".join(f"{name} {values.size}" for name, values in arrays.items())
        raise BadInput(f"the columns of a grid have different lengths: {lengths}") from None
    for field in _EVEN_ONLY:
        if getattr(base, field) != Scenario.model_fields[field].default:
            raise BadInput(
                f"scenario {base.name} has {field}, which a grid of closed forms leaves out; sweep it"
            )
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
    most = table["model_size"] // item
    _refuse("shards", table["shards"], lambda v: v <= most, "it is at most the model's number of elements")
    if base.placement == "colocated" and any(name.startswith("bandwidth.") for name in table):
        raise BadInput(
            'bandwidth of one role cannot vary with placement = "colocated"; both share one interface'
        )
    if base.compute_factors is not None and columns.keys() & {"workers", "compute"}:
        raise BadInput(
            "workers and compute cannot vary where the scenario has compute_factors, one per worker"
        )
    return table


def _refuse(name: str, values: Array, possible: Callable[[Array], NDArray[np.bool_]], allowed: str) -> None:
    bad = np.flatnonzero(~possible(values))
    if bad.size:
        raise BadInput(f"{name} = {values[bad[0]]:g} in row {bad[0]}; {allowed}")


def _inputs(base: Scenario, table: Mapping[str, Array], calibration: Calibration) -> Inputs:
    one = inputs(base, calibration)
    n, k, model = (table[name] for name in _WHOLE)
    item = base.item_size
    # numpy.array_split gives `rest` shards one element more than the others.
    elements, rest = np.divmod(model / item, k)
    smallest, largest = elements * item, (elements + (rest > 0)) * item
    few, many = (array_costs(base, calibration, sizes) for sizes in (smallest, largest))
    update = base.update_cost.expected()
    total = {name: rest * many[name] + (k - rest) * few[name] for name in many}
    colocated = base.placement == "colocated"
    remote_workers = n - (colocated & (n >= k))
    on_host = largest
    if colocated:
        # As analytic.inputs has it: the largest shard with a worker at home, or the largest of those without.
        away = np.where(k > n, n * np.where(rest > n, largest, smallest), 0.0)
        most = np.maximum((n - 1) * largest, away)
        on_host = np.divide(most, remote_workers, out=np.zeros_like(most), where=remote_workers > 0)
    linked = base.placement != "single-host"
    efficiency = base.payload_fraction * calibration.goodput_factor
    given = {role: table.get(f"bandwidth.{role}", table.get("bandwidth")) for role in _ROLES}
    rates = {
        role: getattr(one, role) if rate is None or not linked else rate * efficiency
        for role, rate in given.items()
    }
    if "compute" in table:
        compute = slowest = table["compute"]
    else:
        compute = slowest = np.full_like(n, one.compute)
        if base.compute_factors is not None:
            slowest = np.full_like(n, one.compute_slowest)
        elif base.mode == "bsp" and base.compute.is_random:
            distinct, where = np.unique(n, return_inverse=True)
            slowest = np.array([base.compute.expected_max(int(count)) for count in distinct])[where]
    return Inputs(
        workers=n,
        shards=k,
        pulled=model - largest * (colocated & (k >= n)),
        pushed=model - largest * (colocated & (k >= n)),
        out_of_host=on_host,
        into_host=on_host,
        remote_workers=remote_workers,
        **rates,
        send=many["send"],
        send_all=total["send"],
        reply=many["reply"],
        reply_all=total["reply"],
        apply=many["apply"] + update,
        apply_all=total["apply"] + k * update,
        receive=many["receive"],
        receive_all=total["receive"],
        take_in=many["take_in"],
        take_in_all=total["take_in"],
        request_all=k * calibration.submit_overhead_s,
        assemble=calibration.copy_s_per_byte * model,
        compute=compute,
        compute_slowest=slowest,
        delay=table.get("propagation_delay", one.delay) if linked else one.delay,
        call_latency=one.call_latency,
        ask=one.ask,
        cores=one.cores,
        rack_pull=0.0,
        rack_push=0.0,
    )
