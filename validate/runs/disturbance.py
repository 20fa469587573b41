"""Signs that a finished run was disturbed: workers that stood still, and retransmitted TCP segments."""

from collections.abc import Mapping, Sequence

import numpy as np

from psmodel.results import Array, Outage
from psmodel.units import format_time
from validate.actors.presence import ProcessReport

SILENCE_S = 2.0
"""Shortest silence that is spoken of."""
_USUAL, _STEPS = 5.0, 2.0
RESENT_SHARE, _RESENT_AT_LEAST = 0.01, 50


def silence(
    instants: Mapping[str, Array],
    updates: Sequence[Array],
    longest_step_s: float,
    outages: Sequence[Outage] = (),
) -> tuple[str, ...]:
    """A sentence if for long nothing began or ended anywhere.

    That is longer than 2 s, 5 iterations, 5 intervals between updates (the lower medians), and twice the longest
    step that was to be computed.

    Parameters
    ----------
    instants
        Of the workers' phases, in s on a common clock; shape (workers, iterations).
    updates
        When updates began and ended, in s, shape (updates,).
    longest_step_s
        Of the compute times and update costs that were drawn.
    outages
        Planned ones, during which nothing need happen.
    """
    usual = max(
        _lower_median((instants["released"] - instants["start"]).ravel()),
        _lower_median(np.diff(np.sort(updates[0]))),
    )
    edges = np.array([[outage.died_s, outage.back_s] for outage in outages]).reshape(-1, 2)
    events = np.sort(np.concatenate([np.ravel(a) for a in (*instants.values(), *updates, edges)]))
    middle = (events[1:] + events[:-1])[:, None] / 2
    away = ((edges[:, 0] < middle) & (middle < edges[:, 1])).any(axis=1)
    gaps = np.where(away, 0.0, np.diff(events))
    longest = float(gaps.max(initial=0.0))
    if longest <= max(SILENCE_S, _USUAL * usual, _STEPS * longest_step_s):
        return ()
    since = float(events[int(gaps.argmax())])
    return (f"nothing happened for {format_time(longest)}, beginning {format_time(since)} after the start",)


def _lower_median(values: Array) -> float:
    return float(np.sort(values)[(values.size - 1) // 2]) if values.size else 0.0


def retransmissions(
    before: Mapping[str, ProcessReport], after: Mapping[str, ProcessReport]
) -> tuple[str, ...]:
    """A sentence for each host that sent many segments twice during the run; hosts by the name of an actor there."""
    sentences = []
    namespaces = set()
    for name, now in after.items():
        if now.namespace in namespaces:
            continue
        namespaces.add(now.namespace)
        segments, resent = now.sent - before[name].sent, now.resent - before[name].resent
        if resent > max(_RESENT_AT_LEAST, RESENT_SHARE * segments):
            sentences.append(f"TCP on the host of {name} sent {resent} of {segments} segments again")
    return tuple(sentences)
