"""Baselines fitted to the model's calibration runs, separately for runs over links and on one machine."""

from collections.abc import Sequence

import numpy as np

from psmodel.scenario import Scenario
from validate.comparison.baselines import FittedBaseline, Point, fit_baselines, plain
from validate.fitting.observables import RECOVERY, SCORED, Observed


def values(runs: Sequence[Observed], metric: str) -> list[float]:
    """The metric of each run; none where the scenario has no such phase, or nobody waits for it."""
    scenario = runs[0].scenario
    absent = (
        (metric == "pull_time_s" and scenario.pull == "none")
        or (metric in ("push_time_s", "ingress_time_s") and scenario.push == "none")
        or (metric == "push_time_s" and scenario.push == "fire-and-forget")
        # In which phase a death falls is a matter of milliseconds; of the iteration it is a part wherever it falls.
        or (scenario.failures and metric in ("pull_time_s", "push_time_s", "ingress_time_s"))
    )
    values = [] if absent else [getattr(run.metrics, metric) for run in runs]
    return [float(v) for v in values if v is not None]


class Rivals:
    """The baselines of every metric.

    Work over links is in seconds at the nominal rate, without links in bytes: one set of coefficients cannot hold
    for both, so each kind of run has its own, and a kind that no run has been fitted to has none.

    Parameters
    ----------
    groups
        The runs to fit, those of each scenario together.
    """

    def __init__(self, groups: Sequence[Sequence[Observed]]) -> None:
        self._fitted: dict[tuple[str, bool], tuple[FittedBaseline, ...]] = {}
        for metric in SCORED:
            if metric == RECOVERY:
                continue  # work and a rate say nothing of it
            for linked in (True, False):
                points, times = [], []
                for group in groups:
                    of = values(group, metric) if has_links(group[0].scenario) == linked else []
                    if of and min(of) > 0:
                        points.append(_point(group[0].scenario, metric))
                        times.append(float(np.mean(of)))
                self._fitted[metric, linked] = fit_baselines(points, times) if points else ()

    def predict(self, scenario: Scenario, metric: str) -> dict[str, float]:
        """Baseline → time (s); without links there is no rate for the plain formula."""
        linked, point = has_links(scenario), _point(scenario, metric)
        unscaled = plain([], []).name
        return {
            b.name: b.predict(point)
            for b in self._fitted.get((metric, linked), ())
            if linked or b.name != unscaled
        }


def has_links(scenario: Scenario) -> bool:
    """Whether what is sent crosses links with a rate."""
    return scenario.bandwidth is not None and scenario.placement != "single-host"


def _point(scenario: Scenario, metric: str) -> Point:
    """Work in seconds at the nominal rate; in bytes where there is no link to have one."""
    bandwidth, rate = scenario.bandwidth, 1.0
    if bandwidth is not None and has_links(scenario):
        rate = bandwidth.shard_up if metric == "pull_time_s" else bandwidth.shard_down
    moved = scenario.workers * scenario.total_bytes / rate
    if metric == "iteration_time_s":
        moved *= (scenario.pull != "none") + (scenario.push != "none")
    compute = scenario.compute.expected() if metric == "iteration_time_s" and has_links(scenario) else 0.0
    return Point(scale=moved, machines=scenario.shards, plain_s=moved / scenario.shards + compute)
