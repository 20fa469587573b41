"""A pull under way, and the countdown to its end."""

from collections.abc import Iterable

import simpy

from psmodel.network.decided import Decided
from psmodel.network.network import FluidNetwork
from psmodel.network.processor import when


class Countdown:
    """An event that happens when as many things have."""

    def __init__(self, env: simpy.Environment, count: int) -> None:
        self.event = env.event()
        self._remaining = count

    def one_less(self) -> None:
        """One of them has happened."""
        self._remaining -= 1
        if self._remaining == 0:
            self.event.succeed()


def one_less(countdowns: Iterable[Countdown]) -> None:
    """Something that several count has happened."""
    for countdown in countdowns:
        countdown.one_less()


class Pull:
    """A pull of one worker under way.

    Parameters
    ----------
    iteration
        The one it is asked for.
    shards
        How many are asked.

    Attributes
    ----------
    arrived
        Counts down to its end.
    versions, rounds
        Of each shard, by its position, what `Shard.version` and `Shard.rounds_from` were when it was read.
    transfers
        What shards have begun to send.
    abandoned
        Whether its worker has died.
    """

    def __init__(self, env: simpy.Environment, *, iteration: int, shards: int) -> None:
        self.iteration = iteration
        self.arrived = Countdown(env, shards)
        self.versions = [0] * shards
        self.rounds: dict[int, dict[int, int]] = {}
        self.transfers: list[Decided] = []
        self.abandoned = False

    def abandon(self, network: FluidNetwork) -> None:
        """Its worker has died: nothing of it is sent any more."""
        self.abandoned = True
        for transfer in self.transfers:
            network.stop(transfer)


def in_order(env: simpy.Environment, first: simpy.Event | None, second: simpy.Event) -> simpy.Event:
    """When both have happened: of transfers of different sizes or weights one might overtake another."""
    if first is None or first.processed:
        return second
    both = env.event()
    when(second, lambda: when(first, both.succeed))
    return both
