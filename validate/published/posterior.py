r"""Step times of others' clusters, from two unknowns of a network and two of a job.

A step on n machines that are workers and servers at once takes one machine's time and what of the communication
is not hidden behind the backward pass,

.. math:: t(n) = t_1 (1 + \sigma\, m(n)) + (1 - \omega)\, c(n)\, (1 + \kappa\, m(n(n-1))), \qquad
          c(n) = \frac{M}{B}\left(\frac{n-1}{K} + \frac{K-1}{K}\right) = \frac{2(n-1)M}{nB} \;\text{for } K = n,

with model bytes M and link rate B (general form: Jiang et al. 2020, BytePS, OSDI). A step ends with the last machine
and the last of the n(n − 1) streams between them; m(k) is the expected largest of k standard normal values (Tippett
1925, "On the extreme individuals and the range of samples taken from a normal population", Biometrika 17), and σ and κ
say how much machines, and streams that share a link, differ. Both belong to the network; the overlap ω belongs to a
job. Where nothing is computed t₁ is what any synchronisation costs, whatever its size, σ = 0 and ω = 0.

A second machine adds less to a training step than the 5 % by which published step times shift from repeat to repeat,
so that least squares would fit noise; instead the unknowns start from flat priors and the data move them as far as
they can.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from validate.published.tables import PublishedRow

Array = NDArray[np.float64]
REPEAT_SHIFT = 0.05
"""Relative standard deviation of one published time: "shifts of about 5 % are seen" (published/README.md)."""
_STREAMS = np.linspace(0.0, 0.36, 19)
"""Prior of κ: flat; TCP streams reach at least half of a link, also the last of sixteen machines' streams."""
_MACHINES = np.linspace(0.0, 0.02, 5)
"""Prior of σ: flat; machines of one type compute the same to some hundredths."""
_OVERLAP = np.linspace(0.0, 1.0, 51)
"""Prior of ω: flat from nothing hidden to everything."""
_STARTS = np.linspace(0.0, 1.0, 101)
"""Prior of a synchronisation's own cost: flat from nothing to all of the shortest one's time."""


@cache
def slowest(count: int) -> float:
    """Expected largest of `count` standard normal values, ∫ x·k·φ(x)·Φ(x)^(k−1) dx.

    >>> round(slowest(2), 4), round(slowest(10), 4)
    (0.5642, 1.5388)
    """
    x = np.linspace(-9.0, 9.0, 20_001)
    return float(np.trapezoid(x * count * norm.pdf(x) * norm.cdf(x) ** (count - 1), x)) if count > 1 else 0.0


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A published time as predicted: mean and standard deviation (s), and the prediction for one machine."""

    mean_s: float
    deviation_s: float
    one_machine_s: float


Predict = Callable[[PublishedRow], Forecast]


def fit(rows: Sequence[PublishedRow]) -> Predict:
    """Learn from the fitted sizes of the rows of one network.

    Returns
    -------
    A function that predicts any row of the network.
    """
    small = [row for row in rows if row.fitted]
    return _of_synchronisations(small) if small[0].kind == "synchronisation" else _of_training(small)


def summary(rows: Sequence[PublishedRow]) -> dict[str, float]:
    """Posterior means of what belongs to the network: κ and, where something is computed, σ."""
    small = [row for row in rows if row.fitted]
    if small[0].kind == "synchronisation":
        weight, _ = _start_weights(small)
        return {"streams": float(weight.sum(axis=1) @ _STREAMS)}
    weight = _training_weights(small)[small[0].job].sum(axis=1)
    return {
        "streams": float(weight.sum(axis=1) @ _STREAMS),
        "machines": float(weight.sum(axis=0) @ _MACHINES),
    }


def _streams_s(row: PublishedRow) -> Array:
    """Time of the last stream, shape (κ,)."""
    streams = row.machines * (row.machines - 1)
    return np.asarray(row.communication_s * (1 + _STREAMS * slowest(streams)))


def _grids(row: PublishedRow) -> tuple[Array, Array]:
    """Exposed communication (s) and one machine's share of the computing, shape (κ, ω, σ) or such that it spreads."""
    exposed = _streams_s(row)[:, None, None] * (1 - _OVERLAP)[None, :, None]
    return exposed, (1 + _MACHINES * slowest(row.machines))[None, None, :]


