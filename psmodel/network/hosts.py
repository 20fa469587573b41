"""Hosts and racks, and what any network does for them."""

from dataclasses import dataclass
from typing import Protocol

from psmodel.network.decided import Decided
from psmodel.network.fluid import Link


@dataclass(frozen=True, kw_only=True, eq=False)
class Rack:
    """Hosts whose flows to and from other racks share one uplink and one downlink."""

    name: str
    up: Link
    down: Link


@dataclass(frozen=True, kw_only=True, eq=False)
class Host:
    """`count` interchangeable hosts; `up` and `down` are those of a single one."""

    name: str
    up: Link
    down: Link
    count: int = 1
    rack: Rack | None = None


class Network(Protocol):
    """What carries bytes between hosts."""

    def transfer(self, src: Host, dst: Host, nbytes: float) -> Decided:
        """Every one of `src.count` hosts sends `nbytes` to every one of `dst.count` hosts.

        The event succeeds at the instant the last byte has arrived, propagation delay included.
        """
