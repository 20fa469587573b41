"""Messages between workers and shards as rows of numbers, compiled, under SimPy's clock."""

from collections.abc import Sequence

from psmodel.network import loading
from psmodel.network.hosts import Host
from psmodel.scenario import Scenario
from psmodel.scenario.features import features_of

_FEATURES = frozenset(
    {
        "shard_weights", "message_overhead", "placement", "shards_per_host", "workers_per_host", "racks",
        "compute_on", "compute", "compute_factors", "stragglers", "compression", "update_cost", "update_rule", "mode",
        "prefetch", "slow_links",
    }
)  # fmt: skip
_NONE = frozenset({"pull", "push"})


def can_carry(scenario: Scenario, finite: bool) -> bool:
    """Whether this way of simulating knows all that the scenario has.

    Parameters
    ----------
    finite
        Whether all hosts' links have a capacity.
    """
    if not (finite or scenario.placement == "single-host"):
        return False
    return all(
        feature.field in _FEATURES or (feature.field in _NONE and feature.value == "none")
        for feature in features_of(scenario)
    )


def pays(messages: int) -> bool:
    """Whether the compiled functions are loaded, or worth it for so many messages, where they can be had."""
    return loading.has_numba() and (loading.is_loaded() or _History.messages + messages >= _WORTH_LOADING)


def in_rows(scenario: Scenario, workers: Sequence[Host], shards: int) -> bool:
    """Whether to simulate a scenario's messages so, between these workers (groups) and so many shards."""
    finite = all(link.number > 0 for host in workers for link in (host.up, host.down))
    if not can_carry(scenario, finite):
        return False
    messages = 2 * len(workers) * shards * (1 if scenario.is_steady else scenario.total_iterations)
    if pays(messages):
        return True
    _History.messages += messages
    return False


_WORTH_LOADING = 10_000
"""So many messages one by one take about as long as Numba and the functions take to load."""


class _History:
    """Messages that this process has simulated one by one, or has begun to."""

    messages = 0
