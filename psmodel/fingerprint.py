"""What a fit depends on besides its scenarios: the machine and the software that its runs were made on."""

import os
import platform
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np

Fingerprint = Mapping[str, str | int | float]
MEMORY = "memory_alone_bytes_per_s"
LABELS = {
    "cpu_model": "CPU",
    "cores": "cores",
    "kernel": "kernel",
    "ray": "Ray",
    MEMORY: "memory copy (bytes/s)",
}
"""Item → what people call it; whatever else a fingerprint holds is compared by a new run only."""
_FACTOR = 2.0
"""Ratio of two probes up to which they are the same: other work on a machine takes up to a half from a copy."""
_PROBE_BYTES, _PROBES = 64_000_000, 5


def here() -> dict[str, str | int | float]:
    """That of this machine, now; takes about a tenth of a second."""
    return {
        "cpu_model": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "ray": _version("ray"),
        MEMORY: copy_rate(),
    }


def copy_rate() -> float:
    """Bytes/s that one process copies, the best of a few copies of an array that no cache holds."""
    source = np.ones(_PROBE_BYTES // 8)
    target = np.empty_like(source)
    seconds = []
    for _ in range(_PROBES):
        start = time.perf_counter()
        np.copyto(target, source)
        seconds.append(time.perf_counter() - start)
    return _PROBE_BYTES / min(seconds)


def differences(then: Fingerprint, now: Fingerprint) -> tuple[str, ...]:
    """One phrase for every item in which two fingerprints differ; items that one of them lacks are not compared."""
    phrases = []
    for item, label in LABELS.items():
        if item not in then or item not in now:
            continue
        old, new = then[item], now[item]
        if isinstance(old, float) and isinstance(new, float):
            if not 1 / _FACTOR <= new / old <= _FACTOR:
                phrases.append(f"{label} {new:.3g}, the fit's runs had {old:.3g}")
        elif old != new:
            phrases.append(f"{label} {new}, the fit's runs had {old}")
    return tuple(phrases)


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
