"""A gate that goes on for hours: running percentiles, and when it stops."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from validate.fitting.observables import signals
from validate.history.expectation import Expectations
from validate.measurements.measurement import Measurement
from validate.measurements.selection import by_question, content

_PERCENTILES = (50, 95, 99)


def share(alpha: float, cycle: int) -> float:
    """What the cycle (from 1) may spend of the probability of a false alarm, so that all that ever come spend `alpha`.

    6 α / (π² k²), whose sum over all k is α: the soak stops at the first cycle that fails at its share, however many
    were planned (a spending function: Lan and DeMets 1983, Biometrika 70).

    >>> round(sum(share(0.01, k) for k in range(1, 100_000)), 6)
    0.01
    """
    return 6 * alpha / (math.pi**2 * cycle**2)


@dataclass(frozen=True, kw_only=True)
class Running:
    """Measured ÷ expected of one metric of one scenario over all runs so far."""

    scenario: str
    metric: str
    runs: int
    p50: float
    p95: float
    p99: float


def percentiles(runs: Sequence[Measurement], expectations: Expectations) -> tuple[Running, ...]:
    """Of every metric that something is expected of."""
    rows = []
    for group in by_question(runs):
        for metric, expected in expectations.get(content(group[0].asked_for), {}).items():
            logs = [signals(run.scenario, run.metrics).get(metric) for run in group]
            ratios = [math.exp(log - expected.centre) for log in logs if log is not None]
            if ratios:
                low, middle, high = (float(p) for p in np.percentile(ratios, _PERCENTILES))
                rows.append(
                    Running(
                        scenario=group[0].scenario.name,
                        metric=metric,
                        runs=len(ratios),
                        p50=low,
                        p95=middle,
                        p99=high,
                    )
                )
    return tuple(rows)
