"""Predicted against measured iteration times of training on one machine, modes and stragglers included.

Real Ray on two cores, 2 MB; fitted to four scenarios (hollow). Measured: mean and range of the runs; predicted: with
the 95 % interval in which one more run lies. Lognormal: compute times of cv = 0.4; one slow: a worker that computes for
twice as long.
"""

from functools import partial

from figures.kit import measured, training

_SUITE = "training-local"
SCENARIO = next(iter(measured.groups(_SUITE)))
origin = partial(measured.origin, _SUITE)
compute = partial(training.compute, _SUITE)
draw = training.draw
