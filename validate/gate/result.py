"""What a gate has found, in one record: for the terminal, for JSON, for JUnit and OpenMetrics."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from validate.gate.hosts import HostVerdict
from validate.gate.verdict import Check

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A scenario, and why it failed to run or was not judged."""

    scenario: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One gate.

    Attributes
    ----------
    suite
        ``name@version``.
    against
        What its scenarios were held against: "fit …" or "baseline …".
    alpha, margin
        Probability of a false alarm of the whole gate, and the relative difference that is no concern.
    broken
        Scenarios of which a run failed: a process died or stopped, or a link carried nothing.
    unjudged
        Scenarios that nothing is expected of, or that the time did not suffice for.
    hosts
        The survey's verdict; None if there was none.
    machine
        Fingerprint of the machine that held the gate.
    """

    suite: str
    against: str
    alpha: float
    margin: float
    checks: tuple[Check, ...]
    broken: tuple[Reason, ...]
    unjudged: tuple[Reason, ...]
    hosts: HostVerdict | None
    machine: str
    started_at: str
    duration_s: float

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks that failed, the farthest off first."""
        return tuple(sorted((c for c in self.checks if not c.passed), key=lambda c: c.p_value))

    @property
    def passed(self) -> bool:
        """Whether everything that was judged is as expected, and something was judged."""
        slow = self.hosts is not None and bool(self.hosts.slow)
        something = bool(self.checks) or self.hosts is not None
        return something and not self.failed and not self.broken and not slow

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 nothing could be judged."""
        if not self.checks and not self.broken and self.hosts is None:
            return 3
        return 0 if self.passed else 1

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is wrong: hosts first, then scenarios, then runs that failed."""
        slow = () if self.hosts is None else self.hosts.slow
        return (
            *(e.sentence for e in slow),
            *(c.sentence for c in self.failed),
            *(f"{b.scenario}: {b.reason}" for b in self.broken),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; keys are only ever added to a schema version."""
        return {
            "schema_version": SCHEMA_VERSION,
            "suite": self.suite,
            "against": self.against,
            "passed": self.passed,
            "alpha": self.alpha,
            "margin": self.margin,
            "checks": [asdict(c) | {"sentence": c.sentence} for c in self.checks],
            "broken": [asdict(b) for b in self.broken],
            "unjudged": [asdict(u) for u in self.unjudged],
            "hosts": None if self.hosts is None else _hosts(self.hosts),
            "machine": self.machine,
            "started_at": self.started_at,
            "duration_s": self.duration_s,
        }


def _hosts(verdict: HostVerdict) -> dict[str, Any]:
    return {
        "link_rate_bytes_per_s": verdict.link_rate,
        "slow_hosts": list(verdict.slow_hosts),
        "estimates": [asdict(e) | {"sentence": e.sentence} for e in verdict.estimates],
        "lists": dict(lists(verdict)),
    }


def lists(verdict: HostVerdict) -> Mapping[str, str]:
    """What to hand to a scheduler so that it leaves the slow hosts out; empty if there are none. Nothing is applied."""
    hosts = verdict.slow_hosts
    if not hosts:
        return {}
    return {
        "slurm": f"--exclude={','.join(hosts)}",
        "kubernetes": "\n".join(f"kubectl label node {host} psmodel.dev/slow=true" for host in hosts),
        "kubernetes_affinity": "matchExpressions: [{key: psmodel.dev/slow, operator: DoesNotExist}]",
    }
