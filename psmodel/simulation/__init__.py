"""The SimPy simulation: workers and shards as processes on a network that shares links max–min fairly."""

from psmodel.simulation.bundles import needed
from psmodel.simulation.collection import SimulationResult
from psmodel.simulation.engine import predict
from psmodel.simulation.steady import Budget

__all__ = ["Budget", "SimulationResult", "needed", "predict"]
