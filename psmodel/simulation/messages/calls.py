"""Messages: asked for, sent, taken in, waiting at a shard, served. What `Worker` and `Shard` do one by one.

Each function does in the same order what those do, so that ties are broken alike and all numbers are the same.
"""

from psmodel.simulation.messages.events import after, change
from psmodel.simulation.messages.rows import (
    APPLIED,
    APPLY,
    ARRIVE,
    BUSY,
    CALLED,
    CROSSING,
    DELAY,
    DOWN,
    DRAWN,
    DRAWN_OUT,
    FLOWS_BEGUN,
    FOLLOWER,
    HEAD,
    HEAD_START,
    HOST,
    IN_STEP,
    INDEX,
    LATENCY,
    LENGTH,
    LOG_ITERATION,
    LOG_SHARD,
    LOG_STALENESS,
    LOG_WORKER,
    LOGGED,
    LONGEST,
    MEMBERS,
    MOST_WAITING,
    NEW,
    NEXT_KEY,
    NORMAL,
    NOW,
    ORDER,
    OUT_KEY,
    OUT_PUSH,
    OUT_WORKER,
    OUTBOX,
    PAIRS,
    PULL_ITERATION,
    PULL_LEFT,
    PULL_SIZE,
    PUSH_ITERATION,
    PUSH_LEFT,
    PUSH_SIZE,
    RACK,
    RACK_DOWN,
    RACK_UP,
    RANDOM,
    RECEIVE,
    REPLY,
    REPLY_COST,
    RESPONSE,
    ROUND,
    ROUND_READ,
    ROUND_UPDATES,
    SERVE,
    SERVICE,
    SERVING,
    SHARDS,
    TAIL,
    TAKE,
    TAKE_IN,
    UP,
    VERSION,
    VERSION_READ,
    WAITING,
    WIDTH,
    Row,
    Rows,
)  # fmt: skip


def depart(
    number: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, si: Rows, sf: Rows, pi: Rows, heed: Row,
    new: Row,
) -> None:  # fmt: skip
    """Begin the transfer of a pull or a push."""
    worker, shard = (number % n[PAIRS]) // n[SHARDS], number % n[SHARDS]
    if wi[HOST, worker] == si[HOST, shard]:
        after(0.0, ARRIVE, number, times, events, n, x)
        return
    if number < n[PAIRS]:
        nbytes = sf[PULL_SIZE, shard]
        up, out, from_rack, senders = si[UP, shard], si[RACK_UP, shard], si[RACK, shard], si[MEMBERS, shard]
        down, into, to_rack, receivers = (
            wi[DOWN, worker], wi[RACK_DOWN, worker], wi[RACK, worker], wi[MEMBERS, worker],
        )  # fmt: skip
    else:
        nbytes = sf[PUSH_SIZE, shard]
        up, out, from_rack, senders = (
            wi[UP, worker],
            wi[RACK_UP, worker],
            wi[RACK, worker],
            wi[MEMBERS, worker],
        )
        down, into, to_rack, receivers = (
            si[DOWN, shard], si[RACK_DOWN, shard], si[RACK, shard], si[MEMBERS, shard],
        )  # fmt: skip
    weight = 1.0
    if x[HEAD_START] > 0:
        weight = 1 / (1 + x[HEAD_START] * (heed[up] + heed[down]))
    if x[HEAD_START] > 0 or x[CROSSING] > 0:
        heed[up] += 1
        heed[down] += 1
    width, base = n[WIDTH], n[NEW]
    new[base] = number
    new[base + 1] = nbytes / weight
    links, weights = base + 2, base + 2 + width
    for step in range(2, width):
        new[links + step] = 0.0
        new[weights + step] = 0.0
    new[links], new[links + 1] = up, down
    new[weights], new[weights + 1] = weight * receivers, weight * senders
    if from_rack != to_rack:
        step = 2
        if from_rack >= 0:
            new[links + step], new[weights + step] = out, weight * senders * receivers
            step += 1
        if to_rack >= 0:
            new[links + step], new[weights + step] = into, weight * senders * receivers
    n[NEW] = base + 2 + 2 * width
    pi[ORDER, number] = n[FLOWS_BEGUN]
    n[FLOWS_BEGUN] += 1
    change(times, events, n, x)


def one_less(push: int, worker: int, n: Row, wi: Rows, out: Rows) -> None:
    """One message of a worker's pull or push has come to its end; with the last one SimPy hears of it."""
    row = PUSH_LEFT if push == 1 else PULL_LEFT
    wi[row, worker] -= 1
    if wi[row, worker] == 0:
        last = n[OUTBOX]
        out[OUT_PUSH, last], out[OUT_WORKER, last], out[OUT_KEY, last] = push, worker, NORMAL + n[NEXT_KEY]
        n[OUTBOX] += 1
        n[NEXT_KEY] += 1


def finish(
    shard: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows, pi: Rows,
    pf: Rows, out: Rows, heed: Row, new: Row,
) -> None:  # fmt: skip
    """A shard has done the first call of its queue."""
    number = si[HEAD, shard]
    si[HEAD, shard] = pi[FOLLOWER, number]
    si[LENGTH, shard] -= 1
    sf[RESPONSE, shard] += x[NOW] - pf[CALLED, number]
    if number < n[PAIRS]:
        depart(number, times, events, n, x, wi, si, sf, pi, heed, new)
        return
    worker = (number - n[PAIRS]) // n[SHARDS]
    sf[WAITING, shard] -= sf[PUSH_SIZE, shard] * wi[MEMBERS, worker]
    if si[ROUND, shard] != wi[PUSH_ITERATION, worker]:
        si[ROUND, shard], si[ROUND_UPDATES, shard] = wi[PUSH_ITERATION, worker], 0
    si[VERSION, shard] += wi[MEMBERS, worker]
    si[ROUND_UPDATES, shard] += wi[MEMBERS, worker]
    wf[APPLIED, worker] = x[NOW]
    if x[DELAY] == 0:
        one_less(1, worker, n, wi, out)
    else:
        after(x[DELAY], REPLY, number, times, events, n, x)


