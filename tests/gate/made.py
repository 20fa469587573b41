"""Surveys and gates that nobody made, from truths that the tests choose."""

import math

import numpy as np

from validate.gate.hosts import HostVerdict, estimate
from validate.gate.result import Gate, Reason
from validate.gate.verdict import Check
from validate.measurements.host_survey import Flow, HostSurvey
from validate.runs.surveying import rounds

RATE = 12e6
HOSTS = ("shard-0", "shard-1", "worker-0", "worker-1", "worker-2")


def survey(
    up: dict[str, float] | None = None,
    down: dict[str, float] | None = None,
    cpu: dict[str, float] | None = None,
    calls: dict[str, float] | None = None,
    *,
    hosts: tuple[str, ...] = HOSTS,
    noise: float = 0.01,
    seed: int = 0,
    later: tuple[dict[str, float], dict[str, float]] | None = None,
) -> HostSurvey:
    """Streams at min(up, down) of their ends; factors below 1 are slow. `later`: up and down in the second half."""
    rng = np.random.default_rng(seed)
    flows = []
    planned = rounds(len(hosts), seed)
    # Two surveys, as a gate makes them: the second one turns each pair around.
    both = [*planned, *([pair[::-1] for pair in pairs] for pairs in planned)]
    for number, pairs in enumerate(both):
        ups, downs = (up or {}, down or {}) if later is None or number < len(planned) else later
        for sender, receiver in ((hosts[i], hosts[j]) for i, j in pairs):
            factor = min(ups.get(sender, 1.0), downs.get(receiver, 1.0))
            rate = RATE * factor * math.exp(noise * rng.standard_normal())
            flows.append(Flow(round=number, sender=sender, receiver=receiver, rate=rate))

    def times(usual: float, factors: dict[str, float], n: int) -> dict[str, tuple[float, ...]]:
        return {h: tuple(usual * factors.get(h, 1.0) * np.exp(0.03 * rng.standard_normal(n))) for h in hosts}

    return HostSurvey(
        hosts=hosts, flows=tuple(flows), cpu=times(5e-3, cpu or {}, 6), calls=times(5e-4, calls or {}, 6), seconds=8.0
    )  # fmt: skip


def verdict(**truth: object) -> HostVerdict:
    return estimate(survey(**truth), alpha=0.01)  # type: ignore[arg-type]


def gate(*checks: Check, hosts: HostVerdict | None = None, broken: tuple[Reason, ...] = ()) -> Gate:
    return Gate(
        suite="ingress@3",
        against="fit fit.json",
        alpha=0.01,
        margin=0.02,
        checks=checks,
        broken=broken,
        unjudged=(Reason(scenario="left <out>", reason="1min did not suffice for it"),),
        hosts=hosts,
        machine="0123456789ab",
        started_at="2026-01-01T00:00:00+00:00",
        duration_s=12.5,
    )


def check(scenario: str = "N3 K2", *, measured_s: float = 0.4, passed: bool = True) -> Check:
    return Check(
        scenario=scenario, content="c" * 16, metric="push_time_s", runs=2, measured_s=measured_s, expected_s=0.412,
        low_s=0.394, high_s=0.43, p_value=0.3 if passed else 1e-9, passed=passed,
        cause="" if passed else "ingress of host shard-1",
    )  # fmt: skip
