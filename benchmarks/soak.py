"""``python -m benchmarks.soak``: suites in a loop, faults at random; what they hold must not grow.

One command after the other makes real runs on the two testbeds in turn; each gets a fault during some of its runs and
is ended in some way. While it works its processes are counted, when it has ended what it left. The slopes of all that
over time are tested (Kendall's τ, one-sided: Mann 1945, Econometrica 13(3):245).
"""

import argparse
import csv
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from scipy import stats

from benchmarks.faults import ends, victims
from benchmarks.faults.cases import LOCAL, NETNS
from benchmarks.faults.course import Course, entries

_RESULTS = Path(__file__).parent / "results"
_DOCS = Path(__file__).parents[1] / "docs"
_RUNS_EACH = 3
_SIGNIFICANCE = 0.01
_NOTABLE = 0.05
"""Growth over the whole soak, as a share of the mean, that counts."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a command held while it worked, or left when it had ended.

    Attributes
    ----------
    memory_bytes, descriptors, processes
        Of the command and everything below it (memory: proportional set size of proc(5), smaps_rollup).
    left
        Processes, temporary files, shared memory and namespaces after its end.
    """

    testbed: str
    at_s: float
    memory_bytes: int
    descriptors: int
    processes: int
    shared_memory: int
    namespaces: int
    left: int
    stored: int
    lost: int


def soaking(seconds: float, seed: int) -> Iterator[Sample]:
    """Commands with faults, until the time is over."""
    chance, began = random.Random(seed), time.monotonic()
    shared, namespaces = entries("/dev/shm"), entries("/run/netns")
    beds: tuple[Literal["local", "netns"], ...] = ("local", "netns")
    while time.monotonic() - began < seconds:
        for bed in beds:
            course = Course(bed, repetitions=20)
            try:
                course.start()
                at_work = _held(course.at_work())
                losses = 0
                for case in chance.sample(LOCAL if bed == "local" else NETNS, _RUNS_EACH):
                    row = course.meet(case)
                    losses += row.lost
                    print(f"{bed:6} {case.name:45} {row.sentence}", flush=True)
                end = chance.choice([end for end in ends.ENDS if end.after_s is None])
                if course.process is None or course.process.poll() is not None:
                    course.start()
                course.at_work()
                row = course.end_by(end.name, end.numbers, to=end.to, pause_s=0.3)
                print(f"{bed:6} {end.name:45} {row.sentence}", flush=True)
                yield Sample(
                    testbed=bed,
                    at_s=time.monotonic() - began,
                    **at_work,
                    shared_memory=len(entries("/dev/shm") - shared),
                    namespaces=len(entries("/run/netns") - namespaces),
                    left=len(course.left()),
                    stored=len(course.stored()),
                    lost=losses + row.lost,
                )
            finally:
                course.close()


def _held(root: int) -> dict[str, int]:
    memory = descriptors = processes = 0
    for pid in (root, *victims.descendants(root)):
        folder = Path(f"/proc/{pid}")
        try:
            rollup = (folder / "smaps_rollup").read_text()
            descriptors += len(list((folder / "fd").iterdir()))
        except OSError:
            continue
        memory += 1024 * int(rollup.partition("\nPss:")[2].split()[0])
        processes += 1
    return {"memory_bytes": memory, "descriptors": descriptors, "processes": processes}


@dataclass(frozen=True, kw_only=True)
class Slope:
    """How something grew: share of its mean per soak (Theil–Sen), and the chance of as much by accident."""

    growth: float
    chance: float

    @property
    def flat(self) -> bool:
        return self.chance > _SIGNIFICANCE or self.growth <= _NOTABLE


def slope(times: Sequence[float], values: Sequence[float]) -> Slope:
    """The trend of values over time.

    >>> slope([0, 1, 2, 3, 4, 5, 6], [5, 5, 5, 5, 5, 5, 5]).flat
    True
    >>> slope(range(9), [10, 11, 12, 13, 14, 15, 16, 17, 18]).flat
    False
    """
    mean = sum(values) / len(values)
    if min(values) == max(values):
        return Slope(growth=0.0, chance=1.0)
    rate = stats.theilslopes(values, times).slope
    chance = stats.kendalltau(times, values, alternative="greater").pvalue
    return Slope(growth=float(rate * (max(times) - min(times)) / mean), chance=float(chance))


_HELD = ("memory_bytes", "descriptors", "processes")
_LEFT = ("shared_memory", "namespaces", "left", "lost")


def slopes(samples: Sequence[Sample]) -> Mapping[tuple[str, str], Slope]:
    """Testbed and what it is → its trend."""
    trends_of = {}
    for bed in sorted({s.testbed for s in samples}):
        mine = [s for s in samples if s.testbed == bed]
        if len(mine) > 1:
            times = [s.at_s for s in mine]
            trends_of |= {(bed, what): slope(times, [getattr(s, what) for s in mine]) for what in _HELD}
    return trends_of


def draw(samples: Sequence[Sample], path: Path) -> None:
    """What was held and left, over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    rows = [*_HELD, "left"]
    for axes, what in zip(figure.subplots(len(rows), 1, sharex=True), rows, strict=True):
        for bed in sorted({s.testbed for s in samples}):
            mine = [s for s in samples if s.testbed == bed]
            scale = 1e6 if what == "memory_bytes" else 1
            axes.plot([s.at_s / 60 for s in mine], [getattr(s, what) / scale for s in mine], "o-", label=bed)
        axes.set_ylabel("memory (MB)" if what == "memory_bytes" else what)
        axes.set_ylim(bottom=0)
    axes.set_xlabel("minutes")
    figure.axes[0].legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Soak, keep the table and the figure; exit with 1 if something grew, was lost or was left."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    samples: list[Sample] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for sample in soaking(60 * arguments.minutes, arguments.seed):
            samples.append(sample)
            _RESULTS.mkdir(exist_ok=True)
            with (_RESULTS / "soak.csv").open("w", newline="") as file:
                table = csv.DictWriter(file, [f.name for f in fields(Sample)])
                table.writeheader()
                table.writerows(asdict(s) for s in samples)
    except KeyboardInterrupt:
        print("interrupted: of what there is")
    if not samples:
        sys.exit(1)
    draw(samples, _DOCS / "soak.png")
    trends = slopes(samples)
    for (bed, what), trend in trends.items():
        print(
            f"{bed:6} {what:14} {100 * trend.growth:+6.1f} % p = {trend.chance:.3f} {'flat' if trend.flat else 'GROWS'}"
        )
    remains = {what: sum(getattr(s, what) for s in samples) for what in _LEFT}
    print(f"{len(samples)} commands, {sum(s.stored for s in samples)} runs stored; {remains}")
    sys.exit(0 if all(t.flat for t in trends.values()) and not any(remains.values()) else 1)


if __name__ == "__main__":
    main()
