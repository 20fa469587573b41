"""The rows of numbers that hold all messages under way, by name.

A *pair* is one worker (group) and one shard (group), number ``worker · shards + shard``. Its pull has that number
too, its push that plus the number of pairs: as a flow in the network and as a call in a shard's queue. Of one pair
at most one pull and one push are under way.
"""

from typing import Any, TypeAlias

Rows: TypeAlias = Any
"""A two-dimensional array."""
Row: TypeAlias = Any

NORMAL, LAST = 1 << 56, 2 << 56
"""SimPy's priorities, to which an event's number is added: of events at one instant the lowest sum comes first."""

# Rows of `events`, a heap by time and key. A code is 16 · (number of a worker, shard, pull or push) + kind.
KEY, CODE = range(2)
KINDS = 16
# SETTLE and FIRE are the network's; ASK, ASK_ALL and SEND a worker's, SERVE a shard's; the others a message's.
SETTLE, FIRE, ASK, ASK_ALL, SEND, SERVE, ARRIVE, TAKE, REPLY = range(9)

# Integers of the whole.
(
    PAIRS, SHARDS, WIDTH, USED, NEXT_KEY, SETTLING, TIMERS, FLOWS_BEGUN, REPAIRS, LOGGED, OUTBOX, NEW, EVENTS,
    RESUMING, IN_STEP, RANDOM, DRAWN_OUT, READY,
) = range(18)  # fmt: skip
# Numbers of the whole: the instant, the network's next end, what every message costs, how the network shares.
NOW, DUE, PROPAGATION, DELAY, LATENCY, REQUEST, HEAD_START, CROSSING, TOLERANCE = range(9)

# Integers of each worker and of each shard: members, links and hosts; then what only one of them has.
MEMBERS, UP, DOWN, HOST, RACK, RACK_UP, RACK_DOWN = range(7)
ASKED, ASK_KEY, PULL_LEFT, PULL_ITERATION, SENT, PUSH_LEFT, PUSH_ITERATION = range(7, 14)
HEAD, TAIL, LENGTH, LONGEST, SERVING, VERSION, ROUND, ROUND_UPDATES, INDEX, DRAWN = range(7, 17)
# Numbers of each worker: when it began to ask, up to when it has asked, its thread's work, its last update's end.
ASK_BEGAN, ASK_TIME, WORK, APPLIED = range(4)
# Numbers of each shard: its thread's work, response times, memory of waiting calls, and what a message costs there.
(
    BUSY,
    RESPONSE,
    WAITING,
    MOST_WAITING,
    REPLY_COST,
    RECEIVE,
    SEND_COST,
    TAKE_IN,
    APPLY,
    PULL_SIZE,
    PUSH_SIZE,
) = range(11)

# Integers of each pull and push: the call behind it, and when its flow started among others. Of a pull alone what
# it has read of the shard's version and round, for iterations of even and of odd number.
FOLLOWER, ORDER, VERSION_READ, ROUND_READ = 0, 1, 2, 4
# Numbers of each: when the call arrived, how long it takes.
CALLED, SERVICE = range(2)

# Rows of `log`, updates begun.
LOG_WORKER, LOG_ITERATION, LOG_SHARD, LOG_STALENESS = range(4)
# Rows of `out`: whether a push has ended or a pull, of which worker, and the key of the event that says so.
OUT_PUSH, OUT_WORKER, OUT_KEY = range(3)

# Why `run` has come back: nothing is to be done before the limit; heaps lack room; the log is full; random costs are
# used up.
DONE, GROW, FLUSH, DRAW = range(4)
MARGIN = 8
