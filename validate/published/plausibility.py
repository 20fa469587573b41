"""Published cells that cannot be what their table says: the bandwidth they imply is not that of their network."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from psmodel.units import format_rate
from validate.published.tables import PublishedRow

_FAR = 3.5
"""Modified z-score above which a value is an outlier (Iglewicz & Hoaglin 1993, "How to detect and handle outliers")."""
_TO_DEVIATIONS = 0.6745
_CLEAR = 0.1
"""Relative difference below which cells of one network are called equal, however close the others lie."""


@dataclass(frozen=True, kw_only=True)
class Odd:
    """A cell, and what is odd about it in a sentence."""

    table: str
    network: str
    model: str
    machines: int
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def odd_cells(rows: Sequence[PublishedRow]) -> tuple[Odd, ...]:
    """The synchronisations that imply another bandwidth than their network's other cells, or more than its links have.

    In a training step communication hides behind computing, so that one cell alone implies nothing; there the time
    over one machine is compared with what the links at their nominal rate allow, see `_slow_steps`.
    """
    odd: list[Odd] = []
    networks: dict[tuple[str, str], list[PublishedRow]] = {}
    for row in rows:
        networks.setdefault((row.table, row.network), []).append(row)
    for cells in networks.values():
        odd += _outliers(cells) if cells[0].kind == "synchronisation" else _slow_steps(cells)
    return tuple(odd)


def _outliers(cells: Sequence[PublishedRow]) -> list[Odd]:
    implied = np.array([row.wire_bytes / row.step_s for row in cells])
    median = float(np.median(implied))
    distance = np.abs(np.log(implied / median))
    spread = max(float(np.median(distance)), 1e-12)
    odd = []
    for row, rate, far in zip(cells, implied, distance, strict=True):
        if row.rate is not None and rate > row.rate:
            odd.append(
                _odd(
                    row,
                    f"implies {format_rate(float(rate))}, more than the {format_rate(row.rate)} of its links",
                )
            )
        elif far > _CLEAR and _TO_DEVIATIONS * far / spread > _FAR:
            odd.append(
                _odd(
                    row,
                    f"implies {format_rate(float(rate))}, the others of its network {format_rate(median)}",
                )
            )
    return odd


def _slow_steps(cells: Sequence[PublishedRow], repeat_shift: float = 0.05) -> list[Odd]:
    """Steps that take longer over one machine's than everything sent at half the nominal rate explains."""
    alone = {row.job: row.step_s for row in cells if row.machines == 1}
    odd = []
    for row in cells:
        extra = row.step_s - alone.get(row.job, row.step_s)
        sure = extra - 1.96 * repeat_shift * float(np.hypot(row.step_s, row.step_s - extra))
        if row.rate is not None and sure > 2 * row.communication_s > 0:
            implied = row.wire_bytes / extra
            odd.append(
                _odd(row, f"implies at most {format_rate(implied)}, the links have {format_rate(row.rate)}")
            )
    return odd


def _odd(row: PublishedRow, what: str) -> Odd:
    return Odd(
        table=row.table, network=row.network, model=row.model, machines=row.machines,
        sentence=f"{row.table}, {row.network}: {row.model} on {row.machines} machines, {row.step_s:g} s, {what}",
    )  # fmt: skip
