"""Performance model and simulator of sharded parameter servers.

>>> from psmodel import load, predict
>>> predict(load("ingress-single")).metrics.ingress_time_s
8.0
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psmodel.analytic import predict as predict
    from psmodel.calibration import Calibration as Calibration
    from psmodel.plans import plan as plan
    from psmodel.results import Metrics as Metrics
    from psmodel.results import Prediction as Prediction
    from psmodel.scenario import Scenario as Scenario
    from psmodel.scenario import load as load
    from psmodel.simulation import predict as simulate  # noqa: F401
    from psmodel.sweeps import grid as grid
    from psmodel.sweeps import sweep as sweep

# Loaded on first use: SimPy, SciPy and Matplotlib must not slow down what does without them.
_HOMES = {
    "Calibration": ("psmodel.calibration", "Calibration"),
    "Metrics": ("psmodel.results", "Metrics"),
    "Prediction": ("psmodel.results", "Prediction"),
    "Scenario": ("psmodel.scenario", "Scenario"),
    "load": ("psmodel.scenario", "load"),
    "plan": ("psmodel.plans", "plan"),
    "predict": ("psmodel.analytic", "predict"),
    "grid": ("psmodel.sweeps", "grid"),
    "simulate": ("psmodel.simulation", "predict"),
    "sweep": ("psmodel.sweeps", "sweep"),
}
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'psmodel' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(_HOMES)
