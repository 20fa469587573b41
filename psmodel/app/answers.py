"""Answers of the page that need no simulation: prediction, bounds, curves, map and prices by closed forms."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from psmodel.analytic import predict_grid
from psmodel.app.overlay import Measured
from psmodel.app.query import Query, Settings
from psmodel.calibration import Calibration
from psmodel.predictors import answer, predictor
from psmodel.results import Array, Metrics
from psmodel.scenario import Scenario
from psmodel.scenario.features import features_of, fixed_columns
from psmodel.whatif.explanations import explain
from psmodel.whatif.parameter_space import written
from psmodel.whatif.plans import pareto_front
from psmodel.whatif.prices import Machines, cost, machines_for, undominated

_POINTS = 60
_SIDE = 30
"""Cells of the bottleneck map along each axis."""
_RUN_KEYS = ("name", "description", "iterations", "warmup", "seed")
"""Keys that say how a scenario is run and called, not what it is."""


def listed(settings: Settings) -> list[dict[str, Any]]:
    """The scenarios that can be chosen."""
    measured = {run.scenario.name for run in settings.measured}
    return [
        {"name": name, "description": scenario.description, "measured": name in measured}
        for name, scenario in settings.scenarios.items()
    ]


def answered(query: Query) -> dict[str, Any]:
    """The numbers of one scenario, in SI units: its prediction with claims and bounds, and what a change brings.

    ``left_out`` says why a chart is missing; ``runs`` are the measurements of this scenario and of those that differ in
    N or K alone. ``draws`` is how many predictions its intervals come from, which take longer: see `sampled`.
    """
    scenario, settings = query.scenario, query.settings
    best = replace(settings.calibrated, draws=())
    reply = answer(scenario, predictor("analytic"), best)
    why = explain(scenario, best) if reply.prediction.metrics.iteration_time_s > 0 else None
    machines = machines_for(scenario, {}, settings.catalogue)
    return {
        "settings": _settings(scenario),
        "scenario": scenario.to_settings(),
        "features": [feature.label for feature in features_of(scenario)],
        "wanted": {"target_s": query.target_s, "budget": query.budget},
        "prediction": reply.prediction.to_json(),
        "draws": len(settings.calibrated.draws),
        "gains": [vars(gain) for gain in why.gains] if why else [],
        "gains_left_out": dict(why.left_out) if why else {},
        "here": machines
        and _priced(
            scenario, machines, reply.prediction.metrics.iteration_time_s, settings.catalogue.currency
        ),
        "currency": settings.catalogue.currency,
        "left_out": _left_out(scenario),
        "runs": _runs(scenario, settings.measured),
        "command": query.command("predict"),
        "simulate_command": query.command("simulate", "--replications", str(query.replications)),
    }


def sampled(query: Query, draws: Sequence[Calibration]) -> list[Metrics]:
    """What each of a fit's draws predicts."""
    predict = predictor("analytic")
    return [predict(query.scenario, draw).metrics for draw in draws]


CHARTS: dict[str, Callable[[Query], dict[str, Any] | None]] = {
    "shards": lambda query: _curve(query, "shards"),
    "workers": lambda query: _curve(query, "workers"),
    "map": lambda query: _map(query),
    "front": lambda query: _front(query),
}
"""Name → what computes it: a chart may take a second where a feature makes every point one by one.

``shards`` and ``workers`` hold iteration and ingress time against their number, ``map`` the binding resource of every
(N, K), ``front`` the machine types and numbers of shards that nothing beats in both cost and time.
"""


