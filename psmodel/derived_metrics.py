"""Metrics that follow from others: what people ask of a cluster. docs/reference/glossary.md defines each."""

from collections.abc import Callable

from psmodel.results import Metrics, Prediction
from psmodel.scenario import Scenario
from psmodel.scenario.features import fixed_columns

DERIVED = ("communication_share", "goodput_bytes_per_s", "speedup", "scaling_efficiency")
"""Their names, as columns have them."""
OF_ONE_WORKER = frozenset({"speedup", "scaling_efficiency"})
"""Those for which one worker alone has to be predicted as well."""


def communication_share(metrics: Metrics) -> float | None:
    """See the module; None where an iteration takes no time, or waiting is not known.

    >>> communication_share(
    ...     Metrics(iteration_time_s=1.0, pull_time_s=0.25, compute_time_s=0.5, push_time_s=0.25, wait_time_s=0.0)
    ... )
    0.5
    """
    if metrics.wait_time_s is None or metrics.iteration_time_s <= 0:
        return None
    return (metrics.pull_time_s + metrics.push_time_s + metrics.wait_time_s) / metrics.iteration_time_s


def payload_per_update(scenario: Scenario) -> float:
    """Bytes that one worker pulls and pushes in one iteration."""
    pulled = 0 if scenario.pull == "none" else scenario.total_bytes
    pushed = 0 if scenario.push == "none" else sum(scenario.pushed_sizes)
    return float(pulled + pushed)


def alone(scenario: Scenario) -> Scenario | None:
    """The scenario with one worker; None if that cannot be (it names others, or lists one number for each).

    >>> from psmodel.scenario import load
    >>> alone(load("ingress-single", backup_workers=2)).workers
    1
    """
    if "workers" in fixed_columns(scenario):
        return None
    return scenario.model_copy(update={"workers": 1, "backup_workers": 0})


def derived(
    scenario: Scenario, metrics: Metrics, predict_alone: Callable[[Scenario], Prediction] | None
) -> dict[str, float | None]:
    """All derived metrics of one prediction or run.

    Parameters
    ----------
    predict_alone
        Predicts the scenario of one worker; without it those `OF_ONE_WORKER` are None.
    """
    rate = metrics.updates_per_s
    time = metrics.iteration_time_s
    # Where nothing is pushed there are no updates, but iterations that pull.
    rounds = rate if scenario.push != "none" else scenario.workers / time if time > 0 else None
    speedup = None
    one = alone(scenario) if predict_alone is not None else None
    if one is not None and predict_alone is not None and rate is not None:
        alone_rate = predict_alone(one).metrics.updates_per_s
        speedup = rate / alone_rate if alone_rate else None
    return {
        "communication_share": communication_share(metrics),
        "goodput_bytes_per_s": None if rounds is None else rounds * payload_per_update(scenario),
        "speedup": speedup,
        "scaling_efficiency": None if speedup is None else speedup / scenario.workers,
    }
