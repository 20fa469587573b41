"""A scenario without any optional feature, and for each feature the settings that give it one."""

from typing import Any

from psmodel.scenario import Scenario

BASE = Scenario.from_json(
    {
        "name": "base",
        "workers": 4,
        "shards": 3,
        "elements": 30_000,
        "bandwidth": "100Mbps",
        "compute": "20 ms",
        "iterations": 4,
    }
)
EXAMPLES: dict[str, dict[str, Any]] = {
    "shard_weights": {"shard_weights": [1, 1, 2]},
    "message_overhead": {"message_overhead": "1 ms"},
    'placement = "colocated"': {"placement": "colocated"},
    'placement = "single-host"': {"placement": "single-host"},
    "shards_per_host": {"shards_per_host": 2},
    "workers_per_host": {"workers_per_host": 2},
    "racks": {"racks": {"count": 2, "oversubscription": 4}},
    "slow_links": {
        "slow_links": [{"link": "shard-1.down", "rate": "6Mbps"}, {"link": "worker-0.down", "rate": "4Mbps"}]
    },
    "background": {"background": [{"link": "shard-0.down", "rate": "30Mbps"}]},
    "cores_per_host": {"cores_per_host": 1},
    "total_cores": {"total_cores": 2},
    'compute_on = "cpu"': {"total_cores": 2, "compute_on": "cpu"},
    "compute": {"compute": {"kind": "lognormal", "mean": "20 ms", "cv": 0.5}},
    "compute_factors": {"compute_factors": [1, 1, 2, 1]},
    "stragglers": {"stragglers": {"rate": 10, "slowdown": 3, "duration": "50 ms"}},
    "layers": {"layers": [{"share": 0.5, "compute_share": 0.3}, {"share": 0.5, "compute_share": 0.3}]},
    "compression": {"compression": {"ratio": 4, "compress_time": "1 ms", "decompress_time": "1 ms"}},
    "update_cost": {"update_cost": "2 ms"},
    'update_cost = "random"': {"update_cost": {"kind": "exponential", "mean": "2 ms"}},
    'update_rule = "affine"': {"update_rule": "affine"},
    'mode = "asp"': {"mode": "asp"},
    'mode = "ssp"': {"mode": "ssp", "staleness_bound": 1},
    "backup_workers": {"backup_workers": 1},
    'pull = "sequential"': {"pull": "sequential"},
    'pull = "none"': {"pull": "none"},
    "prefetch": {"prefetch": True},
    'push = "sequential"': {"push": "sequential"},
    'push = "fire-and-forget"': {"push": "fire-and-forget"},
    'push = "none"': {"push": "none"},
    "max_in_flight_pushes": {"push": "fire-and-forget", "max_in_flight_pushes": 1},
    "failures": {"failures": [{"role": "shard", "index": 0, "at": "10 ms", "repair_time": "30 ms"}]},
}