def _settings(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """Key → its value and how people write it; a bandwidth that is not the same everywhere has no value."""
    values: dict[str, Any] = {
        "workers": scenario.workers,
        "shards": scenario.shards,
        "model_size": float(scenario.total_bytes),
        "compute": scenario.compute.expected(),
        "compute_cv": getattr(scenario.compute, "cv", 0.0 if not scenario.compute.is_random else None),
        "mode": scenario.mode,
        "staleness_bound": scenario.staleness_bound,
        "iterations": scenario.iterations,
    }
    text = {key: written(key, value) for key, value in values.items()}
    values["bandwidth"], text["bandwidth"] = None, "no network"
    if scenario.bandwidth is not None and scenario.placement != "single-host":
        rates = sorted({rate for _, rate in scenario.bandwidth})
        values["bandwidth"] = rates[0] if len(rates) == 1 else None
        text["bandwidth"] = " to ".join(written("bandwidth", rate) for rate in rates)
    return {key: {"value": value, "text": text[key]} for key, value in values.items()}


def _numbers(most: float, points: int, *, least: int = 1, always: Sequence[int] = ()) -> Array:
    """Whole numbers from `least` to `most`, evenly spaced on a logarithmic axis."""
    spaced = np.geomspace(least, most, points).round()
    return np.unique(np.concatenate([spaced, np.array(always, np.float64)]))


def _least(scenario: Scenario, key: str) -> int:
    return 1 + scenario.backup_workers if key == "workers" else 1


def _reach(scenario: Scenario, key: str) -> float:
    """How far an axis goes: past where one more shard or worker stops to matter."""
    most = max(256, 4 * scenario.workers, 4 * scenario.shards)
    return min(most, scenario.total_elements) if key == "shards" else most


def _curve(query: Query, key: str) -> dict[str, Any] | None:
    scenario = query.scenario
    if key in fixed_columns(scenario):
        return None
    x = _numbers(_reach(scenario, key), _POINTS, least=_least(scenario, key), always=[getattr(scenario, key)])
    curves = predict_grid(scenario, {key: x}, query.settings.calibrated.best)
    names = [name for name in ("iteration_time_s", "ingress_time_s") if name in curves]
    return {"x": x.tolist(), **{name: curves[name].tolist() for name in names}}


def _left_out(scenario: Scenario) -> dict[str, str]:
    """Chart → why there is none."""
    fixed = fixed_columns(scenario)
    charts = {"shards": {"shards"}, "workers": {"workers"}, "map": {"workers", "shards"}}
    return {
        chart: f"The scenario gives {fixed[min(keys & fixed.keys())]} for these very hosts, so that their number "
        "cannot vary here."
        for chart, keys in charts.items()
        if keys & fixed.keys()
    }


def _map(query: Query) -> dict[str, Any] | None:
    scenario = query.scenario
    if fixed_columns(scenario).keys() & {"workers", "shards"}:
        return None
    workers, shards = (
        _numbers(_reach(scenario, key), _SIDE, least=_least(scenario, key)) for key in ("workers", "shards")
    )
    n, k = np.meshgrid(workers, shards)
    metrics = predict_grid(
        scenario, {"workers": n.ravel(), "shards": k.ravel()}, query.settings.calibrated.best
    )
    binding = metrics["bottleneck"]
    names = sorted(set(binding.tolist()), key=lambda name: -int((binding == name).sum()))
    return {
        "workers": workers.tolist(),
        "shards": shards.tolist(),
        "names": names,
        "cells": [names.index(name) for name in binding.tolist()],
        "iteration_time_s": metrics["iteration_time_s"].tolist(),
    }


def _front(query: Query) -> dict[str, Any]:
    """Prices of every number of shards on every machine type (for both roles)."""
    scenario, catalogue = query.scenario, query.settings.catalogue
    fixed = "shards" in fixed_columns(scenario)
    shards = (
        np.array([float(scenario.shards)])
        if fixed
        else _numbers(_reach(scenario, "shards"), _POINTS, always=[scenario.shards])
    )
    cores = scenario.cores_per_host or 1
    machines = undominated(m for m in catalogue.machine if (m.cores or cores) >= cores)
    columns = {} if fixed else {"shards": np.tile(shards, len(machines))}
    if scenario.placement != "single-host":
        columns["bandwidth"] = np.repeat([machine.bandwidth for machine in machines], len(shards))
    shape = (len(machines), len(shards))
    times = (
        predict_grid(scenario, columns, query.settings.calibrated.best)["iteration_time_s"]
        if machines
        else np.zeros(0)
    )
    rows = []
    for machine, of_machine in zip(machines, np.resize(times, shape).tolist(), strict=True):
        both = Machines(worker=machine, shard=machine)
        for k, time in zip(shards.tolist(), of_machine, strict=True):
            rows.append(
                _priced(scenario.model_copy(update={"shards": int(k)}), both, time, catalogue.currency)
            )
    return {
        "rows": list(pareto_front(rows)),
        "currency": catalogue.currency,
        "prices": f"{catalogue.name}, of {catalogue.read_on}",
    }


def _priced(scenario: Scenario, machines: Machines, time: float, currency: str) -> dict[str, Any]:
    price = cost(scenario, machines, time, currency)
    return {
        "machine": " and ".join(dict.fromkeys((machines.worker.name, machines.shard.name))),
        "shards": scenario.shards,
        "iteration_time_s": time,
        "cost_per_hour": price.per_hour,
        "cost_per_1000_iterations": price.per_1000_iterations,
    }


def _runs(scenario: Scenario, measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """Runs of this scenario with any N and K; ``varies`` names which of the two is another one."""
    rows = []
    same = _what(scenario)
    for run in measured:
        what = _what(run.scenario)
        varies = [key for key in ("workers", "shards") if what[key] != same[key]]
        if len(varies) < 2 and {**what, "workers": 0, "shards": 0} == {**same, "workers": 0, "shards": 0}:
            rows.append(
                {
                    "workers": run.scenario.workers,
                    "shards": run.scenario.shards,
                    "varies": varies,
                    "iteration_time_s": run.metrics.iteration_time_s,
                    "ingress_time_s": run.metrics.ingress_time_s,
                    "suspect": run.suspect,
                }
            )
    return rows


def _what(scenario: Scenario) -> dict[str, Any]:
    resolved = scenario.to_json()
    return {key: value for key, value in resolved.items() if key not in _RUN_KEYS}
