"""Why a scenario takes as long as it does: which resource binds, what would bind next, and what each change brings.

>>> from psmodel.scenario import load
>>> said = explain(load("ingress-sharded", shards=50))
>>> said.binding, said.next_binding, said.headroom
('shard ingress', 'shard egress', 1.0)
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psmodel.analytic import ClosedForm, predict_grid
from psmodel.calibration import IDEAL, Calibration
from psmodel.errors import BadInput
from psmodel.methods import Calibrated, Predictor, interval, predictor
from psmodel.results import Method
from psmodel.scenario import Scenario

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What one change alone brings.

    Attributes
    ----------
    change
        In words, as "bandwidth × 2".
    ratio
        Iteration time after ÷ before.
    elasticity
        log2 of the ratio for a doubling (its negative for a halving): −1 where the time halves when the factor
        doubles, 0 where it does not matter. The arc elasticity d ln T / d ln x over that step.
    bottleneck
        What binds then.
    interval
        Of the ratio, by the fit's draws.
    """

    factor: str
    change: str
    ratio: float
    elasticity: float
    bottleneck: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Answer of `explain`; times in s.

    Attributes
    ----------
    resources
        Resource → its work in one iteration of all workers, the busiest first.
    headroom
        Work of the binding resource ÷ work of the next: how much faster it can get before the next one binds.
    """

    scenario: str
    method: Method
    iteration_time_s: float
    interval: tuple[float, float] | None
    resources: Mapping[str, float]
    gains: tuple[Gain, ...]
    sobol: "Sobol | None" = field(default=None)

    @property
    def binding(self) -> str:
        """The busiest resource."""
        return next(iter(self.resources))

    @property
    def next_binding(self) -> str | None:
        """The next one that has any work."""
        second = [name for name, work in self.resources.items() if work > 0][1:2]
        return second[0] if second else None

    @property
    def headroom(self) -> float | None:
        """See the class."""
        return self.resources[self.binding] / self.resources[self.next_binding] if self.next_binding else None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "scenario": self.scenario,
            "method": self.method,
            "iteration_time_s": self.iteration_time_s,
            "interval": self.interval,
            "binding": self.binding,
            "next_binding": self.next_binding,
            "headroom": self.headroom,
            "resources": dict(self.resources),
            "gains": [vars(gain) for gain in self.gains],
            "sobol": self.sobol and vars(self.sobol),
        }


def _changes(scenario: Scenario) -> dict[str, tuple[str, float, Callable[[], Scenario]]]:
    """Factor → change in words, log2 of the step, and the changed scenario (made only when it is possible)."""
    item = scenario.item_size
    found: dict[str, tuple[str, float, Callable[[], Scenario]]] = {}
    rates = scenario.bandwidth
    if rates is not None and scenario.placement != "single-host":
        twice = {role: 2 * rate for role, rate in rates}
        found["bandwidth"] = ("bandwidth × 2", 1.0, lambda: scenario.replace(bandwidth=twice))
    if 2 * scenario.shards <= scenario.total_elements:
        found["shards"] = ("shards × 2", 1.0, lambda: scenario.replace(shards=2 * scenario.shards))
    found["workers"] = ("workers × 2", 1.0, lambda: scenario.replace(workers=2 * scenario.workers))
    half = scenario.total_elements // 2
    if half >= scenario.shards:
        step = math.log2(half / scenario.total_elements)
        found["model_size"] = ("model ÷ 2", step, lambda: scenario.replace(model_size=half * item))
    if not scenario.compute.is_random and scenario.compute.expected() > 0:
        found["compute"] = (
            "compute time ÷ 2",
            -1.0,
            lambda: scenario.replace(compute=scenario.compute.expected() / 2),
        )
    return found


def explain(
    scenario: Scenario, known: Calibrated | None = None, *, method: Method = "analytic", sobol: bool = False,
    seed: int = 0,
) -> Explanation:  # fmt: skip
    """Explain a scenario's iteration time.

    Parameters
    ----------
    known
        Coefficients, and the draws that give intervals; the ideal system if None.
    method
        Predicts the iteration times; the resources' work is a closed form in any case.
    sobol, seed
        Whether to add `sobol_indices`, and the seed of its samples.
    """
    known = known or Calibrated()
    predict = predictor(method)
    before = predict(scenario, known.best)
    time = before.metrics.iteration_time_s
    if time <= 0:
        raise BadInput(f"{scenario.name}: an iteration takes no time, so that nothing explains it")
    drawn = [predict(scenario, draw).metrics.iteration_time_s for draw in known.draws]
    gains = []
    for factor, (words, step, make) in _changes(scenario).items():
        changed = make()
        after = predict(changed, known.best)
        ratio = after.metrics.iteration_time_s / time
        gains.append(
            Gain(
                factor=factor,
                change=words,
                ratio=ratio,
                elasticity=math.log2(ratio) / step if ratio > 0 else -math.inf,
                bottleneck=after.bottleneck,
                interval=_ratio_interval(changed, predict, known, drawn),
            )
        )
    ordered = sorted(
        ClosedForm(scenario=scenario, calibration=known.best).work.items(), key=lambda pair: -pair[1]
    )
    return Explanation(
        scenario=scenario.name,
        method=method,
        iteration_time_s=time,
        interval=interval(drawn) if drawn else None,
        resources=dict(ordered),
        gains=tuple(gains),
        sobol=sobol_indices(scenario, known.best, seed=seed) if sobol else None,
    )


def _ratio_interval(
    changed: Scenario, predict: Predictor, known: Calibrated, drawn: list[float]
) -> tuple[float, float] | None:
    if not drawn:
        return None
    after = [predict(changed, draw).metrics.iteration_time_s for draw in known.draws]
    return interval([a / b for a, b in zip(after, drawn, strict=True)])


@dataclass(frozen=True, kw_only=True)
class Sobol:
    """Which factors the iteration time's variance comes from, if each varies between half and twice its value.

    Attributes
    ----------
    first_order, total
        Factor → share of the variance of ln T that it explains alone, and with all its interactions (Sobol 2001,
        Mathematics and Computers in Simulation 55:271; estimators of Saltelli et al. 2010).
    samples
        Base samples n; n·(factors + 2) scenarios were predicted by closed forms.
    """

    first_order: Mapping[str, float]
    total: Mapping[str, float]
    samples: int
    seed: int


def sobol_indices(
    scenario: Scenario, calibration: Calibration = IDEAL, *, samples: int = 2048, seed: int = 0
) -> Sobol:
    """Global sensitivity of the logarithm of the iteration time, by ``scipy.stats.sobol_indices``.

    Each factor is log-uniform between half and twice its value; numbers of workers and shards are rounded.

    Parameters
    ----------
    samples
        A power of two.
    """
    from scipy import stats

    names = list(_changes(scenario))
    rates = scenario.bandwidth
    item = scenario.item_size

    def logarithm(steps: Array) -> Array:
        """Of the time (s) at `steps` (log2 of each factor's multiple), shape (factors, rows)."""
        multiple = dict(zip(names, 2.0**steps, strict=True))
        columns: dict[str, Array] = {}
        for name, by in multiple.items():
            match name:
                case "bandwidth":
                    assert rates is not None
                    if scenario.placement == "colocated":
                        columns["bandwidth"] = rates.worker_up * by
                    else:
                        columns |= {f"bandwidth.{role}": rate * by for role, rate in rates}
                case "model_size":
                    columns[name] = np.maximum(np.round(scenario.total_elements * by), 1) * item
                case "compute":
                    columns[name] = scenario.compute.expected() * by
                case _:
                    columns[name] = np.maximum(np.round(getattr(scenario, name) * by), 1)
        return np.asarray(np.log(predict_grid(scenario, columns, calibration)["iteration_time_s"]))

    found = stats.sobol_indices(
        func=logarithm, n=samples, dists=[stats.uniform(-1, 2)] * len(names), rng=np.random.default_rng(seed)
    )
    return Sobol(
        first_order=dict(zip(names, found.first_order.tolist(), strict=True)),
        total=dict(zip(names, found.total_order.tolist(), strict=True)),
        samples=samples,
        seed=seed,
    )
