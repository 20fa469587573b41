"""The repair of levels after flows have started or ended, and the end of flows: see `psmodel.network.levels`."""

from psmodel.network.levels import (
    ACTIVE,
    AMOUNT,
    CAPACITY,
    CARRIED,
    COUNT,
    DIRTY,
    ELSE,
    FINISH,
    FINITE,
    FIRST,
    FLOW,
    FLOWS,
    INF,
    KEY,
    LEVEL,
    OTHER,
    OWN,
    OWNER,
    PLACE,
    POSITION,
    PROGRESS,
    SHARE,
    SINCE,
    START,
    STEPS,
    TIE,
    WEIGHTS,
    WORK,
    Row,
    Rows,
    advance,
    begin,
    insert,
    remove,
)  # fmt: skip

_CALL = 40
"""Work that a call takes in itself."""


def hand_on(
    link: int,
    difference: float,
    links: Rows,
    members: Rows,
    amounts: Rows,
    paths: Rows,
    keys: Rows,
    entries: Rows,
) -> None:
    """Tell the other links of a link's own flows how much its level has changed."""
    elsewhere, dirty = links[ELSE], members[DIRTY]
    shares, others = keys[SHARE], entries[OTHER]
    first = members[FIRST][link]
    for place in range(first, first + members[COUNT][link]):
        other = others[place]
        if other >= 0:
            elsewhere[other] += shares[place] * difference
            dirty[other] = 1
        else:
            flow = entries[FLOW][place]
            for step in range(len(paths) - STEPS):
                other = paths[STEPS + step][flow]
                if other != link:
                    elsewhere[other] += amounts[WEIGHTS + step][flow] * difference
                    dirty[other] = 1


def take_over(
    link: int, loser: int, now: float, links: Rows, members: Rows, amounts: Rows, paths: Rows,
    keys: Rows, entries: Rows,
) -> bool:  # fmt: skip
    """Let those of the loser's own flows that also pass through `link` belong to it; says whether there are any."""
    first, count = members[FIRST][loser], members[COUNT][loser]
    others = entries[OTHER]
    candidates = 0
    for place in range(first, first + count):
        candidates += (others[place] == link) + (others[place] < 0)
    if candidates == 0:
        return False
    some = False
    place = first
    while candidates > 0 and place < first + members[COUNT][loser]:
        flow = entries[FLOW][place]
        shared = others[place] == link
        if others[place] < 0:
            for step in range(len(paths) - STEPS):
                shared = shared or paths[STEPS + step][flow] == link
        if not shared:
            place += 1
            continue
        advance(loser, now, links, members, amounts, keys, entries)
        advance(link, now, links, members, amounts, keys, entries)
        remaining = max(0.0, keys[KEY][place] - links[PROGRESS][loser])
        remove(flow, links, members, amounts, paths, keys, entries)
        insert(flow, link, remaining, now, links, members, amounts, paths, keys, entries)
        some = True
        candidates -= 1
        place = first  # the heap has another order now
    return some


def candidate(link: int, links: Rows, members: Rows) -> float:
    """The level that a link has if no later one holds back its flows; −1 if it has none and the others are too many."""
    room: float = links[CAPACITY][link] - links[ELSE][link]
    if members[COUNT][link] > 0:
        own: float = links[OWN][link]
        return room / own
    return INF if room >= -TIE * links[CAPACITY][link] else -1.0


def go_before(
    link: int, position: int, level: float, now: float, links: Rows, members: Rows, amounts: Rows, paths: Rows,
    keys: Rows, entries: Rows, order: Row, counts: Row,
) -> int:  # fmt: skip
    """Move a link before all that have a higher level, and give it the flows it shares with them; its new place."""
    if position >= counts[FINITE]:
        counts[FINITE] += 1
    while position > 0:
        former = order[position - 1]
        if not level < links[LEVEL][former] * (1 - TIE):
            break
        if take_over(link, former, now, links, members, amounts, paths, keys, entries):
            level = candidate(link, links, members)
        order[position] = former
        members[POSITION][former] = position
        position -= 1
    order[position] = link
    members[POSITION][link] = position
    return position


def go_last(link: int, position: int, members: Rows, order: Row, counts: Row) -> None:
    """Move a link that holds nobody back behind all that do."""
    if position < counts[FINITE]:
        counts[FINITE] -= 1
        for i in range(position, counts[FINITE]):
            order[i] = order[i + 1]
            members[POSITION][order[i]] = i
        order[counts[FINITE]] = link
        members[POSITION][link] = counts[FINITE]


