"""Surveys the hosts of a testbed that has been entered: permuted streams between them, computing, calls.

In each round hosts are in pairs, of which one sends and one receives, so that each stream crosses an up and a down link
that nothing else uses; with the rounds the partners change. A link that is slow is slow with all partners, which is how
`validate.gate.hosts` tells whose it is. No host sends and receives at once: acknowledgements would wait behind the data
that a slow down link lets in, and slow down what the host sends (by 30 % where the down link had lost 10 %).
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
from validate.testbeds.patience import bounded

ROUND_S = 0.5
"""How long a stream is."""
MOST_ROUNDS = 6
_CALLS = 20
_BLOCKS = 4
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
        nodes = others if len(others) >= 2 else names
        if len(set(nodes.values())) < len(nodes):
            nodes = {node: f"{name}-{node[:6]}" for node, name in nodes.items()}
        surveyor = ray.remote(Surveyor)
        for node, name in sorted(nodes.items(), key=lambda pair: pair[1]):
            self._actors[name] = surveyor.options(
                num_cpus=0,
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

    def survey(
        self,
        *,
        seed: int,
        turned: bool = False,
        advance: Callable[[int, str], None] = lambda _n, _t: None,
    ) -> HostSurvey:
        """One survey: at most 6 rounds of streams, then computing and calls in turn.

        Parameters
        ----------
        seed
            Of who meets whom in which round.
        turned
            Whether senders and receivers change places: two surveys with one seed see each pair both ways.

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
        for number, pairs in enumerate(rounds(len(self.hosts), seed)):
            advance(0, f"survey of {len(self.hosts)} hosts, round {number + 1}")
            flows += self._round(number, [pair[::-1] for pair in pairs] if turned else pairs)
        cpu: dict[str, list[float]] = {host: [] for host in self.hosts}
        calls: dict[str, list[float]] = {host: [] for host in self.hosts}
        for _ in range(_BLOCKS):
            for host, actor in self._actors.items():
                cpu[host] += _answers([actor.compute.remote()], _TIMEOUT_S)
                calls[host].append(_call_time(actor))
        return HostSurvey(
            hosts=self.hosts,
            flows=tuple(flows),
            cpu={host: tuple(times) for host, times in cpu.items()},
            calls={host: tuple(times) for host, times in calls.items()},
            seconds=time.monotonic() - began,
        )

    def _round(self, number: int, pairs: Sequence[tuple[int, int]]) -> list[Flow]:
        actors = list(self._actors.values())
        doors = _answers([actors[to].door.remote() for _, to in pairs], _TIMEOUT_S)
        receiving = [actors[to].receive.remote() for _, to in pairs]
        sending = [
            actors[sender].send.remote(*door, ROUND_S) for (sender, _), door in zip(pairs, doors, strict=True)
        ]
        rates = _answers(receiving, _TIMEOUT_S)
        _answers(sending, _TIMEOUT_S)
        return [
            Flow(round=number, sender=self.hosts[sender], receiver=self.hosts[to], rate=rate)
            for (sender, to), rate in zip(pairs, rates, strict=True)
        ]


def rounds(hosts: int, seed: int) -> list[list[tuple[int, int]]]:
    """Who sends to whom: in each round pairs without a host twice, of an odd number one rests.

    The rounds of a tournament by the circle method: one place stays, the others move on by one, and directions
    alternate, so that each host sends about as often as it receives. Few hosts have so few pairs that they meet again,
    the other way round: without repetitions nothing would tell noise from a slow link.

    >>> rounds(3, 0)
    [[(1, 0)], [(1, 2)], [(2, 0)], [(0, 1)], [(2, 1)], [(0, 2)]]
    """
    order = np.random.default_rng(seed).permutation(hosts).tolist()
    places = order if hosts % 2 == 0 else [*order, -1]
    once = []
    for number in range(min(len(places) - 1, MOST_ROUNDS)):
        half = len(places) // 2
        pairs = list(zip(places[:half], reversed(places[half:]), strict=True))
        turned = [pair[::-1] if (place or number) % 2 else pair for place, pair in enumerate(pairs)]
        once.append([pair for pair in turned if -1 not in pair])
        places = [places[0], places[-1], *places[1:-1]]
    back = [[pair[::-1] for pair in pairs] for pairs in once]
    return [pairs for number in range(MOST_ROUNDS // len(once)) for pairs in (back if number % 2 else once)]


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
