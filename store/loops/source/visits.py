"""Visits like this one (VMIS-kNN: Kersbergen et al., SIGMOD 2022)."""

import cython
from cython.cimports.libc.stdlib import free

from store.loops.source.arguments import floats, ints, length, longs, outside, room_for
from store.loops.source.best import Best, Ranked, in_order, offer

Entry = cython.struct(session=cython.int, position=cython.int, step=cython.int, likeness=cython.double)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def newest_first(entries: cython.pointer(Entry), count: cython.Py_ssize_t) -> cython.void:
    """Heap sort by session, the lowest number first: none is recursive and none needs room."""
    at: cython.Py_ssize_t = count // 2
    root: cython.Py_ssize_t
    child: cython.Py_ssize_t
    size: cython.Py_ssize_t = count
    moved: Entry
    while size > 1:
        if at > 0:
            at -= 1
            moved = entries[at]
        else:
            size -= 1
            moved = entries[size]
            entries[size] = entries[0]
        root = at
        while True:
            child = 2 * root + 1
            if child >= size:
                break
            if child + 1 < size and entries[child + 1].session > entries[child].session:
                child += 1
            if entries[child].session <= moved.session:
                break
            entries[root] = entries[child]
            root = child
        entries[root] = moved


def went_on(
    viewed,
    item_starts,
    item_sessions,
    item_positions,
    freshness,
    starts,
    clicks,
    nearness,
    factor,
    session_slots,
    item_slots,
    last_items: cython.Py_ssize_t,
    newest: cython.Py_ssize_t,
    neighbours: cython.Py_ssize_t,
    most: cython.Py_ssize_t,
    found,
    sums,
):
    """What visits like this one went on to, best first; returns how many."""
    seen: cython.p_int = ints(viewed)
    fresh: cython.p_float = floats(freshness)
    begin: cython.p_longlong = longs(starts)
    clicked: cython.p_int = ints(clicks)
    near: cython.p_float = floats(nearness)
    factors: cython.p_float = floats(factor)
    session_slot: cython.p_int = ints(session_slots, True)
    item_slot: cython.p_int = ints(item_slots, True)
    out_found: cython.p_int = ints(found, True)
    out_sums: cython.p_float = floats(sums, True)
    sessions: cython.Py_ssize_t = length(session_slots)
    items: cython.Py_ssize_t = length(item_slots)
    if length(item_sessions) != length(item_positions) or length(factor) != items:
        raise ValueError("one position per session and one factor per item is needed")
    if length(freshness) != sessions or length(starts) != sessions + 1:
        raise ValueError("one row per session is needed")
    if not 0 < last_items <= 64 or newest <= 0 or neighbours <= 0:
        raise ValueError("the bounds must be positive")
    if most < 0 or most > length(found) or length(sums) != length(found):
        raise ValueError("the results need room for `most`")
    # Most recent first, each item once at its most recent place.
    recent: cython.int[64]
    steps: cython.Py_ssize_t = 0
    same: cython.Py_ssize_t
    at: cython.Py_ssize_t = length(viewed)
    while at > 0 and length(viewed) - (at - 1) <= last_items:
        at -= 1
        same = 0
        while same < steps and recent[same] != seen[at]:
            same += 1
        if same == steps:
            recent[steps] = seen[at]
            steps += 1
    entries: cython.pointer(Entry) = cython.cast(
        cython.pointer(Entry),
        room_for((newest * steps + 1) * cython.sizeof(Entry) + neighbours * cython.sizeof(Ranked)),
    )
    totals: cython.p_double = cython.cast(cython.p_double, 0)
    voters: Best
    best: Best
    voters.heap = cython.cast(cython.pointer(Ranked), entries + newest * steps + 1)
    count: cython.Py_ssize_t
    whole: cython.longlong = 0
    one: cython.Py_ssize_t
    known: cython.int = 0
    slot: cython.int
    item: cython.int
    first: cython.longlong
    stop: cython.longlong
    match: cython.longlong
    click: cython.longlong
    weight: cython.float
    voter: Entry
    try:
        count = alike(
            recent, steps, item_starts, item_sessions, item_positions, session_slot, sessions, newest, entries
        )
        if count > newest:
            newest_first(entries, count)
            count = newest
        # Of equally similar sessions the recent one, which has the lower number.
        voters.size, voters.most = 0, min(count, neighbours)
        for at in range(count):
            offer(
                cython.address(voters),
                cython.cast(cython.float, entries[at].likeness) - 1e-9 * entries[at].session,
                cython.cast(cython.int, at),
            )
        for one in range(voters.size):
            voter = entries[voters.heap[one].place]
            first, stop = begin[voter.session], begin[voter.session + 1]
            if first < 0 or stop < first or stop > length(clicks):
                raise ValueError("a session reaches beyond the clicks")
            if voter.position < 0 or voter.position >= stop - first or stop - first > length(nearness):
                raise ValueError("a place outside its session")
            whole += stop - first
        # Every click of every one of them is a vote.
        totals = cython.cast(
            cython.p_double,
            room_for(
                (whole + 1) * (cython.sizeof(cython.double) + cython.sizeof(cython.int)) + most * cython.sizeof(Ranked)
            ),
        )
        best.heap = cython.cast(cython.pointer(Ranked), totals + whole + 1)
        best.size, best.most = 0, most
        distinct: cython.p_int = cython.cast(cython.p_int, best.heap + most)
        for one in range(voters.size):
            voter = entries[voters.heap[one].place]
            weight = 1 - 0.1 * (voter.step + 1)
            weight = (weight if weight > 0 else 0) * cython.cast(cython.float, voter.likeness) * fresh[voter.session]
            first, stop = begin[voter.session], begin[voter.session + 1]
            match = first + voter.position
            for click in range(first, stop):
                item = clicked[click]
                if item < 0 or item >= items:
                    outside(item, items)
                slot = item_slot[item]
                if slot < 0 or slot >= known or distinct[slot] != item:
                    slot = item_slot[item] = known
                    known += 1
                    distinct[slot] = item
                    totals[slot] = 0
                totals[slot] += weight * near[match - click if click < match else click - match]
        for slot in range(known):
            if distinct[slot] != recent[0]:
                offer(cython.address(best), cython.cast(cython.float, totals[slot]) * factors[distinct[slot]], slot)
        in_order(cython.address(best))
        for at in range(best.size):
            out_found[at] = distinct[best.heap[at].place]
            out_sums[at] = cython.cast(cython.float, best.heap[at].score)
        return best.size
    finally:
        free(totals)
        free(entries)


