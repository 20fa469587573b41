"""A heap of events by time and key, as SimPy has one."""

from psmodel.simulation.messages.rows import (
    CODE,
    KEY,
    KINDS,
    LAST,
    NEXT_KEY,
    NORMAL,
    NOW,
    SETTLE,
    SETTLING,
    USED,
    Row,
    Rows,
)


def schedule(time: float, key: int, code: int, times: Row, events: Rows, n: Row) -> None:
    """Put an event in."""
    place = n[USED]
    n[USED] += 1
    while place > 0:
        above = (place - 1) >> 1
        if times[above] < time or (times[above] == time and events[KEY, above] < key):
            break
        times[place], events[KEY, place], events[CODE, place] = (
            times[above], events[KEY, above], events[CODE, above],
        )  # fmt: skip
        place = above
    times[place], events[KEY, place], events[CODE, place] = time, key, code


def first(times: Row, events: Rows, n: Row) -> int:
    """Take the first event out; gives its code."""
    code_of_first: int = events[CODE, 0]
    n[USED] -= 1
    end = n[USED]
    time, key, code = times[end], events[KEY, end], events[CODE, end]
    place = 0
    while True:
        below = 2 * place + 1
        if below >= end:
            break
        other = below + 1
        if other < end and (
            times[other] < times[below]
            or (times[other] == times[below] and events[KEY, other] < events[KEY, below])
        ):
            below = other
        if time < times[below] or (time == times[below] and key < events[KEY, below]):
            break
        times[place], events[KEY, place], events[CODE, place] = (
            times[below], events[KEY, below], events[CODE, below],
        )  # fmt: skip
        place = below
    times[place], events[KEY, place], events[CODE, place] = time, key, code
    return code_of_first


def after(delay: float, kind: int, number: int, times: Row, events: Rows, n: Row, x: Row) -> None:
    """Let something happen once `delay` seconds have passed."""
    schedule(x[NOW] + delay, NORMAL + n[NEXT_KEY], number * KINDS + kind, times, events, n)
    n[NEXT_KEY] += 1


def change(times: Row, events: Rows, n: Row, x: Row) -> None:
    """See to it that rates are found once all that happens at this instant has happened."""
    if n[SETTLING] == 0:
        n[SETTLING] = 1
        schedule(x[NOW], LAST + n[NEXT_KEY], SETTLE, times, events, n)
        n[NEXT_KEY] += 1
