"""Why a scenario takes as long as it does: which resource binds, what would bind next, and what each change brings.

>>> from psmodel.scenario import load
>>> answer = explain(load("ingress-sharded", shards=50))
>>> answer.binding, answer.next_binding, answer.headroom
('shard ingress', 'shard egress', 1.0)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psmodel.analytic import ClosedForm
from psmodel.errors import BadInput, UserError
from psmodel.predictors import Calibrated, Predictor, interval, predictor
from psmodel.results import Method
from psmodel.scenario import Scenario, ScenarioError
from psmodel.whatif.factors import FACTORS, Factor
from psmodel.whatif.sensitivity import Sobol, sobol_indices


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
    left_out
        Change (in words) that this scenario does not permit → why.
    """

    scenario: str
    method: Method
    iteration_time_s: float
    interval: tuple[float, float] | None
    resources: Mapping[str, float]
    gains: tuple[Gain, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    sobol: Sobol | None = field(default=None)

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
            "left_out": dict(self.left_out),
            "sobol": self.sobol and vars(self.sobol),
        }


def explain(
    scenario: Scenario, calibrated: Calibrated | None = None, *, method: Method = "analytic", sobol: bool = False,
    seed: int = 0, progress: Callable[[int, int], None] | None = None,
) -> Explanation:  # fmt: skip
    """Explain a scenario's iteration time.

    Parameters
    ----------
    calibrated
        Coefficients, and the draws that give intervals; the ideal system if None.
    method
        Predicts the iteration times; the resources' work is a closed form in any case.
    sobol, seed
        Whether to add `sobol_indices`, and the seed of its samples.
    progress
        Called with the number of changes that were tried, or of samples, and how many there are.
    """
    tell = progress or (lambda count, of: None)
    calibrated = calibrated or Calibrated()
    predict = predictor(method)
    before = predict(scenario, calibrated.best)
    time = before.metrics.iteration_time_s
    if time <= 0:
        raise BadInput(f"{scenario.name}: an iteration takes no time, so that nothing explains it")
    samples = [predict(scenario, draw).metrics.iteration_time_s for draw in calibrated.draws]
    gains: list[Gain] = []
    left_out: dict[str, str] = {}
    for number, factor in enumerate(FACTORS):
        tell(number, len(FACTORS))
        try:
            gains.append(_gain(factor, scenario, predict, calibrated, time, samples))
        except UserError as error:
            left_out[factor.words] = str(error)
    ordered = sorted(
        ClosedForm(scenario=scenario, calibration=calibrated.best).work.items(), key=lambda pair: -pair[1]
    )
    return Explanation(
        scenario=scenario.name,
        method=method,
        iteration_time_s=time,
        interval=interval(samples) if samples else None,
        resources=dict(ordered),
        gains=tuple(gains),
        left_out=left_out,
        sobol=sobol_indices(scenario, calibrated.best, seed=seed, progress=tell) if sobol else None,
    )


def _gain(
    factor: Factor,
    scenario: Scenario,
    predict: Predictor,
    calibrated: Calibrated,
    time: float,
    samples: Sequence[float],
) -> Gain:
    """What the factor's change brings to a scenario whose iteration takes `time` (with each of the draws: `drawn`)."""
    changed = factor.scaled(scenario, factor.multiple)
    amount = factor.value(changed) / factor.value(scenario)
    step = math.log2(amount) if amount > 0 else 0.0
    if step == 0:
        raise ScenarioError(f"{factor.name} is as small as it can be")
    after = predict(changed, calibrated.best)
    ratio = after.metrics.iteration_time_s / time
    if ratio <= 0:
        raise ScenarioError("an iteration then takes no time")
    return Gain(
        factor=factor.name,
        change=factor.words,
        ratio=ratio,
        elasticity=math.log2(ratio) / step + 0.0,  # no minus before a zero
        bottleneck=after.bottleneck,
        interval=_ratio_interval(changed, predict, calibrated, samples),
    )


def _ratio_interval(
    changed: Scenario, predict: Predictor, calibrated: Calibrated, samples: Sequence[float]
) -> tuple[float, float] | None:
    if not samples:
        return None
    after = [predict(changed, draw).metrics.iteration_time_s for draw in calibrated.draws]
    return interval([a / b for a, b in zip(after, samples, strict=True)])
