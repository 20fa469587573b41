"""What was measured of links and memory themselves: observations of the fit, each with its own uncertainty.

A plain TCP stream says what a link carries, and copies on all cores what the memory's channels do. Left out, other
coefficients make up for what these would say: a factor of 1.04 with copies at a tenth of the memory's rate, say.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from psmodel.calibration import COEFFICIENTS, Calibration
from psmodel.units import format_size
from validate.fitting.observables import MachineFacts, Observed

_GOODPUT_ERROR = 0.003
"""Of a stream of a second: relative, beyond what repeated ones scatter."""
_MEMORY_ERROR = 0.4
"""Relative, of a copy in a run: seven probes of one virtual machine within four hours said 21.6 to 54.4 GB/s (standard
deviation of their logarithms 0.41), and how often a byte crosses the channels depends on who copies it, and from
where."""
_SLOW_COPY = 10.0
"""A copy that is so many times slower than the memory is no copy."""
_TOLERANCE = 0.01


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What is known of a coefficient besides the runs: its value and the standard deviation of that."""

    value: float
    deviation: float


def probes(runs: Iterable[Observed]) -> dict[str, Probe]:
    """Coefficient → what the testbed and the machine have measured of it."""
    ratios: list[float] = []
    memory: list[float] = []
    for run in runs:
        scenario = run.scenario
        if scenario.bandwidth is not None and scenario.placement != "single-host":
            carried = run.link_goodput
            ratios += [
                carried[role] / (rate * scenario.payload_fraction)
                for role, rate in scenario.bandwidth
                if role in carried
            ]
        rate = memory_rate(run.environment)
        if rate is not None:
            memory.append(1 / rate)
    rates = {}
    if ratios:
        scatter = float(np.std(ratios))
        rates["goodput_factor"] = Probe(
            value=float(np.median(ratios)), deviation=math.hypot(_GOODPUT_ERROR, scatter)
        )
    if memory:
        typical = float(np.median(memory))
        rates["memory_s_per_byte"] = Probe(value=typical, deviation=_MEMORY_ERROR * typical)
    return rates


def memory_rate(machine: MachineFacts) -> float | None:
    """Bytes/s that all cores of a machine copy at once, where its environment says so."""
    rate = machine.to_json().get("memory_together_bytes_per_s")
    return rate if isinstance(rate, int | float) and rate > 0 else None


def oddities(calibration: Calibration, names: Iterable[str], memory: float | None) -> dict[str, str]:
    """Coefficient → why it does not mean what it says, of those that were fitted and do not.

    Parameters
    ----------
    memory
        Bytes/s that the machine copies, if it is known.
    """
    sentences = {}
    for name in names:
        value = getattr(calibration, name)
        if name == "goodput_factor" and value > 1 + _TOLERANCE:
            sentences[name] = (
                f"the links would carry {100 * (value - 1):.1f} % more than they can: something else is faster than "
                "the other coefficients say"
            )
        of_copies = COEFFICIENTS[name].unit == "s/byte" and name != "memory_s_per_byte"
        if of_copies and memory is not None and value * memory > _SLOW_COPY:
            sentences[name] = (
                f"{format_size(1 / value)}/s is no copy's rate on a memory of {format_size(memory)}/s: it stands "
                "for something else"
            )
    return sentences
