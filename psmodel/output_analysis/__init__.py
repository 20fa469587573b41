"""Confidence intervals and quantiles of simulated or measured values.

A run gives a series: one number per iteration (say the iteration time, averaged over the workers), correlated
from one to the next and disturbed at its start. `steady_state` drops the disturbed start and puts a confidence
interval around the mean of the rest. Independent runs (replications) give one number each: `replications`, and
`replications_needed` says how many more a wanted precision takes. An `Estimate` says by its flags when it
should not be believed. `side` decides, with as many replications as that takes, whether a mean is below a limit.
"""

from psmodel.output_analysis.cycle import period
from psmodel.output_analysis.estimate import (
    TOO_FEW,
    Estimate,
    replications,
    replications_needed,
    student_quantile,
)
from psmodel.output_analysis.feasibility import Side, side
from psmodel.output_analysis.series import (
    CORRELATED,
    WARMING_UP,
    batch_means,
    quantile,
    sequential_mean,
    steady_state,
    warmup_length,
)

__all__ = [
    "CORRELATED",
    "TOO_FEW",
    "WARMING_UP",
    "Estimate",
    "Side",
    "batch_means",
    "period",
    "quantile",
    "replications",
    "replications_needed",
    "sequential_mean",
    "side",
    "steady_state",
    "student_quantile",
    "warmup_length",
]
