"""Real gates on five hosts in namespaces: this is what runs inside the sandbox, for as long as it may."""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.gate.faults import FAULTS, SOUND, FaultCase, Injected, case
from psmodel.scenario import Scenario
from validate.gate.hosts import HostVerdict, estimate
from validate.gate.verdict import Check, judge
from validate.history.baseline import Baseline
from validate.history.expectation import Expectations
from validate.measurements.host_survey import Flow, HostSurvey
from validate.measurements.measurement import Measurement
from validate.measurements.selection import content
from validate.measurements.store import Store
from validate.runs.real_run import run
from validate.runs.surveying import Surveying
from validate.testbeds import on_this_machine
from validate.testbeds.netns import NetnsTestbed

ALPHA, MARGIN = 0.01, 0.02
RATE = 12.5e6
WORKERS, SHARDS = 3, 2
_BASELINE_RUNS = 4
_LONGEST_TRIAL_S = 14.0


@dataclass(frozen=True, kw_only=True)
class GateTrial:
    """One gate: the fault, what the gate named, and how long it took.

    Attributes
    ----------
    found
        Whether it failed.
    right
        Whether all that it named of hosts is the fault's host, and of its aspects.
    surveys
        Both surveys, as they were measured.
    pushes
        Push times (s) of its runs.
    foreign
        Share of the machine's CPU time that processes of nobody here used during the runs.
    """

    fault: str
    repeat: int
    host: str
    aspects: tuple[str, ...]
    named: tuple[tuple[str, str], ...]
    sentences: tuple[str, ...]
    found: bool
    right: bool
    seconds: float
    surveys: tuple[dict[str, Any], ...]
    pushes: tuple[float, ...]
    foreign: float


def scenario() -> Scenario:
    """The suite's scenario: three workers push to two shards over links of 100 Mbit/s."""
    read = Scenario.from_json(
        {
            "name": "N3 K2 push", "workers": WORKERS, "shards": SHARDS, "model_size": "3MB", "bandwidth": "100Mbps",
            "pull": "none", "iterations": 3, "warmup": 1, "mtu": 1500, "frame_overhead": 14,
        },
        "benchmark",
    )  # fmt: skip
    return on_this_machine(read, "netns")


def verdict_of(
    surveys: Sequence[HostSurvey], runs: Sequence[Measurement], expectations: Expectations
) -> tuple[HostVerdict, tuple[Check, ...]]:
    """As `psmodel validate gate` comes to it: hosts and scenarios share the probability of a false alarm."""
    hosts = estimate(surveys[0].followed_by(surveys[1]), alpha=ALPHA / 2)
    return hosts, judge(runs, expectations, alpha=ALPHA / 2, margin=MARGIN)


def survey_from(values: Mapping[str, Any]) -> HostSurvey:
    """The reverse of `asdict`."""
    return HostSurvey(
        hosts=tuple(values["hosts"]),
        flows=tuple(Flow(**flow) for flow in values["flows"]),
        cpu={host: tuple(times) for host, times in values["cpu"].items()},
        calls={host: tuple(times) for host, times in values["calls"].items()},
        seconds=values["seconds"],
    )


class Trials:
    """Gates on a testbed that has been entered."""

    def __init__(self, bed: NetnsTestbed, surveying: Surveying, store: Store) -> None:
        self._bed, self._surveying, self._store = bed, surveying, store
        self._scenario = scenario()
        self._seed = int(time.time())
        self._expectations: Expectations = {}

    def learn(self) -> None:
        """The baseline: a few runs of the sound testbed."""
        runs = [self._run(number) for number in range(_BASELINE_RUNS)]
        baseline = Baseline.of("sound", runs)
        key = content(self._scenario)
        self._expectations = {key: baseline.expectation(key)}

    def meet(self, of: FaultCase) -> GateTrial:
        """Put the fault in, hold a gate, and take it away."""
        injected = Injected(self._bed, of, RATE)
        self._seed += 1
        began = time.monotonic()
        try:
            if not of.fault.midway:
                injected.put()
            first = self._survey()
            if of.fault.midway:
                injected.put()
            runs = [self._run(of.repeat)]
            second = self._survey(turned=True)
        finally:
            injected.take_away()
        hosts, checks = verdict_of((first, second), runs, self._expectations)
        failed = [check for check in checks if not check.passed]
        blamed = tuple((e.host, e.aspect) for e in hosts.slow)
        return GateTrial(
            fault=of.fault.name,
            repeat=of.repeat,
            host=of.host,
            aspects=of.aspects,
            named=blamed,
            sentences=(*(e.sentence for e in hosts.slow), *(c.sentence for c in failed)),
            found=bool(blamed or failed),
            right=is_right(blamed, of.host, of.aspects),
            seconds=time.monotonic() - began,
            surveys=(asdict(first), asdict(second)),
            pushes=tuple(m.metrics.push_time_s or 0.0 for m in runs),
            foreign=max(m.load.foreign / m.load.available for m in runs),
        )

    def _survey(self, *, turned: bool = False) -> HostSurvey:
        self._bed.prepare(self._scenario)
        return self._surveying.survey(seed=self._seed, turned=turned)

    def _run(self, repetition: int) -> Measurement:
        return run(self._scenario, self._bed, repetition=repetition, link_goodput={})


def is_right(blamed: Sequence[tuple[str, str]], host: str, aspects: Sequence[str]) -> bool:
    """Whether an aspect of the fault is named, no other host is, and of this one nothing but these aspects.

    A busy core slows the calls to its host as well, and the streams that its processes serve.
    """
    allowed = {"CPU", "calls", "up", "down"} if "CPU" in aspects else set(aspects)
    return any(a in aspects for _, a in blamed) and all(h == host and a in allowed for h, a in blamed)


def main() -> None:
    """Make trials until the time is over or none is missing; each is a line of the file once it is finished."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--repeats", type=int, required=True)
    parser.add_argument("--sound", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    began = time.monotonic()
    trials_made = read(options.file)
    bed = NetnsTestbed.for_scenarios([scenario()])
    hosts = bed.hosts[1:]
    # In turns, so that whatever the machine does meanwhile hits all kinds alike.
    cases = [
        case(fault, repeat, hosts)
        for repeat in range(max(options.repeats, options.sound))
        for fault in (*FAULTS, SOUND)
        if repeat < (options.sound if fault == SOUND else options.repeats)
    ]
    finished = {(t["fault"], t["repeat"]) for t in trials_made}
    todo = [c for c in cases if (c.fault.name, c.repeat) not in finished]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "m.sqlite") as store, bed:
        bed.prepare(scenario())
        with Surveying() as surveying:
            trials = Trials(bed, surveying, store)
            trials.learn()
            for of in todo:
                if time.monotonic() - began + _LONGEST_TRIAL_S > options.seconds:
                    break
                trial = trials.meet(of)
                with options.file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(trial)) + "\n")
                print(f"{of.key:36} {of.host} {'+'.join(of.aspects):8} {'found' if trial.found else '–':6}"
                      f"{'right' if trial.right else '–':6} {trial.seconds:5.1f} s  {'; '.join(trial.sentences)}",
                      flush=True)  # fmt: skip


def read(file: Path) -> list[dict[str, Any]]:
    """The trials of a file; none if there is none."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
