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
    from psmodel.errors import BadInput as BadInput
    from psmodel.errors import CannotRun as CannotRun
    from psmodel.predictors import Calibrated as Calibrated
    from psmodel.predictors import load_calibrated as load_calibrated
    from psmodel.results import Metrics as Metrics
    from psmodel.results import Prediction as Prediction
    from psmodel.scenario import Scenario as Scenario
    from psmodel.scenario import load as load
    from psmodel.simulation import SimulationResult as SimulationResult
    from psmodel.simulation import predict as simulate  # noqa: F401
    from psmodel.simulation.replications import replicate as replicate
    from psmodel.whatif.catalogue import Catalogue as Catalogue
    from psmodel.whatif.explanations import explain as explain
    from psmodel.whatif.plans import plan as plan
    from psmodel.whatif.sensitivity import sobol_indices as sobol_indices
    from psmodel.whatif.sweeps import grid as grid
    from psmodel.whatif.sweeps import sweep as sweep

# Loaded on first use: SimPy, SciPy and Matplotlib must not slow down what does without them.
_HOMES = {
    "BadInput": ("psmodel.errors", "BadInput"),
    "Calibrated": ("psmodel.predictors", "Calibrated"),
    "Calibration": ("psmodel.calibration", "Calibration"),
    "CannotRun": ("psmodel.errors", "CannotRun"),
    "Catalogue": ("psmodel.whatif.catalogue", "Catalogue"),
    "Metrics": ("psmodel.results", "Metrics"),
    "Prediction": ("psmodel.results", "Prediction"),
    "Scenario": ("psmodel.scenario", "Scenario"),
    "SimulationResult": ("psmodel.simulation", "SimulationResult"),
    "explain": ("psmodel.whatif.explanations", "explain"),
    "grid": ("psmodel.whatif.sweeps", "grid"),
    "load": ("psmodel.scenario", "load"),
    "load_calibrated": ("psmodel.predictors", "load_calibrated"),
    "plan": ("psmodel.whatif.plans", "plan"),
    "predict": ("psmodel.analytic", "predict"),
    "replicate": ("psmodel.simulation.replications", "replicate"),
    "simulate": ("psmodel.simulation", "predict"),
    "sobol_indices": ("psmodel.whatif.sensitivity", "sobol_indices"),
    "sweep": ("psmodel.whatif.sweeps", "sweep"),
}
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("psmodel")
    if name not in _HOMES:
        raise AttributeError(f"module 'psmodel' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(_HOMES)
