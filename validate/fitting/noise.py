"""Run-to-run noise, estimated from repetitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_PRIOR_RUNS = 4.0
"""A scenario's own scatter counts like its degrees of freedom, that of all scenarios like so many more."""
UNKNOWN = 0.02
"""Standard deviation assumed of a signal that no scenario has measured twice."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """The repetitions of one scenario: means of its signals, and the noise of one run of each."""

    mean: Mapping[str, float]
    noise: Mapping[str, float]
    runs: int


@dataclass(frozen=True, kw_only=True)
class Noise:
    """`blocks` in the order given, and the noise of each signal pooled over all of them."""

    blocks: tuple[Block, ...]
    pooled: Mapping[str, float]
    repeated: bool


def run_to_run(groups: Sequence[Sequence[Mapping[str, float]]]) -> Noise:
    """Noise from groups of signals, one group per scenario, one mapping per run.

    A scenario is run too few times for its own variance to be known, and scenarios differ too much for one
    variance to do for all: each gets the pooled one, moved towards its own by the weight of its runs (the
    posterior mean under a conjugate prior: Gelman et al. 2013, "Bayesian data analysis", section 2.6).
    """
    names = sorted({name for group in groups for run in group for name in run})
    sums = [
        {n: float(np.var([r[n] for r in g if n in r]) * sum(n in r for r in g)) for n in names if n in g[0]}
        for g in groups
    ]
    freedom = [{n: sum(n in r for r in g) - 1 for n in names} for g in groups]
    pooled = {}
    for n in names:
        total = sum(f[n] for s, f in zip(sums, freedom, strict=True) if n in s)
        pooled[n] = float(np.sqrt(sum(s.get(n, 0.0) for s in sums) / total)) if total > 0 else UNKNOWN
    blocks = []
    for group, squares, free in zip(groups, sums, freedom, strict=True):
        variance = {n: (_PRIOR_RUNS * pooled[n] ** 2 + squares[n]) / (_PRIOR_RUNS + free[n]) for n in squares}
        blocks.append(
            Block(
                mean={n: float(np.mean([r[n] for r in group if n in r])) for n in squares},
                noise={n: float(np.sqrt(v)) for n, v in variance.items()},
                runs=len(group),
            )
        )
    return Noise(blocks=tuple(blocks), pooled=pooled, repeated=any(len(g) > 1 for g in groups))
