"""Queueing theory: what has a closed form, with its source.

Stations are shards and links, customers are workers, think time is compute. Nothing here knows of a scenario.
"""

from psmodel.queueing.bounds import (
    ClosedBounds,
    asymptotic_bounds,
    balanced_job_bounds,
    saturation_population,
)
from psmodel.queueing.mean_value import ClosedNetwork, Station, mva
from psmodel.queueing.multiclass import MultiClassNetwork, approximate_mva
from psmodel.queueing.open_queues import OpenQueue, erlang_b, erlang_c, md1, mg1, mg1_ps, mm1, mmc
from psmodel.queueing.repairman import Repairman, general_repairman, machine_repairman

__all__ = [
    "ClosedBounds",
    "ClosedNetwork",
    "MultiClassNetwork",
    "OpenQueue",
    "Repairman",
    "Station",
    "approximate_mva",
    "asymptotic_bounds",
    "balanced_job_bounds",
    "erlang_b",
    "erlang_c",
    "general_repairman",
    "machine_repairman",
    "md1",
    "mg1",
    "mg1_ps",
    "mm1",
    "mmc",
    "mva",
    "saturation_population",
]
