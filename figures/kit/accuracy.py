"""The accuracy record: every held-out scenario of every shipped suite as predicted and as measured.

``python -m figures --record`` writes `figures/measured/accuracy.json` anew; a test predicts all of it again and fails
where the mean error of a group, a metric of a suite, has become worse by a tenth.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from figures.kit import measured
from figures.kit.data import FOLDER
from psmodel.calibration import Calibration
from psmodel.scenario import Scenario
from psmodel.storage.atomic import whole
from psmodel.units import format_time
from validate.comparison import quality
from validate.comparison.comparisons import OURS, UNFITTED, compare
from validate.comparison.rivals import values
from validate.fitting import conformal
from validate.fitting.fit import Interval
from validate.fitting.model_response import simulated
from validate.fitting.observables import SCORED
from validate.measurements.measurement import Measurement
from validate.measurements.selection import believable, by_scenario, content
from validate.measurements.store import read_json

PATH = FOLDER / "measured" / "accuracy.json"
WORSE = 1.1
"""Ratio of a group's mean error to the recorded one from which it counts as worse."""
NEGLIGIBLE = 5e-4
"""Mean errors that differ by less are equal: rounding of stored times, another order of a sum."""
_NAMES = {
    "iteration_time_s": "iteration",
    "push_time_s": "push",
    "pull_time_s": "pull",
    "ingress_time_s": "ingress",
    "recovery_time_s": "recovery",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One metric of one held-out scenario; times in s.

    Attributes
    ----------
    low, high, covered
        The 95 % prediction interval, stretched by what the other suites' scores ask for, and the runs inside it.
    distances
        Of each run, see `validate.fitting.conformal.score`.
    """

    suite: str
    scenario: str
    content: str
    metric: str
    runs: int
    covered: int
    measured: float
    predicted: float
    low: float
    high: float
    unfitted: float
    distances: tuple[float, ...]

    @property
    def error(self) -> float:
        """(predicted − measured) / measured."""
        return self.predicted / self.measured - 1

    @property
    def group(self) -> tuple[str, str]:
        """Suite and metric."""
        return self.suite, self.metric


def suites() -> list[str]:
    """The suites whose runs are shipped."""
    return sorted(p.name.removesuffix(".fit.json") for p in (FOLDER / "measured").glob("*.fit.json"))


def held_out(suite: str) -> list[list[Measurement]]:
    """The believable held-out runs of a suite, scenario by scenario."""
    runs = [m for m in read_json(measured.paths(suite)[0]) if m.part == "held_out"]
    return by_scenario(believable(runs))


def scored(suite: str) -> list[Entry]:
    """Predict and score a suite with the fit that is shipped beside it."""
    runs = [m for group in held_out(suite) for m in group]
    calibration = believable([m for m in read_json(measured.paths(suite)[0]) if m.part == "calibration"])
    comparison = compare(measured.fit(suite), runs, calibration_runs=calibration)
    return [
        Entry(
            suite=suite, unfitted=row.others[UNFITTED],
            **{name: getattr(row, name) for name in Entry.__dataclass_fields__ if hasattr(row, name)},
        )
        for row in comparison.rows
    ]  # fmt: skip


def record() -> list[Entry]:
    """Score all shipped suites; each suite's intervals are stretched by the scores of the others alone."""
    entries = [entry for suite in suites() for entry in scored(suite)]
    shipped = conformal.factors()[0.95]
    stretched = []
    for entry in entries:
        factor = factor_without(entries, entry.suite, 0.95)
        interval = Interval(predicted=entry.predicted, low=entry.low, high=entry.high)
        low, high = conformal.stretched(interval, factor / shipped)
        covered = sum(d <= factor for d in entry.distances)
        stretched.append(replace(entry, low=low, high=high, covered=covered))
    return stretched


def factor_without(entries: Sequence[Entry], suite: str, level: float) -> float:
    """The conformal factor that the other suites' scores give."""
    return conformal.factor_of([d for e in entries if e.suite != suite for d in e.distances], level)


def coverage(entries: Sequence[Entry], level: float) -> tuple[int, int]:
    """How many single values lie in their interval when each suite's is stretched by the others', and of how many."""
    factors = {suite: factor_without(entries, suite, level) for suite in {e.suite for e in entries}}
    inside = sum(d <= factors[e.suite] for e in entries for d in e.distances)
    return inside, sum(e.runs for e in entries)


def write(entries: Sequence[Entry], path: Path = PATH) -> None:
    """Write the record, one line for each entry, and the factors that follow from it."""
    lines = [json.dumps(_rounded(asdict(entry))) for entry in entries]
    with whole(path) as file:
        file.write(("[\n" + ",\n".join(lines) + "\n]\n").encode())
    scores = [d for e in entries for d in e.distances]
    values = {
        "levels": list(conformal.LEVELS),
        "factors": [conformal.factor_of(scores, level) for level in conformal.LEVELS],
        "values": len(scores),
    }
    with whole(Path(conformal.__file__).with_name(conformal.FILE)) as file:
        file.write((json.dumps(values) + "\n").encode())


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    short = {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in values.items()}
    return short | {"distances": [float(f"{d:.4g}") for d in values["distances"]]}


def read(path: Path = PATH) -> list[Entry]:
    """The record."""
    return [
        Entry(**values | {"distances": tuple(values["distances"])})
        for values in json.loads(path.read_text(encoding="utf-8"))
    ]


def errors_now(suite: str, calibration: Calibration | None = None) -> dict[tuple[str, str], float]:
    """(Scenario's content, metric) → relative error of what is predicted now, by the shipped fit or `calibration`."""
    coefficients = measured.fit(suite).calibration if calibration is None else calibration
    errors = {}
    for group in held_out(suite):
        scenario: Scenario = group[0].scenario
        metrics = simulated(scenario, coefficients)
        for metric in SCORED:
            times = values(group, metric)
            if times and min(times) > 0:
                errors[content(scenario), metric] = getattr(metrics, metric) / float(np.mean(times)) - 1
    return errors


def worse(recorded: Sequence[Entry], errors: Mapping[tuple[str, str], float]) -> list[str]:
    """A sentence for each group whose mean error is now more than a tenth above the recorded one."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in recorded:
        groups.setdefault(entry.group, []).append(entry)
    sentences = []
    for (suite, metric), entries in groups.items():
        before = float(np.mean([abs(e.error) for e in entries]))
        after = float(np.mean([abs(errors[e.content, e.metric]) for e in entries]))
        if after > WORSE * before and after > before + NEGLIGIBLE:
            sentences.append(
                f"{suite}, {_NAMES[metric]}: mean error {100 * after:.2f} %, recorded {100 * before:.2f} %"
            )
    return sentences


def page(entries: Sequence[Entry]) -> str:
    """The record as Markdown: the groups, then every scenario, worst first."""
    lines = [
        summary(entries),
        "",
        "| suite | metric | scenarios | mean error | largest | not fitted | predictions |",
    ]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: | --- |")
    for group in dict.fromkeys(e.group for e in entries):
        of = [e for e in entries if e.group == group]
        errors = [e.error for e in of]
        mape = float(np.mean(np.abs(errors)))
        unfitted = float(np.mean([abs(e.unfitted / e.measured - 1) for e in of]))
        lines.append(
            f"| `{group[0]}` | {_NAMES[group[1]]} | {len(of)} | {100 * mape:.1f} % ({quality.word(mape)}) "
            f"| {100 * max(map(abs, errors)):.1f} % | {100 * unfitted:.1f} % | {quality.direction(errors)} |"
        )
    lines += ["", "## Every scenario, worst first", ""]
    lines.append("| suite | scenario | metric | predicted | measured | 95 % interval | error | not fitted |")
    lines.append("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for e in sorted(entries, key=lambda e: -abs(e.error)):
        lines.append(
            f"| `{e.suite}` | {e.scenario} | {_NAMES[e.metric]} | {format_time(e.predicted)} "
            f"| {format_time(e.measured)} | {format_time(e.low)} to {format_time(e.high)} "
            f"| {100 * e.error:+.1f} % | {100 * (e.unfitted / e.measured - 1):+.1f} % |"
        )
    return "\n".join(lines) + "\n"


def summary(entries: Sequence[Entry]) -> str:
    errors = [e.error for e in entries]
    mape = float(np.mean(np.abs(errors)))
    scenarios = len({(e.suite, e.content) for e in entries})
    suites_of = len({e.suite for e in entries})
    return (
        f"{scenarios} held-out scenarios of {suites_of} suites, {len(entries)} values: mean absolute error of {OURS} "
        f"{100 * mape:.1f} % ({quality.word(mape)}), largest {100 * max(map(abs, errors)):.1f} %; "
        f"predictions: {quality.direction(errors)}. Of single values {_share(entries, 0.95)} lie in their 95 % "
        f"interval, {_share(entries, 0.8)} in that of 80 %, each suite's stretched by the scores of the others."
    )


def _share(entries: Sequence[Entry], level: float) -> str:
    inside, values_of = coverage(entries, level)
    return f"{inside} of {values_of} ({100 * inside / values_of:.1f} %)"
