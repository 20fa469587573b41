"""The SimPy simulation: workers and shards as processes on a network that shares links max–min fairly."""

from psmodel.simulation.engine import Simulation, needed, predict

__all__ = ["Simulation", "needed", "predict"]