def settle(
    new: Row, now: float, links: Rows, members: Rows, amounts: Rows, paths: Rows, keys: Rows, entries: Rows,
    order: Row, counts: Row,
) -> float:  # fmt: skip
    """Let new flows begin (see `begin`) and make levels and owners right from `now` on.

    Returns the instant of the next end; −1 if heaps lack the room: give them more, and call again.
    """
    if len(new) > 0 and not begin(new, now, links, members, amounts, paths, keys, entries, order, counts):
        return -1.0
    position = counts[START]
    moves, most = 0, 20 * counts[ACTIVE] + 1000  # rounding must not let two links change places for ever
    while position < counts[ACTIVE]:
        link = order[position]
        before = links[LEVEL][order[position - 1]] if position > 0 else 0.0
        if members[DIRTY][link] == 0 and links[LEVEL][link] >= before * (1 - TIE):
            position += 1
            continue
        level = candidate(link, links, members)
        if level < before * (1 - TIE) and (moves < most or before == INF):
            members[DIRTY][link] = 1
            moves += 1
            position = go_before(
                link, position, level, now, links, members, amounts, paths, keys, entries, order, counts
            )
            continue
        members[DIRTY][link] = 0
        if level == INF:
            links[LEVEL][link] = links[FINISH][link] = INF
            if position >= counts[FINITE]:
                position += 1
            else:
                go_last(link, position, members, order, counts)
            continue
        if position >= counts[FINITE]:
            counts[FINITE] = position + 1
        level = max(level, 1e-300)
        advance(link, now, links, members, amounts, keys, entries)
        if level != links[LEVEL][link]:
            difference = level - links[LEVEL][link]
            links[LEVEL][link] = level
            counts[WORK] += members[COUNT][link]
            hand_on(link, difference, links, members, amounts, paths, keys, entries)
        remaining = max(0.0, keys[KEY][members[FIRST][link]] - links[PROGRESS][link])
        links[FINISH][link] = now + remaining / level
        position += 1
    counts[WORK] += counts[ACTIVE] + _CALL
    counts[START] = counts[ACTIVE]
    return next_end(links, order, counts)


def next_end(links: Rows, order: Row, counts: Row) -> float:
    """The instant at which the first flow ends."""
    finish = links[FINISH]
    due = INF
    for i in range(counts[FINITE]):
        due = min(due, finish[order[i]])
    return due


def end(
    now: float, tolerance: float, ended: Row, links: Rows, members: Rows, amounts: Rows, paths: Rows,
    keys: Rows, entries: Rows, order: Row, counts: Row,
) -> int:  # fmt: skip
    """End the flows that are through by `now`, or have no more than `tolerance` of their amount to go.

    Writes their numbers to `ended` and returns how many there are.
    """
    number = 0
    empty = 0
    for i in range(counts[FINITE]):
        link = order[i]
        through = links[FINISH][link] <= now * (1 + TIE)
        if not (through or tolerance > 0):
            continue
        level = links[LEVEL][link]
        progress = links[PROGRESS][link] + level * (now - links[SINCE][link])
        enough = level * now * TIE
        while members[COUNT][link] > 0:
            first = members[FIRST][link]
            flow = entries[FLOW][first]
            if not through and keys[KEY][first] - progress > max(enough, tolerance * amounts[AMOUNT][flow]):
                break
            through = False  # the first one is, whatever rounding says
            ended[number] = flow
            number += 1
            counts[START] = min(counts[START], i)
            remove(flow, links, members, amounts, paths, keys, entries)
            paths[OWNER][flow] = 0
            for step in range(len(paths) - STEPS):
                that = paths[STEPS + step][flow]
                if that > 0:
                    links[CARRIED][that] += amounts[WEIGHTS + step][flow] * amounts[AMOUNT][flow]
                    members[FLOWS][that] -= 1
                    empty += members[FLOWS][that] == 0
    if empty > 0:
        forget_empty(members, order, counts)
    return number


def take_out(
    flow: int, now: float, links: Rows, members: Rows, amounts: Rows, paths: Rows, keys: Rows, entries: Rows,
    order: Row, counts: Row,
) -> float:  # fmt: skip
    """Remove a flow that is not through; returns what it has still to send."""
    owner = paths[OWNER][flow]
    counts[START] = min(counts[START], members[POSITION][owner])
    advance(owner, now, links, members, amounts, keys, entries)
    remaining: float = max(0.0, keys[KEY][paths[PLACE][flow]] - links[PROGRESS][owner])
    remove(flow, links, members, amounts, paths, keys, entries)
    paths[OWNER][flow] = 0
    for step in range(len(paths) - STEPS):
        that = paths[STEPS + step][flow]
        if that > 0:
            links[CARRIED][that] += amounts[WEIGHTS + step][flow] * (amounts[AMOUNT][flow] - remaining)
            members[FLOWS][that] -= 1
    forget_empty(members, order, counts)
    return remaining


def forget_empty(members: Rows, order: Row, counts: Row) -> None:
    """Take the links without flows out of the order."""
    place = counts[START]
    finite = counts[FINITE]
    for i in range(counts[START], counts[ACTIVE]):
        link = order[i]
        if members[FLOWS][link] > 0:
            order[place] = link
            members[POSITION][link] = place
            place += 1
        else:
            finite -= i < counts[FINITE]
            members[DIRTY][link] = 0
    counts[ACTIVE] = place
    counts[FINITE] = finite


def recount(
    links: Rows, members: Rows, amounts: Rows, paths: Rows, entries: Rows, order: Row, counts: Row
) -> None:
    """Sum anew what later links owe to earlier ones, so that rounding does not add up over many events."""
    for i in range(counts[ACTIVE]):
        links[ELSE][order[i]] = 0.0
        links[OWN][order[i]] = 0.0
    for i in range(counts[ACTIVE]):
        link = order[i]
        first = members[FIRST][link]
        for place in range(first, first + members[COUNT][link]):
            flow = entries[FLOW][place]
            for step in range(len(paths) - STEPS):
                that = paths[STEPS + step][flow]
                if that == link:
                    links[OWN][link] += amounts[WEIGHTS + step][flow]
                elif that > 0:
                    links[ELSE][that] += amounts[WEIGHTS + step][flow] * links[LEVEL][link]
