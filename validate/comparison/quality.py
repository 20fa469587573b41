"""Words for the size of a mean error and for the direction in which predictions err."""

from collections.abc import Sequence

import numpy as np

WORDS = ((0.10, "highly accurate"), (0.20, "good"), (0.50, "reasonable"))
"""Mean absolute relative error below which a forecast is called so (Lewis 1982, "Industrial and business forecasting
methods", table 2.1); above the last one it is called inaccurate."""
NO_DIRECTION = "no clear direction"
_CLEAR = 2.0
"""A mean error of at least so many of its standard errors has a direction."""


def word(mape: float) -> str:
    """Lewis's word for a mean absolute relative error.

    >>> word(0.034), word(0.31), word(0.7)
    ('highly accurate', 'reasonable', 'inaccurate')
    """
    return next((name for limit, name in WORDS if mape < limit), "inaccurate")


def direction(errors: Sequence[float]) -> str:
    """To which side signed relative errors (predicted ÷ measured − 1) of times lie.

    >>> direction([0.02, 0.03, 0.04]), direction([0.02, -0.03, 0.01])
    ('3.0 % too long', 'no clear direction')
    """
    mean = float(np.mean(errors))
    deviation = float(np.std(errors, ddof=1)) / len(errors) ** 0.5 if len(errors) > 1 else 0.0
    if abs(mean) < 5e-4 or abs(mean) < _CLEAR * deviation:
        return NO_DIRECTION
    return f"{100 * abs(mean):.1f} % too {'long' if mean > 0 else 'short'}"