def _jobs(small: Sequence[PublishedRow]) -> dict[tuple[str, int], tuple[PublishedRow, PublishedRow]]:
    by_job: dict[tuple[str, int], list[PublishedRow]] = {}
    for row in sorted(small, key=lambda r: r.machines):
        by_job.setdefault(row.job, []).append(row)
    return {job: (sizes[0], sizes[1]) for job, sizes in by_job.items()}


def _training_weights(small: Sequence[PublishedRow]) -> dict[tuple[str, int], Array]:
    """Joint weight of (κ, ω, σ) of each job, given that κ and σ are those of the network.

    With t₁ flat, the two sizes tell of the rest by their difference alone, whose variance is the sum of both.
    """
    likelihoods = {}
    for job, (one, two) in _jobs(small).items():
        exposed, slower = _grids(two)
        deviation = (two.step_s - one.step_s * slower - exposed) / (
            REPEAT_SHIFT * np.hypot(one.step_s, two.step_s)
        )
        likelihoods[job] = np.exp(-(deviation**2) / 2)
    shared = np.prod([li.mean(axis=1) for li in likelihoods.values()], axis=0)
    weights = {
        job: li / li.mean(axis=1, keepdims=True) * shared[:, None, :] for job, li in likelihoods.items()
    }
    return {job: weight / weight.sum() for job, weight in weights.items()}


def _of_training(small: Sequence[PublishedRow]) -> Predict:
    weights, jobs = _training_weights(small), _jobs(small)

    def predict(row: PublishedRow) -> Forecast:
        one, two = jobs[row.job]
        weight = weights[row.job]
        exposed, slower = _grids(two)
        # Least squares for t₁ on both sizes.
        alone = ((two.step_s - exposed) * slower + one.step_s) / (slower**2 + 1)
        exposed, slower = _grids(row)
        step = alone * slower + exposed
        mean = float((weight * step).sum())
        variance = float((weight * (step - mean) ** 2).sum()) + (REPEAT_SHIFT * one.step_s) ** 2 / 2
        return Forecast(
            mean_s=mean,
            deviation_s=float(np.sqrt(variance + (REPEAT_SHIFT * mean) ** 2)),
            one_machine_s=float((weight * alone).sum()),
        )

    return predict


def _start_weights(small: Sequence[PublishedRow]) -> tuple[Array, Array]:
    """Joint weight of κ and of the time that any synchronisation takes, shape (κ, starts), and those times (s)."""
    starts = _STARTS * min(row.step_s for row in small)
    deviations = [
        (row.step_s - starts[None, :] - _streams_s(row)[:, None]) / (REPEAT_SHIFT * row.step_s)
        for row in small
    ]
    weight = np.exp(-sum(d**2 for d in deviations) / 2)
    return weight / weight.sum(), starts


def _of_synchronisations(small: Sequence[PublishedRow]) -> Predict:
    weight, starts = _start_weights(small)

    def predict(row: PublishedRow) -> Forecast:
        if row.machines == 1:
            return Forecast(mean_s=0.0, deviation_s=0.0, one_machine_s=0.0)
        times = starts[None, :] + _streams_s(row)[:, None]
        mean = float((weight * times).sum())
        variance = float((weight * (times - mean) ** 2).sum()) + (REPEAT_SHIFT * mean) ** 2
        return Forecast(mean_s=mean, deviation_s=float(np.sqrt(variance)), one_machine_s=0.0)

    return predict