def begin_call(
    number: int, worker: int, shard: int, n: Row, x: Row, wi: Rows, si: Rows, pi: Rows, log: Rows, logged: Row
) -> None:
    """A shard begins to work on a call: a pull reads, an update is counted."""
    if number < n[PAIRS]:
        iteration = wi[PULL_ITERATION, worker]
        pi[VERSION_READ + iteration % 2, number] = si[VERSION, shard]
        pi[ROUND_READ + iteration % 2, number] = (
            si[ROUND_UPDATES, shard] if si[ROUND, shard] == iteration else 0
        )
        return
    iteration = wi[PUSH_ITERATION, worker]
    pull = number - n[PAIRS]
    staleness = si[VERSION, shard] - pi[VERSION_READ + iteration % 2, pull]
    if n[IN_STEP] == 1:
        updates = si[ROUND_UPDATES, shard] if si[ROUND, shard] == iteration else 0
        staleness -= updates - pi[ROUND_READ + iteration % 2, pull]
    line = n[LOGGED]
    log[LOG_WORKER, line], log[LOG_ITERATION, line] = worker, iteration
    log[LOG_SHARD, line], log[LOG_STALENESS, line] = si[INDEX, shard], staleness
    logged[line] = x[NOW]
    n[LOGGED] += 1


def serve(
    shard: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows, pi: Rows,
    pf: Rows, log: Rows, logged: Row, out: Rows, heed: Row, new: Row,
) -> None:  # fmt: skip
    """A shard goes on with the calls in its queue until one takes time."""
    while si[LENGTH, shard] > 0:
        number = si[HEAD, shard]
        begin_call(number, (number % n[PAIRS]) // n[SHARDS], shard, n, x, wi, si, pi, log, logged)
        if pf[SERVICE, number] > 0:
            after(pf[SERVICE, number], SERVE, shard, times, events, n, x)
            return
        finish(shard, times, events, n, x, wi, wf, si, sf, pi, pf, out, heed, new)
    si[SERVING, shard] = 0


def call(
    number: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows, pi: Rows,
    pf: Rows, log: Rows, logged: Row, out: Rows, heed: Row, new: Row, draws: Rows,
) -> None:  # fmt: skip
    """Queue a pull or a push at its shard."""
    worker, shard = (number % n[PAIRS]) // n[SHARDS], number % n[SHARDS]
    members = wi[MEMBERS, worker]
    pf[CALLED, number] = x[NOW]
    if number < n[PAIRS]:
        pf[SERVICE, number] = sf[REPLY_COST, shard] * members
    else:
        service = sf[APPLY, shard]
        if n[RANDOM] == 1:
            service += draws[shard, si[DRAWN, shard]]
            si[DRAWN, shard] += 1
            if si[DRAWN, shard] + n[PAIRS] // n[SHARDS] >= draws.shape[1]:
                n[DRAWN_OUT] = 1
        pf[SERVICE, number] = service * members
        sf[WAITING, shard] += sf[PUSH_SIZE, shard] * members
        sf[MOST_WAITING, shard] = max(sf[MOST_WAITING, shard], sf[WAITING, shard])
    if si[LENGTH, shard] == 0:
        si[HEAD, shard] = number
    else:
        pi[FOLLOWER, si[TAIL, shard]] = number
    si[TAIL, shard] = number
    si[LENGTH, shard] += 1
    si[LONGEST, shard] = max(si[LONGEST, shard], si[LENGTH, shard])
    if si[SERVING, shard] == 0:
        si[SERVING, shard] = 1
        serve(shard, times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new)


def take(
    number: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows, pi: Rows,
    pf: Rows, log: Rows, logged: Row, out: Rows, heed: Row, new: Row, draws: Rows,
) -> None:  # fmt: skip
    """The array is in its host's memory: a pull has come to its end, a push is a call at its shard."""
    if number < n[PAIRS]:
        one_less(0, number // n[SHARDS], n, wi, out)
    else:
        call(number, times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new, draws)


def arrive(
    number: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows, pi: Rows,
    pf: Rows, log: Rows, logged: Row, out: Rows, heed: Row, new: Row, draws: Rows,
) -> None:  # fmt: skip
    """The last byte of a pull or push is there."""
    shard = number % n[SHARDS]
    seconds = sf[RECEIVE, shard] if number < n[PAIRS] else sf[TAKE_IN, shard]
    if x[LATENCY] == 0 and seconds == 0:
        take(number, times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new, draws)
    else:
        after(x[LATENCY] + seconds, TAKE, number, times, events, n, x)


def served(
    shard: int, times: Row, events: Rows, n: Row, x: Row, wi: Rows, wf: Rows, si: Rows, sf: Rows, pi: Rows,
    pf: Rows, log: Rows, logged: Row, out: Rows, heed: Row, new: Row,
) -> None:  # fmt: skip
    """A shard's thread has worked for a call."""
    sf[BUSY, shard] += pf[SERVICE, si[HEAD, shard]]
    finish(shard, times, events, n, x, wi, wf, si, sf, pi, pf, out, heed, new)
    serve(shard, times, events, n, x, wi, wf, si, sf, pi, pf, log, logged, out, heed, new)
