"""How many machines are worth their while: answered by predicted times, and by the rule of DLRover.

The question is the largest published size at which a machine still does nine tenths of the work that it does in the
smallest one. DLRover asks the busiest server instead: no more workers once it is used for more than 0.95 of the time,
else N·0.9/utilisation of them (Wang et al. 2024, "DLRover-RM", PVLDB 17; `local_optimizer.py` of the project). Its
utilisation is that of the CPU; published tables tell that of the link.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from validate.published.tables import PublishedRow

EFFICIENCY = 0.9
"""Share of the smallest size's work per machine that a machine must do, and DLRover's wanted utilisation."""
_BUSY = 0.95
DLROVER = "DLRover's rule"


@dataclass(frozen=True, kw_only=True)
class SizeChoice:
    """Of one job in one network: the largest size worth its while, measured and by method."""

    table: str
    network: str
    model: str
    batch_per_gpu: int
    measured: int
    choices: Mapping[str, int]


def plan(sizes: Sequence[PublishedRow], predicted_s: Mapping[str, Mapping[int, float]]) -> SizeChoice:
    """Answer the question for one job.

    Parameters
    ----------
    sizes
        All published sizes of the job.
    predicted_s
        Method → machines → predicted time, of the sizes that were not fitted.
    """
    ordered = sorted(sizes, key=lambda row: row.machines)
    measured = {row.machines: row.step_s for row in ordered}
    fitted = [row for row in ordered if row.fitted]
    learnt = {row.machines: row.step_s for row in fitted}
    choices = {method: _largest(learnt | dict(times)) for method, times in predicted_s.items()}
    first = ordered[0]
    return SizeChoice(
        table=first.table,
        network=first.network,
        model=first.model,
        batch_per_gpu=first.batch_per_gpu,
        measured=_largest(measured),
        choices=choices | {DLROVER: _dlrover(fitted[-1], [row.machines for row in ordered])},
    )


def _largest(times: Mapping[int, float]) -> int:
    smallest = min(times)
    return max(size for size, time in times.items() if times[smallest] / time >= EFFICIENCY)


def _dlrover(row: PublishedRow, sizes: Sequence[int]) -> int:
    used = min(1.0, row.communication_s / row.step_s)
    most = row.machines if used > _BUSY else row.machines * EFFICIENCY / used
    return max((size for size in sizes if size <= most), default=min(sizes))
