"""Links from items to others: following them, and summing up where they lead."""

import cython
from cython.cimports.libc.stdlib import free
from cython.cimports.libc.string import memset
from cython.cimports.numpy import NPY_INT64, PyArray_TYPE, ndarray

from store.loops.source.arguments import floats, ints, length, longs, outside, room_for
from store.loops.source.best import Best, Ranked, in_order, offer


@cython.cfunc
@cython.exceptval(-1, check=True)
def bound_of(starts: object, row: cython.longlong) -> cython.longlong:
    """A row's start; scipy keeps them in 32 bits where they fit."""
    if PyArray_TYPE(cython.cast(ndarray, starts)) == NPY_INT64:
        return longs(starts)[row]
    return ints(starts)[row]


def reach(starts, items, most: cython.Py_ssize_t):
    """How many entries `followed` will find."""
    wanted: cython.p_int = ints(items)
    rows_here: cython.Py_ssize_t = length(starts) - 1
    count: cython.Py_ssize_t = 0
    at: cython.Py_ssize_t
    entries: cython.longlong
    for at in range(length(items)):
        if wanted[at] < 0 or wanted[at] >= rows_here:
            continue  # came after the rows were learned
        entries = bound_of(starts, wanted[at] + 1) - bound_of(starts, wanted[at])
        if entries < 0:
            raise ValueError("a row ends before it begins")
        count += entries if entries < most else most
    return count


def followed(starts, targets, strengths, items, weights, most: cython.Py_ssize_t, source, found, scores):
    """The entries of the items' rows, as many as `most` of each; returns how many."""
    to_items: cython.p_int = ints(targets)
    strong: cython.p_float = floats(strengths)
    wanted: cython.p_int = ints(items)
    heavy: cython.p_float = floats(weights)
    out_source: cython.p_int = ints(source, True)
    out_found: cython.p_int = ints(found, True)
    out_scores: cython.p_float = floats(scores, True)
    room: cython.Py_ssize_t = length(found)
    rows_here: cython.Py_ssize_t = length(starts) - 1
    count: cython.Py_ssize_t = 0
    at: cython.Py_ssize_t
    first: cython.longlong
    stop: cython.longlong
    place: cython.longlong
    weight: cython.float
    if length(weights) != length(items) or length(targets) != length(strengths):
        raise ValueError("one weight per item and one strength per target is needed")
    if length(source) != room or length(scores) != room:
        raise ValueError("the results need one length")
    for at in range(length(items)):
        if wanted[at] < 0 or wanted[at] >= rows_here:
            continue
        first = bound_of(starts, wanted[at])
        stop = bound_of(starts, wanted[at] + 1)
        if stop > first + most:
            stop = first + most
        if first < 0 or stop > length(targets):
            raise ValueError("a row reaches beyond the targets")
        if stop > first and count + (stop - first) > room:
            raise ValueError("more is followed than there is room for")
        weight = heavy[at]
        for place in range(first, stop):
            out_source[count] = cython.cast(cython.int, at)
            out_found[count] = to_items[place]
            out_scores[count] = strong[place] * weight
            count += 1
    return count


