"""The result of a fit: coefficients, their uncertainty, and predictions with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear, nnls

from psmodel.calibration import COEFFICIENTS, Calibration, CalibrationError, read_object
from psmodel.region import Region
from psmodel.scenario import Scenario
from validate.fitting.model_response import Forward, scales
from validate.fitting.observables import WAIT, MachineFacts, to_seconds

Array = NDArray[np.float64]
SCHEMA_VERSION = 1
DRAWS = 2000
"""Bootstrap replicates."""
_GIVEN = 200
"""So many of them are in the file, for what-ifs (`psmodel.predictors.load_calibrated`)."""
_LIMITS = (2.5, 97.5)


def impersonal(machine: MachineFacts) -> dict[str, Any]:
    """What a fit or a report says of a machine: not its name, but the fingerprint that tells it from others."""
    facts = {key: value for key, value in machine.to_json().items() if key not in ("host", "machine_id")}
    return facts | {"fingerprint": machine.fingerprint}


@dataclass(frozen=True, kw_only=True)
class Residual:
    """One signal of one calibration scenario: logarithms of times (s), or a share; means of `runs` repetitions."""

    scenario: str
    signal: str
    measured: float
    predicted: float
    runs: int


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A predicted time (s) and its 95 % prediction interval for one more run."""

    predicted: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Coefficients estimated from measurements.

    Attributes
    ----------
    calibration
        The coefficients; those without an effect on the runs have their default, and those that the runs do not
        tell have next to what was expected of them (`psmodel.calibration.Coefficient.usual`).
    names
        The coefficients that were estimated.
    covariance
        Of the estimates in units of `forward.scales`, shape (len(names), len(names)).
    degrees_of_freedom
        Independent residuals minus estimates; the t distribution's.
    unidentified
        Coefficient → why these runs do not tell it; it has an interval all the same if it has an effect.
    at_bound
        Coefficients whose estimate lies at the end of their allowed range.
    noise
        Signal → standard deviation from run to run (of a time: its coefficient of variation).
    misfit
        Signal → standard deviation of the model's own error, beyond the noise.
    environment
        Of the machine the runs come from.
    converged
        Whether the least squares reached a minimum; `message` is the solver's word on it.
    fingerprint
        Of the machine as it was fitted on (`psmodel.fingerprint`), and the goodput of each kind of link; it goes
        with the file, so that `psmodel support` can tell whether it still holds.
    """

    calibration: Calibration
    names: tuple[str, ...]
    covariance: tuple[tuple[float, ...], ...]
    degrees_of_freedom: int
    unidentified: Mapping[str, str]
    at_bound: tuple[str, ...]
    noise: Mapping[str, float]
    misfit: Mapping[str, float]
    residuals: tuple[Residual, ...]
    region: Region
    environment: Mapping[str, Any]
    runs: int
    converged: bool
    message: str
    seed: int
    fingerprint: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> Array:
        """The estimates, shape (len(names),)."""
        return np.array([getattr(self.calibration, name) for name in self.names])

    @property
    def correlation(self) -> Array:
        """Of the estimates, shape (len(names), len(names))."""
        covariance = np.array(self.covariance).reshape(len(self.names), -1)
        deviation = np.sqrt(np.diag(covariance))
        return np.asarray(covariance / np.outer(deviation, deviation))

    @cached_property
    def _spread(self) -> Array:
        """By how much each replicate's noise differs from the estimated one, shape (DRAWS,).

        The variance is itself estimated: ν s²/σ² is χ² distributed, which makes normal draws Student's t.
        """
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(0,)))
        freedom = self.degrees_of_freedom
        return np.asarray(np.sqrt(freedom / rng.chisquare(freedom, DRAWS)))

    @cached_property
    def draws(self) -> Array:
        """Parametric bootstrap of the estimates, shape (DRAWS, len(names)).

        New noise on the measurements, of the size that the residuals have, moves the estimate of the model
        linearised at the solution; what leaves the allowed range goes to the nearest point in it, in the metric
        of the least squares (Efron & Tibshirani 1993, "An introduction to the bootstrap", section 9.4).
        """
        if not self.names:
            return np.empty((DRAWS, 0))
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(1,)))
        unit = scales(self.names)
        factor = np.linalg.cholesky(np.array(self.covariance))
        normal = rng.standard_normal((DRAWS, len(self.names)))
        draws = self.values / unit + (normal @ factor.T) * self._spread[:, None]
        lower = np.array([COEFFICIENTS[name].lower for name in self.names]) / unit
        upper = np.array([COEFFICIENTS[name].upper for name in self.names]) / unit
        whiten = np.linalg.inv(factor)
        for index in np.flatnonzero(((draws < lower) | (draws > upper)).any(axis=1)):
            # Coefficients rarely come near their upper limit; without it the projection is a hundred times as quick.
            above, _ = nnls(whiten, whiten @ (draws[index] - lower), maxiter=100 * len(unit))
            point = lower + above
            if (point > upper).any():
                point = lsq_linear(whiten, whiten @ draws[index], bounds=(lower, upper)).x
            draws[index] = point
        return np.asarray(draws * unit)

    @cached_property
    def intervals(self) -> Mapping[str, tuple[float, float]]:
        """Coefficient → 95 % confidence interval."""
        low, high = np.percentile(self.draws, _LIMITS, axis=0)
        return {n: (float(a), float(b)) for n, a, b in zip(self.names, low, high, strict=True)}

    def predict(self, scenario: Scenario, forward: Forward | None = None) -> dict[str, Interval]:
        """Metric → predicted time with the 95 % interval in which one more run's lies.

        The interval holds the uncertainty of the coefficients, the model's own error and the run-to-run noise.
        """
        forward = forward or Forward()
        centre = forward(scenario, self.calibration)
        slopes = forward.jacobian(scenario, self.calibration, self.names)
        moved = (self.draws - self.values) / scales(self.names)
        seeds = np.random.SeedSequence(self.seed, spawn_key=(2,)).spawn(len(centre))
        intervals = {}
        for (signal, value), seed in zip(centre.items(), seeds, strict=True):
            if signal == WAIT:
                continue
            noise = np.hypot(self.noise.get(signal, 0.0), self.misfit.get(signal, 0.0))
            error = np.random.default_rng(seed).standard_normal(DRAWS) * noise * self._spread
            low, high = np.percentile(value + moved @ slopes[signal] + error, _LIMITS)
            intervals[signal] = Interval(
                predicted=to_seconds(value), low=to_seconds(low), high=to_seconds(high)
            )
        return intervals

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; ``psmodel.calibration.load`` reads the key "calibration" of it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "calibration": self.calibration.to_json(),
            "intervals": {name: list(limits) for name, limits in self.intervals.items()},
            "draws": [dict(zip(self.names, row, strict=True)) for row in self.draws[:_GIVEN].tolist()],
            "names": list(self.names),
            "covariance": [list(row) for row in self.covariance],
            "correlation": self.correlation.tolist() if self.names else [],
            "degrees_of_freedom": self.degrees_of_freedom,
            "unidentified": dict(self.unidentified),
            "at_bound": list(self.at_bound),
            "noise": dict(self.noise),
            "misfit": dict(self.misfit),
            "residuals": [vars(r) for r in self.residuals],
            "region": self.region.to_json(),
            "environment": dict(self.environment),
            "fingerprint": dict(self.fingerprint),
            "runs": self.runs,
            "converged": self.converged,
            "message": self.message,
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], source: str = "fit") -> "Fit":
        """The reverse of `to_json`.

        Raises
        ------
        CalibrationError
            If it is no fit of this schema version.
        """
        version = values.get("schema_version")
        if type(version) is not int or version != SCHEMA_VERSION or "covariance" not in values:
            raise CalibrationError(f"{source} holds no fit of schema_version {SCHEMA_VERSION}")
        plain = ("degrees_of_freedom", "unidentified", "noise", "misfit", "environment", "runs", "converged",
                 "message", "seed")  # fmt: skip
        try:
            return cls(
                calibration=Calibration.from_json(values["calibration"], source),
                names=tuple(values["names"]),
                covariance=tuple(tuple(row) for row in values["covariance"]),
                at_bound=tuple(values["at_bound"]),
                residuals=tuple(Residual(**r) for r in values["residuals"]),
                region=Region.from_json(values["region"]),
                fingerprint=dict(values.get("fingerprint", {})),
                **{key: values[key] for key in plain},
            )
        except CalibrationError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CalibrationError(f"{source} is not a whole fit: {error}") from None


def load(path: Path) -> Fit:
    """Read a fit from a JSON file.

    Raises
    ------
    CalibrationError
        If the file is missing or holds none.
    """
    return Fit.from_json(read_object(path, "a fit"), str(path))
