"""The course of all messages up to an instant: the compiled event loop."""

from psmodel.network.filling import end, recount, settle
from psmodel.network.levels import INF, STEPS, TIE
from psmodel.simulation.messages.asking import ask_next, pushed_one
from psmodel.simulation.messages.calls import arrive, call, one_less, served, take
from psmodel.simulation.messages.events import after, change, first, schedule
from psmodel.simulation.messages.rows import (
    ARRIVE,
    ASK,
    ASK_ALL,
    ASKED,
    CROSSING,
    DONE,
    DRAW,
    DRAWN_OUT,
    DUE,
    EVENTS,
    FIRE,
    FLUSH,
    GROW,
    HEAD_START,
    KEY,
    KINDS,
    LAST,
    LOGGED,
    MARGIN,
    NEW,
    NEXT_KEY,
    NOW,
    ORDER,
    OUT_KEY,
    OUTBOX,
    PAIRS,
    PROPAGATION,
    READY,
    REPAIRS,
    REPLY,
    RESUMING,
    SEND,
    SERVE,
    SETTLE,
    SETTLING,
    SHARDS,
    TAKE,
    TIMERS,
    TOLERANCE,
    USED,
    WIDTH,
    Row,
    Rows,
)  # fmt: skip

RECOUNT_EVERY = 1000


def by_start(count: int, ended: Row, pi: Rows) -> None:
    """Sort the first `count` flows by the order of their start (Shell 1959; there are mostly one or two)."""
    gap = count // 2
    while gap > 0:
        for i in range(gap, count):
            flow = ended[i]
            rank = pi[ORDER, flow]
            place = i
            while place >= gap and pi[ORDER, ended[place - gap]] > rank:
                ended[place] = ended[place - gap]
                place -= gap
            ended[place] = flow
        gap //= 2


def complete(
    times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows, pi: Rows, pf: Rows, log: Rows,
    logged: Row, out: Rows, heed: Row, new: Row, ended: Row, draws: Rows,
    links: Rows, members: Rows, amounts: Rows, paths: Rows, keys: Rows, entries: Rows, order: Row, counts: Row,
) -> bool:  # fmt: skip
    """End the flows that are through by now, in the order of their start; whether there are any."""
    now = x[NOW]
    if not x[DUE] <= now * (1 + TIE):
        return False
    count = end(now, x[TOLERANCE], ended, links, members, amounts, paths, keys, entries, order, counts)
    x[DUE] = INF
    by_start(count, ended, pi)
    if x[HEAD_START] > 0 or x[CROSSING] > 0:
        for i in range(count):
            heed[paths[STEPS, ended[i]]] -= 1
            heed[paths[STEPS + 1, ended[i]]] -= 1
    if x[PROPAGATION] > 0:
        for i in range(count):
            after(x[PROPAGATION], ARRIVE, ended[i], times, events, n, x)
    change(times, events, n, x)
    if x[PROPAGATION] == 0:
        for i in range(count):
            arrive(ended[i], times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new, draws)
    return True


def set_timer(timers: Row, times: Row, events: Rows, n: Row, x: Row) -> None:
    """See to it that the network is looked at no later than at its next end."""
    due = x[DUE]
    if due < INF and n[SETTLING] == 0 and (n[TIMERS] == 0 or due < timers[n[TIMERS] - 1]):
        timers[n[TIMERS]] = due
        n[TIMERS] += 1
        schedule(x[NOW] + max(0.0, due - x[NOW]), LAST + n[NEXT_KEY], FIRE, times, events, n)
        n[NEXT_KEY] += 1