def summed_best(items, scores, slots, most: cython.Py_ssize_t, found, sums):
    """Scores summed by item, the best `most` of them that are above 0; returns how many."""
    named: cython.p_int = ints(items)
    told: cython.p_float = floats(scores)
    slot_of: cython.p_int = ints(slots, True)
    out_found: cython.p_int = ints(found, True)
    out_sums: cython.p_float = floats(sums, True)
    count: cython.Py_ssize_t = length(items)
    slots_here: cython.Py_ssize_t = length(slots)
    if length(scores) != count:
        raise ValueError("one score per item is needed")
    if most < 0 or most > length(found) or length(sums) != length(found):
        raise ValueError("the results need room for `most`")
    totals: cython.p_double = cython.cast(
        cython.p_double,
        room_for(count * (cython.sizeof(cython.double) + cython.sizeof(cython.int)) + most * cython.sizeof(Ranked) + 8),
    )
    best: Best
    best.heap = cython.cast(cython.pointer(Ranked), totals + count)
    best.size, best.most = 0, most
    distinct: cython.p_int = cython.cast(cython.p_int, best.heap + most)
    known: cython.int = 0
    slot: cython.int
    at: cython.Py_ssize_t
    try:
        for at in range(count):
            if named[at] < 0 or named[at] >= slots_here:
                outside(named[at], slots_here)
            slot = slot_of[named[at]]
            if slot < 0 or slot >= known or distinct[slot] != named[at]:
                slot = slot_of[named[at]] = known
                known += 1
                distinct[slot] = named[at]
                totals[slot] = 0
            totals[slot] += told[at]
        for slot in range(known):
            if totals[slot] > 0:
                offer(cython.address(best), cython.cast(cython.float, totals[slot]), slot)
        in_order(cython.address(best))
        for at in range(best.size):
            out_found[at] = distinct[best.heap[at].place]
            out_sums[at] = cython.cast(cython.float, best.heap[at].score)
        return best.size
    finally:
        free(totals)


@cython.cfunc
@cython.exceptval(-1)
def seat(members: cython.p_int, count: cython.Py_ssize_t, slots: cython.p_int, size: cython.Py_ssize_t) -> cython.int:
    """Every member's place, by its number."""
    at: cython.Py_ssize_t
    for at in range(count):
        if members[at] < 0 or members[at] >= size:
            outside(members[at], size)
        slots[members[at]] = cython.cast(cython.int, at)
    return 0


def spread(members, items, scores, slots, out):
    """Scores laid out over the members, summed where an item comes more than once."""
    seated: cython.p_int = ints(members)
    named: cython.p_int = ints(items)
    told: cython.p_float = floats(scores)
    slot_of: cython.p_int = ints(slots, True)
    answers: cython.p_float = floats(out, True)
    count: cython.Py_ssize_t = length(members)
    size: cython.Py_ssize_t = length(slots)
    if length(items) != length(scores) or length(out) != count:
        raise ValueError("one score per item and one result per member is needed")
    totals: cython.p_double = cython.cast(cython.p_double, room_for(count * cython.sizeof(cython.double)))
    at: cython.Py_ssize_t
    slot: cython.int
    try:
        seat(seated, count, slot_of, size)
        memset(totals, 0, count * cython.sizeof(cython.double))
        for at in range(length(items)):
            if named[at] < 0 or named[at] >= size:
                outside(named[at], size)
            slot = slot_of[named[at]]
            if 0 <= slot < count and seated[slot] == named[at]:
                totals[slot] += told[at]
        for at in range(count):
            answers[at] = cython.cast(cython.float, totals[at])
    finally:
        free(totals)


def strongest(members, items, scores, slots, out):
    """Where each member scores highest; -1 where it comes not at all."""
    seated: cython.p_int = ints(members)
    named: cython.p_int = ints(items)
    told: cython.p_float = floats(scores)
    slot_of: cython.p_int = ints(slots, True)
    answers: cython.p_int = ints(out, True)
    count: cython.Py_ssize_t = length(members)
    size: cython.Py_ssize_t = length(slots)
    at: cython.Py_ssize_t
    slot: cython.int
    if length(items) != length(scores) or length(out) != count:
        raise ValueError("one score per item and one result per member is needed")
    seat(seated, count, slot_of, size)
    for at in range(count):
        answers[at] = -1
    for at in range(length(items)):
        if named[at] < 0 or named[at] >= size:
            outside(named[at], size)
        slot = slot_of[named[at]]
        if slot < 0 or slot >= count or seated[slot] != named[at]:
            continue
        if answers[slot] < 0 or told[at] > told[answers[slot]]:
            answers[slot] = cython.cast(cython.int, at)
