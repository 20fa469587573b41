"""Messages between workers and shards as rows of numbers, compiled, under SimPy's clock."""

from psmodel.network import loading
from psmodel.scenario import Scenario
from psmodel.scenario.features import features_of

_FEATURES = frozenset(
    {
        "shard_weights", "message_overhead", "placement", "shards_per_host", "workers_per_host", "racks",
        "compute_on", "compute", "compute_factors", "stragglers", "compression", "update_cost", "update_rule", "mode",
        "prefetch",
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
    """Whether to load the compiled functions for so many messages more, where they can be had."""
    if not loading.has_numba():
        return False
    _Process.messages += messages
    return loading.is_loaded() or _Process.messages >= _WORTH_LOADING


_WORTH_LOADING = 10_000
"""So many messages one by one take about as long as Numba and the functions take to load."""


class _Process:
    """Messages that this process has simulated, or has begun to."""

    messages = 0
