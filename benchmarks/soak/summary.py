"""What a soak showed, in numbers and as the documentation's page."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.soak.loop import CASES, RunSample, Strike
from benchmarks.soak.slopes import Trend, trend
from validate.machine.environment import this_machine

QUANTITIES = {
    "memory_bytes": "memory (MB)",
    "shared_bytes": "/dev/shm (MB)",
    "file_bytes": "files in the sandbox (MB)",
    "disk_bytes": "disk (MB)",
    "descriptors": "descriptors",
    "threads": "threads",
    "processes": "processes",
    "namespaces": "namespaces",
}


WARM_UP = 5
"""Runs of a process in which its pools fill: object stores take pages, and Ray's GCS remembers so many calls."""


def value(sample: RunSample, name: str) -> float:
    """A quantity of a sample, as it is drawn."""
    number: int = getattr(sample.holding, name)
    return number / 1e6 if name.endswith("_bytes") else number


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What was held of something on a testbed, and whether it grew: over the soak, and from run to run of a process."""

    testbed: str
    words: str
    least: float
    most: float
    over_time: Trend
    over_runs: Trend

    @property
    def flat(self) -> bool:
        return self.over_time.flat and self.over_runs.flat


def quantities(samples: Sequence[RunSample]) -> Iterator[Quantity]:
    """Of each testbed, each quantity."""
    for testbed in CASES:
        rows = [s for s in samples if s.testbed == testbed]
        for name, words in QUANTITIES.items() if rows else ():
            values = [value(s, name) for s in rows]
            warm = [s for s in rows if s.runs > WARM_UP]
            yield Quantity(
                testbed=testbed,
                words=words,
                least=min(values),
                most=max(values),
                over_time=trend([s.at_s for s in rows], values),
                over_runs=trend([s.runs for s in warm], [value(s, name) for s in warm]),
            )


def sound(samples: Sequence[RunSample], strikes: Sequence[Strike]) -> bool:
    """Whether nothing grew, nothing was lost or left, and every fault was named."""
    whole = all(s.row.noticed_s is not None and not s.row.lost and not s.row.left for s in strikes)
    return whole and all(q.flat for q in quantities(samples))


def page(samples: Sequence[RunSample], strikes: Sequence[Strike], *, seed: int) -> str:
    """The documentation's page of it."""
    machine = this_machine()
    minutes = max(s.at_s for s in strikes) / 60
    ends = [s for s in strikes if s.ended]
    lines = [
        "# Soak",
        "",
        f"`make soak`: {minutes:.0f} minutes of suites in a loop on one machine and in network namespaces, seed "
        f"{seed}. {len(samples)} runs began, {len(strikes) - len(ends)} of them were struck by a fault of "
        f"[the table](faults.md), chosen at random, in commands that alternate with undisturbed ones; "
        f"{len(ends)} commands were ended by signals, and each time the next one began. "
        f"{sum(s.stored for s in ends)} runs were stored, {sum(s.row.lost for s in strikes)} lost; "
        f"{sum(s.row.left or 0 for s in strikes)} processes, files, shared memories and namespaces were left.",
        "",
        f"Taken on {machine.cpu_model}, {machine.cores} cores, kernel {machine.kernel}, Ray {machine.ray}.",
        "",
        "![What commands held over time](soak.png)",
        "",
        "What a command and all processes below it hold while a run is at work. Growth is the slope of Theil and Sen "
        "as a share of the mean, with its interval at 95 %: over the whole soak, and from run "
        f"{WARM_UP + 1} to the last run of one process (in the first ones pools fill: an object store keeps the pages "
        "that it has used, and Ray's GCS remembers the last 1000 calls). p is the chance of as much where nothing "
        "grows (Kendall's τ). A line is flat if p > 1 % or it grew by no more than 5 %.",
        "",
        "| testbed | what | least | most | over the soak | p | over runs | p | flat |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {q.testbed} | {q.words} | {q.least:.4g} | {q.most:.4g} | {_growth(q.over_time)} | {_growth(q.over_runs)} "
        f"| {'yes' if q.flat else 'no'} |"
        for q in quantities(samples)
    ]
    counts = Counter((s.row.testbed, s.row.fault) for s in strikes)
    unnoticed = Counter((s.row.testbed, s.row.fault) for s in strikes if s.row.noticed_s is None)
    lines += ["", "| testbed | fault or end | times | named |", "| --- | --- | ---: | ---: |"]
    lines += [
        f"| {testbed} | {fault} | {count} | {count - unnoticed[testbed, fault]} |"
        for (testbed, fault), count in sorted(counts.items())
    ]
    return "\n".join(lines) + "\n"


def _growth(slope: Trend) -> str:
    interval = f"{100 * slope.least:+.1f} to {100 * slope.most:+.1f}"
    return f"{100 * slope.growth:+.1f} % ({interval}) | {slope.chance:.2g}"
