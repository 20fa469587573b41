"""Predicted against measured iteration times of training over shaped links, modes and stragglers included.

Real Ray hosts in network namespaces, 2 MB over 200 Mbit/s; fitted to four scenarios (hollow). Measured: mean and range
of the runs; predicted: with the 95 % interval in which one more run lies. Lognormal: compute times of cv = 0.4; one
slow: a worker that computes for twice as long.
"""

from functools import partial

from figures.kit import measured, training

_SUITE = "training"
SCENARIO = next(iter(measured.groups(_SUITE)))
origin = partial(measured.origin, _SUITE)
compute = partial(training.compute, _SUITE)
draw = training.draw