@cython.cfunc
@cython.exceptval(-1)
def alike(
    recent: cython.p_int,
    steps: cython.Py_ssize_t,
    item_starts: object,
    item_sessions: object,
    item_positions: object,
    session_slot: cython.p_int,
    sessions: cython.Py_ssize_t,
    newest: cython.Py_ssize_t,
    entries: cython.pointer(Entry),
) -> cython.Py_ssize_t:
    """The newest sessions that share an item with the visit, each with how alike it is; returns how many."""
    from_item: cython.p_longlong = longs(item_starts)
    of_item: cython.p_int = ints(item_sessions)
    at_place: cython.p_int = ints(item_positions)
    count: cython.Py_ssize_t = 0
    step: cython.Py_ssize_t
    first: cython.longlong
    stop: cython.longlong
    place: cython.longlong
    session: cython.int
    slot: cython.int
    for step in range(steps - 1, -1, -1):  # the oldest first, so that the newest match has the word
        if recent[step] < 0 or recent[step] >= length(item_starts) - 1:
            continue
        first, stop = from_item[recent[step]], from_item[recent[step] + 1]
        if first < 0 or stop > length(item_sessions):
            raise ValueError("an item's sessions reach beyond them all")
        # A session among the newest of all is among the newest of each of its items: theirs come newest first.
        stop = min(stop, first + newest)
        for place in range(first, stop):
            session = of_item[place]
            if session < 0 or session >= sessions:
                outside(session, sessions)
            slot = session_slot[session]
            if slot < 0 or slot >= count or entries[slot].session != session:
                slot = session_slot[session] = cython.cast(cython.int, count)
                count += 1
                entries[slot].session = session
                entries[slot].likeness = 0
            entries[slot].likeness += cython.cast(cython.double, steps - step) / steps
            entries[slot].step = cython.cast(cython.int, step)
            entries[slot].position = at_place[place]
    return count
