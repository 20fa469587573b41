"""Runs whose coefficients are known: the model's own, with noise added."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from psmodel import analytic, simulation
from psmodel.calibration import COEFFICIENTS, IDEAL, Calibration
from psmodel.results import Metrics
from psmodel.scenario import Scenario
from validate.fitting.model_response import Forward

TRUTH = Calibration(
    goodput_factor=0.95,
    submit_overhead_s=3e-4,
    handle_overhead_s=4e-4,
    call_latency_s=1.2e-3,
    object_overhead_s=2e-3,
    put_s_per_byte=4e-10,
    copy_s_per_byte=5e-10,
    update_s_per_byte=6e-10,
)
NOISE = 0.01
FREE = tuple(name for name in COEFFICIENTS if getattr(TRUTH, name) != getattr(IDEAL, name))
"""What the truth holds."""


@dataclass(frozen=True)
class Machine:
    fingerprint: str = "a"

    def to_json(self) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint}


@dataclass(frozen=True)
class Run:
    scenario: Scenario
    metrics: Metrics
    environment: Machine = Machine()
    link_goodput: Mapping[str, float] = field(default_factory=dict)


def closed_form(scenario: Scenario, calibration: Calibration) -> Metrics:
    return analytic.predict(scenario, calibration).metrics


FORWARD = Forward(closed_form)
"""Quick, and shared: what it has computed for one test it need not compute for the next."""


def scenario(workers: int, shards: int, size: float, rate: str = "10Gbps", **more: Any) -> Scenario:
    return Scenario.model_validate(
        {
            "name": f"N{workers} K{shards} {size:g} {rate}",
            "workers": workers,
            "shards": shards,
            "model_size": size,
            "bandwidth": rate,
        }
        | more
    )


CASES = [
    scenario(1, 1, 80),
    scenario(1, 4, 320),
    scenario(3, 1, 80),
    scenario(1, 1, 8e6),
    scenario(4, 1, 8e6),
    scenario(2, 4, 64e6),
    scenario(1, 8, 1.6e6),
    scenario(3, 2, 64e6, "200Mbps"),
]


def noisy(case: Scenario, truth: Metrics, rng: np.random.Generator, noise: float) -> Run:
    """One more run: every phase with its own factor, the iteration their sum."""
    phases = {
        name: getattr(truth, name) * math.exp(noise * rng.standard_normal())
        for name in ("pull_time_s", "compute_time_s", "push_time_s", "ingress_time_s")
    }
    wait = truth.wait_time_s or 0.0
    iteration = phases["pull_time_s"] + phases["compute_time_s"] + phases["push_time_s"] + wait
    return Run(case, replace(truth, **phases, iteration_time_s=iteration))


def runs(
    seed: int, *, predictor: Any = closed_form, cases: list[Scenario] = CASES, noise: float = NOISE
) -> list[Run]:
    rng = np.random.default_rng(seed)
    return [noisy(c, predictor(c, TRUTH), rng, noise) for c in cases for _ in range(3)]


def simulated(case: Scenario, calibration: Calibration) -> Metrics:
    return simulation.predict(case, calibration).prediction.metrics
