r"""Closed forms: how long an iteration takes, what limits it, and which metrics are exact, bounds or estimates.

With N workers, K shards, M bytes and links of B bytes/s, a full push brings N·M/K bytes to each shard and takes
M bytes out of each worker, so that it cannot take less than

.. math:: \max\left(\frac{N M}{K B_{shard}}, \frac{M}{B_{worker}}\right).

With equal links the second term binds from K = N on: more shards than workers do not help a full push.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from psmodel.analytic import lower_bounds as lower
from psmodel.analytic.asynchronous import out_of_step
from psmodel.analytic.input_arrays import Inputs, crowded, inputs
from psmodel.analytic.phases import Phases, in_step
from psmodel.analytic.resources import rules_of, work
from psmodel.calibration import COEFFICIENTS, IDEAL, Calibration
from psmodel.results import Bound, Claim, Method, Metrics, Prediction
from psmodel.scenario import Scenario
from psmodel.scenario.features import features_of
from psmodel.scenario.treatment import Feature

_CLAIMED = (
    "iteration_time_s",
    "pull_time_s",
    "compute_time_s",
    "push_time_s",
    "wait_time_s",
    "ingress_time_s",
    "updates_per_s",
)


def phases(i: Inputs, *, together: bool) -> Phases:
    """Phase times of workers in step or out of it, whose computing may have to share cores."""
    i = crowded(i)
    return in_step(i) if together else out_of_step(i)


@dataclass(frozen=True, kw_only=True)
class ClosedForm:
    """Everything that closed forms say of one scenario, each part worked out once, when it is first asked for."""

    scenario: Scenario
    calibration: Calibration = IDEAL

    @cached_property
    def inputs(self) -> Inputs:
        """Service demands and loads."""
        return inputs(self.scenario, self.calibration)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The scenario's optional features."""
        return features_of(self.scenario)

    @property
    def _taking_turns(self) -> bool:
        return any(
            about.in_turn and getattr(self.calibration, name) > 0 for name, about in COEFFICIENTS.items()
        )

    @cached_property
    def lockstep(self) -> bool:
        """Whether workers stay in step although nothing need hold them there: the very same happens to all."""
        paired = self.scenario.shards == self.scenario.workers and len(set(self.scenario.shard_sizes)) == 1
        return not self._taking_turns and not any(
            feature.sets_apart and not (feature.value == "colocated" and paired) for feature in self.features
        )

    @cached_property
    def together(self) -> bool:
        """Whether all workers start each iteration at the same instant."""
        return self.scenario.mode == "bsp" or self.scenario.staleness_bound == 0 or self.lockstep

    @cached_property
    def phases(self) -> Phases:
        """Phase times."""
        return phases(self.inputs, together=self.together)

    @cached_property
    def work(self) -> dict[str, float]:
        """Resource → seconds of its work in one iteration of all workers."""
        return {resource: float(seconds[0]) for resource, seconds in work(self.inputs).items()}

    @cached_property
    def busiest(self) -> dict[str, Bound]:
        """Phase → the resource with the most work (s) in it; not of what hides behind something else."""
        answer: dict[str, Bound] = {}
        for rule in rules_of(self.scenario):
            hidden = {"pull": self.scenario.prefetch, "push": self.scenario.push == "fire-and-forget"}
            seconds = float(rule.time(self.inputs)[0])
            if hidden.get(rule.phase) or (rule.phase == "compute" and rule.resource != "worker CPU"):
                continue
            if rule.phase not in answer or seconds > answer[rule.phase].time_s:
                answer[rule.phase] = Bound(
                    resource=rule.resource, phase=rule.phase, time_s=seconds, formula=rule.formula
                )
        return answer

    @property
    def bottleneck(self) -> str:
        """The resource with the most work."""
        return max(self.work, key=self.work.__getitem__)

    @cached_property
    def exact(self) -> bool:
        """Whether the closed form is what the simulation gives."""
        return (
            not self._taking_turns
            and self.together
            and all(
                feature.closed_form.claim == "exact" or (feature.field == "mode" and self.lockstep)
                for feature in self.features
            )
        )

    @cached_property
    def claims(self) -> dict[str, Claim]:
        """Metric → what its value is."""
        claims: dict[str, Claim] = dict.fromkeys(_CLAIMED, "exact" if self.exact else "estimate")
        return claims

    @cached_property
    def bounds(self) -> tuple[Bound, ...]:
        """Every proved lower bound of the mean iteration time."""
        return lower.bounds(self.inputs)

    @cached_property
    def floor(self) -> "lower.Floor":
        """The best that each metric can be, by proved bounds; by its own value where that is exact."""
        return lower.floor(self)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the prediction has to know, a sentence each."""
        notes = []
        scenario, i = self.scenario, self.inputs
        if (
            scenario.push != "none"
            and scenario.shards > scenario.workers
            and i.worker_up[0] <= i.shard_down[0]
        ):
            notes.append(
                f"More shards than workers (K = {scenario.shards} > N = {scenario.workers}) do not help a full push: "
                f"each worker's own link needs M/B = {float(i.pushed_bytes[0] / i.worker_up[0]):.4g} s."
            )
        if not self.exact:
            left_out = dict.fromkeys(
                feature.closed_form.leaves_out
                for feature in self.features
                if feature.closed_form.leaves_out and not (feature.field == "mode" and self.together)
            )
            notes.append(
                f"The closed form leaves out {', '.join(left_out)}: an estimate; simulate it."
                if left_out
                else "The closed form is an estimate here; simulate it."
            )
        return tuple(notes)

    @cached_property
    def prediction(self) -> Prediction:
        """The prediction with all of it."""
        return self.prediction_of(self.phases, method="analytic", notes=self.notes)

    def prediction_of(self, p: Phases, *, method: Method, notes: tuple[str, ...]) -> Prediction:
        """A prediction with these phase times."""
        scenario = self.scenario
        pushes = scenario.push != "none"
        iteration = float(p.iteration[0])
        rate = float(p.updates_per_s[0])
        return Prediction(
            scenario=scenario.name,
            method=method,
            metrics=Metrics(
                iteration_time_s=iteration,
                pull_time_s=float(p.pull[0]),
                compute_time_s=float(p.compute[0]),
                push_time_s=float(p.push[0]),
                wait_time_s=float(p.wait[0]),
                ingress_time_s=float(p.ingress[0]) if pushes else None,
                updates_per_s=None if np.isnan(rate) else rate,
            ),
            claims={
                name: claim
                for name, claim in self.claims.items()
                if pushes or name not in ("ingress_time_s", "updates_per_s")
            },
            bottleneck=self.bottleneck,
            bounds=self.bounds,
            ingress_time_per_shard_s=self._ingress_per_shard(p) if pushes else (),
            notes=notes,
            utilisation={r: w / iteration for r, w in self.work.items()} if iteration > 0 else {},
            bytes_per_iteration={
                "push": float(scenario.workers * sum(scenario.pushed_sizes)) if pushes else 0.0,
                "pull": float(scenario.workers * scenario.total_bytes) if scenario.pull != "none" else 0.0,
            },
        )

    def _ingress_per_shard(self, p: Phases) -> tuple[float, ...]:
        counts = self.inputs.counts[:, 0].astype(np.intp)
        return tuple(np.repeat(p.ingress_per_shard[:, 0], counts).tolist())


def predict(scenario: Scenario, calibration: Calibration = IDEAL) -> Prediction:
    """Closed-form prediction of a scenario.

    >>> from psmodel.scenario import load
    >>> predict(load("ingress-single")).metrics.ingress_time_s
    8.0
    >>> predict(load("ingress-sharded")).metrics.ingress_time_s
    0.08
    """
    return ClosedForm(scenario=scenario, calibration=calibration).prediction
