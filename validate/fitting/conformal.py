"""Intervals that hold as often as they say: conformal prediction on top of the parametric interval of a fit.

How far a measured value lies from its prediction, in units of the distance of the parametric bound on its side, is its
score (a normalised residual: Lei et al. 2018, "Distribution-free predictive inference for regression", JASA 113,
section 5.2). The ⌈(n + 1)p⌉-th smallest of n scores that no fit has seen is the factor by which the parametric
interval is stretched to hold a share p (split conformal prediction: Vovk et al. 2005, "Algorithmic learning in a
random world"). The scores are those of the accuracy record: held-out runs of other suites, so that what differs from
suite to suite is in the factor (groups: Dunn, Wasserman & Ramdas 2023, "Distribution-free prediction sets for
two-layer hierarchical models", JASA 118).
"""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

import numpy as np

from validate.fitting.fit import Interval
from validate.fitting.observables import RESOLUTION_S

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Shares of which factors are kept."""
FILE = "conformal.json"


def score(interval: Interval, value: float) -> float:
    """Distance of a value (s) from the prediction on a logarithmic scale; 1 on the parametric bound of its side."""
    centre = math.log(interval.predicted + RESOLUTION_S)
    bound = interval.high if value >= interval.predicted else interval.low
    width = abs(math.log(bound + RESOLUTION_S) - centre)
    distance = abs(math.log(value + RESOLUTION_S) - centre)
    return distance / max(width, 1e-9)


def stretched(interval: Interval, factor: float) -> tuple[float, float]:
    """The interval (s) whose bounds have this score.

    >>> low, high = stretched(Interval(predicted=1.0, low=0.5, high=2.0), 2.0)
    >>> round(low, 3), round(high, 3)
    (0.25, 4.0)
    """
    centre = math.log(interval.predicted + RESOLUTION_S)
    bounds = [
        math.exp(centre + factor * (math.log(bound + RESOLUTION_S) - centre)) - RESOLUTION_S
        for bound in (interval.low, interval.high)
    ]
    return max(0.0, bounds[0]), bounds[1]


def factor_of(scores: Sequence[float], level: float) -> float:
    """The ⌈(n + 1)·level⌉-th smallest score; the largest of all where so few cannot tell.

    >>> factor_of([0.1 * k for k in range(1, 100)], 0.95)
    9.5
    """
    rank = math.ceil((len(scores) + 1) * level - 1e-9)
    return round(float(np.sort(scores)[min(rank, len(scores)) - 1]), 6)


@cache
def factors() -> Mapping[float, float]:
    """Level → factor, of the accuracy record that this version comes with."""
    values = json.loads((resources.files("validate.fitting") / FILE).read_text(encoding="utf-8"))
    return dict(zip(values["levels"], values["factors"], strict=True))
