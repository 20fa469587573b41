"""Max–min fair sharing by links' levels: what to compute when flows start and end, and nothing else.

All flows that a link holds back have one rate, the link's *level*, and a flow is held back by (*belongs to*) that
link on its path whose level is lowest [1]_. So the levels of the links say the rates of all flows. The links
lie in an order of ascending level; a flow belongs to the first of its path. With S the rates on a link of flows
that belong to earlier ones, and W the weight there of its own,

    level = (capacity − S)/W,

which depends on earlier links alone. A flow that starts or ends changes the level of the link it belongs to and
hands the difference on to later ones. A link that gets below its predecessor goes before it and takes over
the flows that pass through both: only those are touched. This is progressive filling, which always continues
with the link of the lowest level, begun where something has changed.

A flow's progress is its link's: with V = ∫ level dt it ends at V = V(start) + amount. Each link keeps its
own flows in a heap by that key, so that no event touches the others.

The functions work on rows of numbers, lists or NumPy arrays: as they stand here in Python, compiled by
`psmodel.network.compilation` where there is much to do. Both do the same operations in the same order.

References
----------
.. [1] D. Bertsekas and R. Gallager, *Data Networks*, 2nd ed., Prentice Hall 1992, section 6.5.2.
"""

from typing import Any, TypeAlias

Rows: TypeAlias = Any
"""A list of rows of equal length, each a list; or a two-dimensional array."""
Row: TypeAlias = Any

TIE = 1e-12
"""Levels, and instants, that differ by less than this, relatively, are one."""
INF = float("inf")
_REBASE = 16.0
"""A link's V begins anew when it is so many times the smallest amount: keys keep their digits."""

# Rows of `links`, by a link's number. Numbers count from 1; 0 stands for no link.
CAPACITY, LEVEL, OWN, ELSE, PROGRESS, SINCE, FINISH, CARRIED, SMALLEST = range(9)
# Rows of `members`, by a link's number: own flows, where their heap begins and how long it may get, all flows.
POSITION, COUNT, FIRST, ROOM, FLOWS, DIRTY = range(6)
# Rows of `amounts` and of `paths`, by a flow's number: then come weights, and links, one row per step of the path.
AMOUNT, WEIGHTS = range(2)
OWNER, PLACE, STEPS = range(3)
# Rows of the heaps: `keys`, and `entries`; OTHER is the second link of a path of two, 0 without, −1 of a longer one.
KEY, SHARE = range(2)
FLOW, OTHER = range(2)
# Counts: links in the order, those of a finite level, heap entries used, first position to be looked at, work done,
# and how far the list of new flows has been read.
ACTIVE, FINITE, USED, START, WORK, BEGUN = range(6)


def put(
    place: int, key: float, share: float, flow: int, other: int, paths: Rows, keys: Rows, entries: Rows
) -> None:
    """Write one entry of a heap."""
    keys[KEY][place] = key
    keys[SHARE][place] = share
    entries[FLOW][place] = flow
    entries[OTHER][place] = other
    paths[PLACE][flow] = place


def sift(
    first: int, end: int, place: int, key: float, share: float, flow: int, other: int,
    paths: Rows, keys: Rows, entries: Rows,
) -> None:  # fmt: skip
    """Put an entry where it belongs in the heap from `first` to before `end`, beginning with the hole `place`."""
    by_key = keys[KEY]
    while place > first:
        above = first + (place - first - 1) // 2
        if not key < by_key[above]:
            break
        put(
            place,
            by_key[above],
            keys[SHARE][above],
            entries[FLOW][above],
            entries[OTHER][above],
            paths,
            keys,
            entries,
        )
        place = above
    while True:
        below = 2 * place - first + 1
        if below >= end:
            break
        if below + 1 < end and by_key[below + 1] < by_key[below]:
            below += 1
        if not by_key[below] < key:
            break
        put(
            place,
            by_key[below],
            keys[SHARE][below],
            entries[FLOW][below],
            entries[OTHER][below],
            paths,
            keys,
            entries,
        )
        place = below
    put(place, key, share, flow, other, paths, keys, entries)


def advance(
    link: int, now: float, links: Rows, members: Rows, amounts: Rows, keys: Rows, entries: Rows
) -> None:
    """Bring a link's V to `now`."""
    if members[COUNT][link] == 0 or links[SINCE][link] == now:
        return
    progress = links[PROGRESS][link] + links[LEVEL][link] * (now - links[SINCE][link])
    if progress > _REBASE * links[SMALLEST][link]:
        smallest = INF
        first = members[FIRST][link]
        for place in range(first, first + members[COUNT][link]):
            keys[KEY][place] -= progress
            smallest = min(smallest, amounts[AMOUNT][entries[FLOW][place]])
        links[SMALLEST][link] = smallest
        progress = 0.0
    links[PROGRESS][link] = progress
    links[SINCE][link] = now


