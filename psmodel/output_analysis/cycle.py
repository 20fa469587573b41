"""Find the period of a series that repeats."""

import numpy as np

from psmodel.output_analysis.estimate import Array

ROUNDING = 1e-9
"""Relative difference up to which two numbers count as equal."""
_LONGEST = 1000


def period(series: Array) -> int | None:
    """The fewest steps after which several series repeat, seen three times over at their end; None if they do not.

    Parameters
    ----------
    series
        One a row, shape (series, steps). Two steps are equal if no value differs by more than 1e-9 of the largest.

    Examples
    --------
    >>> import numpy as np
    >>> period(np.array([[7.0, 5, 1, 2, 1, 2, 1, 2]]))
    2
    """
    steps = series.shape[1]
    tolerance = ROUNDING * float(np.abs(series).max(initial=0.0))
    # The sum is soon looked through; only where it repeats all series are.
    total = series.sum(axis=0, keepdims=True)
    for length in range(1, min(steps // 3, _LONGEST) + 1):
        if all(
            np.abs(rows[:, -2 * length :] - rows[:, -3 * length : -length]).max() <= allowed
            for rows, allowed in ((total, tolerance * len(series)), (series, tolerance))
        ):
            return length
    return None
