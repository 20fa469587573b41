"""What a worker's thread does for its messages: it asks one shard after the other, and sends to one after the other."""

from psmodel.simulation.messages.calls import call, depart
from psmodel.simulation.messages.events import after, schedule
from psmodel.simulation.messages.rows import (
    ASK,
    ASK_ALL,
    ASK_BEGAN,
    ASK_KEY,
    ASK_TIME,
    ASKED,
    DELAY,
    KINDS,
    NEXT_KEY,
    NORMAL,
    NOW,
    PAIRS,
    PULL_ITERATION,
    PULL_LEFT,
    PUSH_ITERATION,
    PUSH_LEFT,
    REQUEST,
    SEND,
    SEND_COST,
    SENT,
    SHARDS,
    WORK,
    Row,
    Rows,
)  # fmt: skip


def ask_next(worker: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows) -> None:
    """Schedule the call of the next shard that a worker asks; keys have been set aside for all of them."""
    position = wi[ASKED, worker]
    if position < n[SHARDS]:
        wf[ASK_TIME, worker] += x[REQUEST]
        began = wf[ASK_BEGAN, worker]
        time = began + (wf[ASK_TIME, worker] - began + x[DELAY])
        code = worker * KINDS + ASK
        schedule(time, wi[ASK_KEY, worker] + position, code, times, events, n)
        wi[ASKED, worker] += 1


def ask(
    worker: int, iteration: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows,
    pi: Rows, pf: Rows, log: Rows, logged: Row, out: Rows, heed: Row, new: Row, draws: Rows,
) -> float:  # fmt: skip
    """A worker asks all shards, one after the other; gives when its thread is through with that."""
    wi[PULL_LEFT, worker], wi[PULL_ITERATION, worker] = n[SHARDS], iteration
    instant: float = x[NOW]
    if x[REQUEST] > 0:
        wf[ASK_BEGAN, worker] = wf[ASK_TIME, worker] = instant
        wi[ASKED, worker], wi[ASK_KEY, worker] = 0, NORMAL + n[NEXT_KEY]
        n[NEXT_KEY] += n[SHARDS]
        ask_next(worker, times, events, n, x, wi, wf)
        for _ in range(n[SHARDS]):
            instant += x[REQUEST]
    elif x[DELAY] > 0:
        after(x[DELAY], ASK_ALL, worker, times, events, n, x)
    else:
        for number in range(worker * n[SHARDS], (worker + 1) * n[SHARDS]):
            call(number, times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new, draws)
    return instant


def send(
    worker: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows, pi: Rows,
    heed: Row, new: Row,
) -> None:  # fmt: skip
    """A worker goes on sending its update to one shard after the other, until one takes its thread time."""
    while wi[SENT, worker] < n[SHARDS]:
        cost = sf[SEND_COST, wi[SENT, worker]]
        if cost > 0:
            after(cost, SEND, worker, times, events, n, x)
            return
        sent(worker, times, events, n, x, wi, si, sf, pi, heed, new)


def sent(
    worker: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, si: Rows, sf: Rows, pi: Rows, heed: Row,
    new: Row,
) -> None:  # fmt: skip
    """A worker's thread is through with one message of its push."""
    number = n[PAIRS] + worker * n[SHARDS] + wi[SENT, worker]
    wi[SENT, worker] += 1
    depart(number, times, events, n, x, wi, si, sf, pi, heed, new)


def push(
    worker: int, iteration: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows,
    pi: Rows, heed: Row, new: Row,
) -> None:  # fmt: skip
    """A worker begins to push its update."""
    wi[SENT, worker], wi[PUSH_LEFT, worker], wi[PUSH_ITERATION, worker] = 0, n[SHARDS], iteration
    send(worker, times, events, n, x, wi, wf, si, sf, pi, heed, new)


def pushed_one(
    worker: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows, pi: Rows,
    heed: Row, new: Row,
) -> None:  # fmt: skip
    """A worker's thread has worked for one message of its push: it departs, and the next is begun."""
    wf[WORK, worker] += sf[SEND_COST, wi[SENT, worker]]
    sent(worker, times, events, n, x, wi, si, sf, pi, heed, new)
    send(worker, times, events, n, x, wi, wf, si, sf, pi, heed, new)
