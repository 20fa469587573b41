"""Decide whether one simulated worker or shard can stand for many, and what the simulation then needs."""

from psmodel.calibration import IDEAL, Calibration
from psmodel.limits.budget import Need
from psmodel.scenario import Scenario
from psmodel.scenario.features import alike
from psmodel.service_demands import Demands, demands
from psmodel.simulation.needs import need


def shards_alike(scenario: Scenario, d: Demands) -> bool:
    """Whether the very same happens to shards of one size: then one stands for all of them."""
    return (
        alike(scenario, "shards")
        and d.request == 0
        and not any(d.receive)  # on a worker's cores those of several shards share
        and not any(any(p.send) for p in d.pushes)
        and d.head_start == 0
        and d.crossing == 0
    )


def workers_alike(scenario: Scenario, d: Demands) -> bool:
    """Whether the very same happens to all workers: in step, and never behind each other at a shard."""
    return (
        alike(scenario, "workers")
        and not any(d.reply)
        and not any(any(p.apply) for p in d.pushes)
        and d.head_start == 0
        and d.crossing == 0
    )


def least_need(scenario: Scenario) -> Need:
    """What simulating it takes at least, as far as the scenario's features alone say."""
    workers = 1 if alike(scenario, "workers") else scenario.workers
    return need(scenario, workers, 1 if alike(scenario, "shards") else scenario.shards)


def needed(scenario: Scenario, calibration: Calibration = IDEAL) -> Need:
    """What simulating it will take."""
    least = least_need(scenario)
    if least.is_long:
        return least  # a million unequal shards take their time to be looked at
    d = demands(scenario, calibration)
    shards = len(set(scenario.shard_sizes)) if shards_alike(scenario, d) else scenario.shards
    return need(scenario, 1 if workers_alike(scenario, d) else scenario.workers, shards)
