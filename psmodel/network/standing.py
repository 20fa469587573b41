"""Transfers that stand still: before they begin, and while somebody halts them."""

from dataclasses import dataclass
from typing import NamedTuple

from psmodel.network.decided import Decided
from psmodel.network.fluid import Link


@dataclass(slots=True)
class Halted:
    """A flow that stands still: what is needed to let it go on, and how many have halted it."""

    number: int
    path: list[int]
    weights: list[float]
    remaining: float
    limit: float
    delayed: bool
    times: int = 1


class Beginning(NamedTuple):
    """A transfer that has begun at this instant, `order` being that of its start among all."""

    done: Decided
    order: int
    path: list[Link]
    weights: list[float]
    nbytes: float
    abreast: int
    meets: Link | None
