"""What is asked of every point of a space: by which method, with which coefficients, at whose prices."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache, partial
from importlib.metadata import version
from typing import Any

from psmodel.calibration import Calibration
from psmodel.derived_metrics import derived
from psmodel.errors import BadInput
from psmodel.predictors import Calibrated, Predictor, answer
from psmodel.results import Method, Metrics, Prediction
from psmodel.scenario import Scenario
from psmodel.whatif.parameter_space import Point, resolve, settings
from psmodel.whatif.prices import MACHINE_KEYS, Catalogue, check_cores, cost, equip, machines_for

Base = Scenario | Mapping[str, Any]
"""What the points change: a scenario, or some of its keys where the points give the others."""
_METRICS = tuple(f.name for f in fields(Metrics))


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is asked of every point: the method, with which coefficients, at whose prices."""

    method: Method = "analytic"
    replications: int = 1
    calibrated: Calibrated = field(default_factory=Calibrated)
    catalogue: Catalogue | None = None

    def scenario(self, base: Base, point: Point) -> Scenario:
        """The scenario of a point.

        Raises
        ------
        BadInput
            If it is not possible, or contradicts the machine types that the point names.
        """
        keys = [key for key in MACHINE_KEYS if key in point]
        if not keys:
            return resolve(base, point)
        if self.catalogue is None:
            raise BadInput(f"{keys[0]} chooses a machine type; name a catalogue of them")
        if not isinstance(base, Scenario):
            base, point = {}, {**base, **point}
        placement = str(point.get("placement", base.placement if isinstance(base, Scenario) else "dedicated"))
        scenario = resolve(base, equip(point, self.catalogue, placement))
        check_cores(scenario, point, self.catalogue)
        return scenario

    def row(self, scenario: Scenario, point: Point, predict: Predictor) -> dict[str, Any]:
        """One row: the point's settings (SI), every metric with its intervals, the bottleneck and the cost.

        ``<metric>_half_width`` is that of the 95 % confidence interval of simulated randomness;
        ``<metric>_low`` and ``<metric>_high`` are what the fit's draws leave open.
        """
        reply = answer(scenario, predict, self.calibrated.by(self.method))
        metrics = reply.prediction.metrics.to_json()
        machine_keys = {key: value for key, value in point.items() if key in MACHINE_KEYS}
        row = (
            {"scenario": scenario.name, "method": self.method}
            | machine_keys
            | settings(scenario, {key: value for key, value in point.items() if key not in MACHINE_KEYS})
            | metrics
            | self.derived(scenario, reply.prediction, predict)
            | {
                "bottleneck": reply.prediction.bottleneck,
                "claim": reply.prediction.claims.get("iteration_time_s"),
            }
            | {f"{name}_half_width": reply.prediction.half_widths.get(name) for name in _METRICS}
        )
        if self.calibrated.draws:
            for name in _METRICS:
                row[f"{name}_low"], row[f"{name}_high"] = reply.intervals.get(name, (None, None))
        if self.calibrated.region is not None:
            row["extrapolation"] = "; ".join(reply.extrapolation) or None
        if self.catalogue is not None:
            machines = machines_for(scenario, point, self.catalogue)
            price = machines and cost(
                scenario, machines, reply.prediction.metrics.iteration_time_s, self.catalogue.currency
            )
            row |= {
                "worker_machine": machines and machines.worker.name,
                "shard_machine": machines and machines.shard.name,
                "cost_per_hour": price and price.per_hour,
                "cost_per_1000_iterations": price and price.per_1000_iterations,
                "currency": self.catalogue.currency,
            }
        return row

    def derived(
        self, scenario: Scenario, prediction: Prediction, predict: Predictor
    ) -> dict[str, float | None]:
        """`psmodel.derived_metrics` of a prediction; a second simulation, of one worker alone, is not made for it."""
        one = None if self.method == "simulate" else partial(_of_one_worker, predict, self.calibrated.best)
        return derived(scenario, prediction.metrics, one)

    def key(self, scenario: Scenario, point: Point) -> str:
        """A hash of everything the row depends on, and of psmodel's version."""
        question = {
            "psmodel": _version(),
            "method": self.method,
            "replications": self.replications,
            "known": self.calibrated.to_json(),
            "catalogue": None if self.catalogue is None else self.catalogue.model_dump(mode="json"),
        }
        resolved = {
            "scenario": scenario.model_dump(mode="json"),
            "point": {k: str(v) for k, v in point.items()},
        }
        return hashlib.sha256(json.dumps(question | resolved, sort_keys=True).encode()).hexdigest()[:32]


@cache
def _version() -> str:
    return version("psmodel")


@lru_cache(maxsize=256)
def _of_one_worker(predict: Predictor, coefficients: Calibration, scenario: Scenario) -> Prediction:
    """Many rows have the same worker alone: those that differ in nothing but their number of workers."""
    return predict(scenario, coefficients)
