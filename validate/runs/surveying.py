"""Surveys the hosts of a testbed that has been entered: permuted streams between them, computing, calls.

In each round every host sends a stream to another one and receives one from a third, so that each stream crosses one
up and one down link that nothing else uses; with the rounds the partners change. A link that is slow is slow with all
partners, which is how `validate.gate.hosts` tells whose it is.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from psmodel.errors import CannotRun
from validate.measurements.host_survey import Flow, HostSurvey
from validate.testbeds.base import host_names
from validate.testbeds.guarded import bounded

ROUND_S = 0.5
"""How long a stream is."""
_MOST_ROUNDS = 4
_BURSTS = 5
_CALLS = 20
_BLOCKS = 3
"""Times that computing and calls are measured, host after host each time."""
_TIMEOUT_S = 60.0
_START_S = 120.0


class Surveying:
    """A surveyor on each host, from entering to leaving.

    The driver's own host is surveyed only if there are not two others: its link may be unlike theirs.
    """

    def __init__(self) -> None:
        self.hosts: tuple[str, ...] = ()
        self._actors: dict[str, Any] = {}

    def __enter__(self) -> Self:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from validate.actors.surveyor import Surveyor

        here = ray.get_runtime_context().get_node_id()
        names = host_names()
        others = {node: name for node, name in names.items() if node != here}
        chosen = others if len(others) >= 2 else names
        if len(set(chosen.values())) < len(chosen):
            chosen = {node: f"{name}-{node[:6]}" for node, name in chosen.items()}
        surveyor = ray.remote(Surveyor)
        for node, name in sorted(chosen.items(), key=lambda pair: pair[1]):
            self._actors[name] = surveyor.options(
                num_cpus=0,
                max_concurrency=2,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            ).remote()
        self.hosts = tuple(self._actors)
        _answers([actor.answer.remote() for actor in self._actors.values()], _START_S)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        bounded(self._kill, _TIMEOUT_S)

    def _kill(self) -> None:
        import ray

        for actor in self._actors.values():
            ray.kill(actor)

    def survey(self, *, seed: int, advance: Callable[[int, str], None] = lambda _n, _t: None) -> HostSurvey:
        """One survey: at most 4 rounds of streams, then computing and calls in turn.

        Parameters
        ----------
        seed
            Of the order of hosts in the rounds.

        Raises
        ------
        CannotRun
            If a host does not answer, or there is only one.
        """
        if len(self.hosts) < 2:
            raise CannotRun(
                f"a survey compares hosts with each other, and there is only {', '.join(self.hosts)}"
            )
        began = time.monotonic()
        flows: list[Flow] = []
        for number, partner in enumerate(_rounds(len(self.hosts), seed)):
            advance(0, f"survey of {len(self.hosts)} hosts, round {number + 1}")
            flows += self._round(number, partner)
        cpu: dict[str, list[float]] = {host: [] for host in self.hosts}
        calls: dict[str, list[float]] = {host: [] for host in self.hosts}
        for _ in range(_BLOCKS):
            for host, actor in self._actors.items():
                cpu[host] += _answers([actor.compute.remote(_BURSTS)], _TIMEOUT_S)
                calls[host].append(_call_time(actor))
        return HostSurvey(
            hosts=self.hosts,
            flows=tuple(flows),
            cpu={host: tuple(times) for host, times in cpu.items()},
            calls={host: tuple(times) for host, times in calls.items()},
            seconds=time.monotonic() - began,
        )

    def _round(self, number: int, partner: Sequence[int]) -> list[Flow]:
        actors = list(self._actors.values())
        doors = _answers([actor.door.remote() for actor in actors], _TIMEOUT_S)
        receiving = [actor.receive.remote() for actor in actors]
        sending = [actor.send.remote(*doors[to], ROUND_S) for actor, to in zip(actors, partner, strict=True)]
        rates = _answers(receiving, _TIMEOUT_S)
        _answers(sending, _TIMEOUT_S)
        return [
            Flow(round=number, sender=self.hosts[i], receiver=self.hosts[to], rate=rates[to])
            for i, to in enumerate(partner)
        ]


def _rounds(hosts: int, seed: int) -> list[list[int]]:
    """Who sends to whom: in each round a permutation without anybody to himself, no pair twice.

    >>> _rounds(3, 0)[0] != _rounds(3, 0)[1]
    True
    """
    order = np.random.default_rng(seed).permutation(hosts)
    place = np.argsort(order)
    shifts = np.random.default_rng(seed).permutation(np.arange(1, hosts))[:_MOST_ROUNDS]
    return [[int(order[(place[i] + shift) % hosts]) for i in range(hosts)] for shift in shifts]


def _call_time(actor: Any) -> float:
    times = []
    for _ in range(_CALLS):
        begin = time.monotonic()
        _answers([actor.answer.remote()], _TIMEOUT_S)
        times.append(time.monotonic() - begin)
    return statistics.median(times)


def _answers(refs: list[Any], seconds: float) -> list[Any]:
    import ray

    try:
        answers: list[Any] = ray.get(refs, timeout=seconds)
    except (ray.exceptions.RayError, TimeoutError) as error:
        raise CannotRun(
            f"a host does not take part in the survey: {str(error).strip().splitlines()[0]}"
        ) from None
    return answers
