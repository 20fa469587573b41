"""The gate: each scenario against what is expected of it, so that all of them together are seldom wrong."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from psmodel.units import format_time
from psmodel.wording import label
from validate.fitting.observables import signals, to_seconds
from validate.gate.blame import cause
from validate.history.expectation import Expectations
from validate.history.several_tests import holm
from validate.measurements.measurement import Measurement
from validate.measurements.selection import by_question, content, labels

ALPHA, MARGIN = 0.01, 0.02
"""Probability of a false alarm in a whole gate; what a time may be off, relative, before it is anybody's concern."""
PHASES = {
    "pull_time_s": "pull",
    "compute_time_s": "compute",
    "push_time_s": "push",
    "ingress_time_s": "ingress",
    "iteration_time_s": "iteration",
    "recovery_time_s": "recovery",
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One metric of one scenario; times in s.

    Attributes
    ----------
    content
        `selection.content`: tells the scenario from all others.
    measured_s
        Geometric mean of the `runs`.
    low_s, high_s
        Prediction interval of that mean at the level that Holm's rule holds it to: outside of it the check fails.
    cause
        What a failed check waits for; empty of one that passed or was too fast.
    outside
        In what the scenario lies outside the calibration of the fit that it is held against.
    """

    scenario: str
    content: str
    metric: str
    runs: int
    measured_s: float
    expected_s: float
    low_s: float
    high_s: float
    p_value: float
    passed: bool
    cause: str = ""
    outside: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What was expected, what came, and why."""
        half = max(self.high_s - self.expected_s, self.expected_s - self.low_s)
        text = (
            f"{PHASES[self.metric]} of {label(self.scenario)}: expected {format_time(self.expected_s)} ± "
            f"{format_time(half)}, got {format_time(self.measured_s)}"
        )
        if self.passed:
            return text
        if self.outside:
            text += f" (an extrapolation: {self.outside[0]})"
        if self.measured_s < self.expected_s:
            return f"{text}: faster than expected, so what it is held against is of another system"
        return f"{text}: {self.cause}"


def judge(
    runs: Iterable[Measurement],
    expectations: Expectations,
    *,
    alpha: float = ALPHA,
    margin: float = MARGIN,
) -> tuple[Check, ...]:
    """Hold the runs' means against what is expected; scenarios without an expectation are left out.

    With probability at least 1 − alpha nothing fails if all is as expected (Holm's rule over all checks).
    """
    groups = [_believable(g) for g in by_question(runs) if content(g[0].asked_for) in expectations]
    names = labels([g[0].asked_for for g in groups])
    checks: list[Check] = []
    for group in groups:
        key = content(group[0].asked_for)
        logs = [signals(run.scenario, run.metrics) for run in group]
        for metric, expected in expectations[key].items():
            values = [of[metric] for of in logs if metric in of]
            if not values:
                continue
            mean = float(np.mean(values))
            checks.append(
                Check(
                    scenario=names[key],
                    content=key,
                    metric=metric,
                    runs=len(values),
                    measured_s=to_seconds(mean),
                    expected_s=expected.seconds,
                    low_s=0.0,
                    high_s=0.0,
                    p_value=expected.p_value(mean, len(values), margin),
                    passed=True,
                    outside=expected.outside,
                )
            )
    return _decide(checks, {content(g[0].asked_for): g for g in groups}, expectations, alpha, margin)


def _believable(runs: Sequence[Measurement]) -> list[Measurement]:
    """The runs without the suspect ones, if there are others."""
    return [run for run in runs if not run.suspect] or list(runs)


def _decide(
    checks: Sequence[Check],
    runs: Mapping[str, Sequence[Measurement]],
    expectations: Expectations,
    alpha: float,
    margin: float,
) -> tuple[Check, ...]:
    decisions = holm([check.p_value for check in checks], alpha)
    decided = []
    for check, decision in zip(checks, decisions, strict=True):
        expected = expectations[check.content][check.metric]
        low, high = expected.interval(check.runs, decision.level, margin)
        slow = decision.rejected and check.measured_s > check.expected_s
        decided.append(
            replace(
                check,
                low_s=low,
                high_s=high,
                passed=not decision.rejected,
                cause=cause(runs[check.content], check.metric) if slow else "",
            )
        )
    return tuple(decided)
