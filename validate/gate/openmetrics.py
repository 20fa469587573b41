"""A gate as OpenMetrics text, for node_exporter's textfile collector."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from validate.gate.result import Gate

Sample = tuple[Mapping[str, str], float]


def text(gate: Gate) -> str:
    """The whole file, with its ``# EOF`` (OpenMetrics 1.0)."""
    about = {"suite": gate.suite}
    checks = [(about | {"scenario": c.scenario, "metric": c.metric}, c) for c in gate.checks]
    lines = [
        *_family("psmodel_gate_passed", "Whether the gate passed.", [(about, float(gate.passed))]),
        *_family(
            "psmodel_gate_started_seconds",
            "When it started, Unix time.",
            [(about, datetime.fromisoformat(gate.started_at).timestamp())],
            unit="seconds",
        ),
        *_family(
            "psmodel_gate_duration_seconds", "How long it took.", [(about, gate.duration_s)], unit="seconds"
        ),
        *_family(
            "psmodel_gate_broken_runs", "Scenarios of which a run failed.", [(about, float(len(gate.broken)))]
        ),
        *_family(
            "psmodel_gate_check_passed",
            "Whether the metric is as expected.",
            [(n, float(c.passed)) for n, c in checks],
        ),
    ]
    for name, help_text, value in (
        ("measured", "Geometric mean of the runs.", "measured_s"),
        ("expected", "What was expected.", "expected_s"),
        ("low", "Lower end of the interval it has to lie in.", "low_s"),
        ("high", "Upper end of the interval it has to lie in.", "high_s"),
    ):
        samples = [(labels, float(getattr(c, value))) for labels, c in checks]
        lines += _family(f"psmodel_gate_{name}_seconds", help_text, samples, unit="seconds")
    if gate.hosts is not None:
        of_hosts = [(about | {"host": e.host, "aspect": e.aspect}, e) for e in gate.hosts.estimates]
        lines += _family(
            "psmodel_gate_host_relative_speed",
            "Speed of a host in one aspect as a part of the other hosts'.",
            [(labels, e.relative) for labels, e in of_hosts],
        )
        lines += _family(
            "psmodel_gate_host_slow",
            "Whether the host is slow in it.",
            [(n, float(e.slow)) for n, e in of_hosts],
        )
    return "\n".join([*lines, "# EOF"]) + "\n"


def _family(name: str, help_text: str, samples: Iterable[Sample], *, unit: str = "") -> list[str]:
    lines = [f"# TYPE {name} gauge"]
    if unit:
        lines.append(f"# UNIT {name} {unit}")
    lines.append(f"# HELP {name} {help_text}")
    for labels, value in samples:
        pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{name}{{{pairs}}} {value!r}")
    return lines


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