def happen(
    kind: int, number: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows,
    pi: Rows, pf: Rows, log: Rows, logged: Row, out: Rows, heed: Row, new: Row, draws: Rows,
) -> None:  # fmt: skip
    """An event that is not the network's own."""
    if kind == ARRIVE:
        arrive(number, times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new, draws)
    elif kind == TAKE:
        take(number, times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new, draws)
    elif kind == SERVE:
        served(number, times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new)
    elif kind == REPLY:
        one_less(1, (number - n[PAIRS]) // n[SHARDS], n, wi, out)
    elif kind == ASK:
        which = number * n[SHARDS] + wi[ASKED, number] - 1
        ask_next(number, times, events, n, x, wi, wf)
        call(which, times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new, draws)
    elif kind == ASK_ALL:
        for pull in range(number * n[SHARDS], (number + 1) * n[SHARDS]):
            call(pull, times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new, draws)
    elif kind == SEND:
        pushed_one(number, times, events, n, x, wi, wf, si, sf, pi, heed, new)


def lengthen(n: Row, x: Row, heed: Row, new: Row) -> None:
    """Let new transfers be as much longer as the others that they meet at their shard make them."""
    width = 2 + 2 * n[WIDTH]
    while n[READY] < n[NEW]:
        base = n[READY]
        if x[CROSSING] > 0:
            link = int(new[base + 2]) if new[base] < n[PAIRS] else int(new[base + 3])
            others = max(1, heed[link])
            new[base + 1] *= 1 + x[CROSSING] * (1 - 1 / n[SHARDS]) * (1 - 1 / others)
        n[READY] += width


def repair(
    n: Row, x: Row, new: Row, links: Rows, members: Rows, amounts: Rows, paths: Rows, keys: Rows, entries: Rows,
    order: Row, counts: Row,
) -> bool:  # fmt: skip
    """Find the rates from now on; False if heaps lack the room, and it has to be called again where there is more."""
    if n[RESUMING] == 0:
        n[REPAIRS] += 1
        if n[REPAIRS] % RECOUNT_EVERY == 0:
            recount(links, members, amounts, paths, entries, order, counts)
    n[RESUMING] = 0
    due = settle(new[: n[NEW]], x[NOW], links, members, amounts, paths, keys, entries, order, counts)
    if due < 0:
        n[RESUMING] = n[SETTLING] = 1
        return False
    n[NEW] = n[READY] = 0
    x[DUE] = due
    return True


def run(
    limit: float, limit_key: int, timers: Row,
    times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows, pi: Rows, pf: Rows, log: Rows,
    logged: Row, out: Rows, heed: Row, new: Row, ended: Row, draws: Rows,
    links: Rows, members: Rows, amounts: Rows, paths: Rows, keys: Rows, entries: Rows, order: Row, counts: Row,
) -> int:  # fmt: skip
    """Let happen what happens before an instant and key; or until SimPy is to hear of something. Gives why it ends."""
    room = 2 * n[PAIRS]
    while n[USED] > 0:
        time, key = times[0], events[KEY, 0]
        if time > limit or (time == limit and key >= limit_key):
            return DONE
        if len(timers) - n[TIMERS] < MARGIN or len(times) - n[USED] < MARGIN:
            return GROW
        if len(logged) - n[LOGGED] < room:
            return FLUSH
        if n[DRAWN_OUT] == 1:
            return DRAW
        code = first(times, events, n)
        kind, number = code % KINDS, code // KINDS
        x[NOW] = time
        n[EVENTS] += 1
        if kind == FIRE:
            n[TIMERS] -= 1
            complete(
                times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new, ended, draws,
                links, members, amounts, paths, keys, entries, order, counts,
            )  # fmt: skip
            set_timer(timers, times, events, n, x)
        elif kind == SETTLE:
            lengthen(n, x, heed, new)
            n[SETTLING] = 0
            if not complete(
                times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new, ended, draws,
                links, members, amounts, paths, keys, entries, order, counts,
            ):  # fmt: skip
                if not repair(n, x, new, links, members, amounts, paths, keys, entries, order, counts):
                    schedule(time, key, code, times, events, n)
                    return GROW
                set_timer(timers, times, events, n, x)
        else:
            happen(
                kind, number, times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new, draws
            )
        if n[OUTBOX] > 0 and (time < limit or (time == limit and out[OUT_KEY, 0] < limit_key)):
            limit, limit_key = time, out[OUT_KEY, 0]
    return DONE
