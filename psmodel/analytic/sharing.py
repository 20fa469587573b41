"""How jobs that share a resource end: unequal ones that start together, and equal ones that start apart."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def drain_times(sizes: Array, counts: Array, *, each: Array, together: Array) -> Array:
    """When flows that start together end, each held to a rate and all of them to another.

    Max–min fair flows of one source with equal limits have equal rates, min(`each`, `together` ÷ flows left), until
    the smallest ends (progressive filling: Bertsekas & Gallager 1992, section 6.5.2).

    Parameters
    ----------
    sizes, counts
        Bytes of one flow of each group and how many there are, shape (groups, rows).
    each, together
        Most that one flow, and that all of them, get in bytes/s; shape (rows,), may be infinite.

    Returns
    -------
    Array
        Seconds until a flow of each group ends, shape (groups, rows).

    Examples
    --------
    >>> sizes = np.array([[2.0], [4.0]])
    >>> one = np.ones_like(sizes)
    >>> drain_times(sizes, one, each=np.array([1.0]), together=np.array([1.0])).ravel().tolist()
    [4.0, 6.0]
    """
    order = np.argsort(sizes, axis=0, kind="stable")
    rising = np.take_along_axis(sizes, order, axis=0)
    number = np.take_along_axis(counts, order, axis=0)
    waiting = np.cumsum(number[::-1], axis=0)[::-1]
    rate = np.minimum(
        each, np.divide(together, waiting, out=np.full_like(waiting, np.inf), where=waiting > 0)
    )
    ends = np.cumsum(np.diff(rising, axis=0, prepend=0.0) / rate, axis=0)
    times = np.empty_like(ends)
    np.put_along_axis(times, order, ends, axis=0)
    return times


def sharing_ends(starts: Array, weights: Array, *, alone: Array, together: Array) -> Array:
    """When equal jobs that start at different instants end, if they share a resource equally.

    A job takes `alone` seconds at best, and all of them `together` if they start at once: with a share f of them
    under way each advances by 1/max(`alone`, f·`together`) per second (egalitarian processor sharing).

    Parameters
    ----------
    starts, weights
        Instants (s) in rising order, and the share of the jobs that starts at each; shape (points, rows).
    alone, together
        Shape (rows,), s.

    Returns
    -------
    Array
        Instants (s) at which they end, shape (points, rows).
    """
    points, rows = starts.shape
    # Equal jobs end in the order in which they start: `head` is the one to end next, `tail` the one to start next.
    column = np.arange(rows)
    head, tail = np.zeros(rows, dtype=np.intp), np.zeros(rows, dtype=np.intp)
    now, progress, active = starts[0].copy(), np.zeros(rows), np.zeros(rows)
    begun_at = np.zeros_like(starts)
    ends = np.zeros_like(starts)
    for _ in range(2 * points):
        pace = np.maximum(alone, active * together)  # seconds for one job at the present share
        next_start = np.where(tail < points, starts[np.minimum(tail, points - 1), column], np.inf)
        first = np.minimum(head, points - 1)
        next_end = np.where(head < tail, now + (begun_at[first, column] + 1 - progress) * pace, np.inf)
        starting = (next_start <= next_end) & (tail < points)
        ending = ~starting & (head < tail)
        instant = np.where(starting, next_start, np.where(ending, next_end, now))
        advance = np.divide(instant - now, pace, out=np.zeros(rows), where=pace > 0)
        progress = progress + np.where(head < tail, np.maximum(advance, 0.0), 0.0)
        now = np.where(starting | ending, np.maximum(now, instant), now)
        place = np.minimum(tail, points - 1)
        begun_at[place, column] = np.where(starting, progress, begun_at[place, column])
        ends[first, column] = np.where(ending, now, ends[first, column])
        active = active + np.where(starting, weights[place, column], 0.0)
        active = active - np.where(ending, weights[first, column], 0.0)
        tail = tail + starting
        head = head + ending
    return ends
