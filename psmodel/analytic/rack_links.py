"""Work of the links between racks."""

import numpy as np
from numpy.typing import NDArray

from psmodel.calibration import Calibration
from psmodel.scenario import Scenario
from psmodel.service_demands import links, rack_rates

Array = NDArray[np.float64]


def between_racks(scenario: Scenario, calibration: Calibration, rows: int) -> tuple[Array, Array]:
    """Seconds that all workers' pulls and pushes of one iteration take on the busiest link of a rack."""
    if scenario.racks is None:
        return np.zeros(rows), np.zeros(rows)
    count = scenario.racks.count
    sizes, step = (scenario.shard_sizes, scenario.pushed_sizes), scenario.shards_per_host
    pull_volume, push_volume = (
        [sum(hosts[rack::count]) for rack in range(count)]
        for hosts in ([sum(s[i : i + step]) for i in range(0, len(s), step)] for s in sizes)
    )
    each = scenario.workers_per_host
    hosts_of = [min(each, scenario.workers - first) for first in range(0, scenario.workers, each)]
    workers = [sum(hosts_of[rack::count]) for rack in range(count)]
    pulls, pushes = scenario.pull != "none", scenario.push != "none"
    times = []
    for rack, (up, down) in enumerate(rack_rates(scenario, links(scenario, calibration)[0])):
        # Whoever an iteration does not wait for may be among either.
        here, elsewhere = (
            max(0, crowd - scenario.backup_workers)
            for crowd in (workers[rack], scenario.workers - workers[rack])
        )
        push_out, push_into = here * (sum(push_volume) - push_volume[rack]), elsewhere * push_volume[rack]
        pull_out, pull_into = elsewhere * pull_volume[rack], here * (sum(pull_volume) - pull_volume[rack])
        times += [
            (pulls * pull_out / up, pushes * push_out / up),
            (pulls * pull_into / down, pushes * push_into / down),
        ]
    pull, push = max(times, key=sum)
    return np.full(rows, float(pull)), np.full(rows, float(push))