def insert(
    flow: int, link: int, remaining: float, now: float,
    links: Rows, members: Rows, amounts: Rows, paths: Rows, keys: Rows, entries: Rows,
) -> None:  # fmt: skip
    """Let a flow belong to `link`, whose V is that of `now`; hand its rate on to the others of its path."""
    count = members[COUNT][link]
    if count == 0:
        links[LEVEL][link] = links[PROGRESS][link] = links[OWN][link] = 0.0
        links[SINCE][link] = now
        links[SMALLEST][link] = INF
    level = links[LEVEL][link]
    other, share, others = 0, 0.0, 0
    for step in range(len(paths) - STEPS):
        that = paths[STEPS + step][flow]
        weight = amounts[WEIGHTS + step][flow]
        if that == link:
            links[OWN][link] += weight
            members[DIRTY][link] = 1
        elif that > 0:
            links[ELSE][that] += weight * level
            members[DIRTY][that] = 1
            other, share, others = that, weight, others + 1
    if others > 1:
        other = -1
    links[SMALLEST][link] = min(links[SMALLEST][link], amounts[AMOUNT][flow])
    members[COUNT][link] = count + 1
    paths[OWNER][flow] = link
    first = members[FIRST][link]
    end = first + count + 1
    sift(first, end, end - 1, links[PROGRESS][link] + remaining, share, flow, other, paths, keys, entries)


def remove(
    flow: int, links: Rows, members: Rows, amounts: Rows, paths: Rows, keys: Rows, entries: Rows
) -> None:
    """Take a flow from the link it belongs to, and its rate from the others of its path."""
    link = paths[OWNER][flow]
    level = links[LEVEL][link]
    for step in range(len(paths) - STEPS):
        that = paths[STEPS + step][flow]
        if that == link:
            links[OWN][link] -= amounts[WEIGHTS + step][flow]
        elif that > 0:
            links[ELSE][that] -= amounts[WEIGHTS + step][flow] * level
        if that > 0:
            members[DIRTY][that] = 1
    members[COUNT][link] -= 1
    place, first = paths[PLACE][flow], members[FIRST][link]
    last = first + members[COUNT][link]
    if place != last:
        sift(
            first, last, place, keys[KEY][last], keys[SHARE][last], entries[FLOW][last], entries[OTHER][last],
            paths, keys, entries,
        )  # fmt: skip


def begin(
    new: Row, now: float, links: Rows, members: Rows, amounts: Rows, paths: Rows, keys: Rows, entries: Rows,
    order: Row, counts: Row,
) -> bool:  # fmt: skip
    """Let flows begin; False if heaps lack the room, and it has to go on where there is more.

    `new` holds, flow by flow, its number, its amount, the links and then the weights of its path.
    """
    width = len(paths) - STEPS
    while counts[BEGUN] < len(new):
        at = counts[BEGUN]
        flow = int(new[at])
        amounts[AMOUNT][flow] = new[at + 1]
        needed = 0
        for step in range(width):
            link = int(new[at + 2 + step])
            paths[STEPS + step][flow] = link
            amounts[WEIGHTS + step][flow] = new[at + 2 + width + step]
            if link > 0 and members[FLOWS][link] == members[ROOM][link]:
                needed += 2 * members[FLOWS][link] + 2
        if counts[USED] + needed > len(keys[KEY]):
            return False
        owner = 0
        for step in range(width):
            link = paths[STEPS + step][flow]
            if link == 0:
                continue
            if members[FLOWS][link] == 0:
                links[LEVEL][link] = links[FINISH][link] = INF
                links[ELSE][link] = 0.0
                members[POSITION][link] = counts[ACTIVE]
                order[counts[ACTIVE]] = link
                counts[ACTIVE] += 1
            if members[FLOWS][link] == members[ROOM][link]:
                enlarge(link, members, paths, keys, entries, counts)
            members[FLOWS][link] += 1
            if owner == 0 or members[POSITION][link] < members[POSITION][owner]:
                owner = link
        advance(owner, now, links, members, amounts, keys, entries)
        insert(flow, owner, amounts[AMOUNT][flow], now, links, members, amounts, paths, keys, entries)
        counts[START] = min(counts[START], members[POSITION][owner])
        counts[BEGUN] += 2 + 2 * width
    counts[BEGUN] = 0
    return True


def enlarge(link: int, members: Rows, paths: Rows, keys: Rows, entries: Rows, counts: Row) -> None:
    """Move a link's heap to where it can get twice as long."""
    first, there = members[FIRST][link], counts[USED]
    for i in range(members[COUNT][link]):
        put(
            there + i, keys[KEY][first + i], keys[SHARE][first + i], entries[FLOW][first + i],
            entries[OTHER][first + i], paths, keys, entries,
        )  # fmt: skip
    members[FIRST][link] = there
    members[ROOM][link] = 2 * members[FLOWS][link] + 2
    counts[USED] += members[ROOM][link]
