"""Candidates of a list: taken in turns, kept where they are allowed, scored, spaced out."""

import cython
from cython.cimports.libc.stdlib import free
from cython.cimports.libc.string import memset
from cython.cimports.numpy import NPY_BOOL

from store.loops.source.arguments import bytes_of, floats, ints, length, outside, room_for
from store.loops.source.best import Best, Ranked, in_order, offer


def in_turns(lists: list, slots, found):
    """The first of every list, then the second …, each item once; as many as `found` has room for."""
    slot_of: cython.p_int = ints(slots, True)
    out: cython.p_int = ints(found, True)
    room: cython.Py_ssize_t = length(found)
    size: cython.Py_ssize_t = length(slots)
    heads: cython.p_int[32]
    lengths: cython.Py_ssize_t[32]
    many: cython.Py_ssize_t = len(lists)
    longest: cython.Py_ssize_t = 0
    one: cython.Py_ssize_t
    turn: cython.Py_ssize_t
    item: cython.int
    slot: cython.int
    count: cython.int = 0
    if many > 32:
        raise ValueError("too many lists")
    for one in range(many):
        heads[one] = ints(lists[one])
        lengths[one] = length(lists[one])
        longest = max(longest, lengths[one])
    for turn in range(longest):
        for one in range(many):
            if turn >= lengths[one]:
                continue
            if count >= room:
                return count
            item = heads[one][turn]
            if item < 0 or item >= size:
                outside(item, size)
            slot = slot_of[item]
            if 0 <= slot < count and out[slot] == item:
                continue
            slot_of[item] = count
            out[count] = item
            count += 1
    return count


def those_allowed(mask, items, found):
    """The first that are, as many as `found` has room for; returns how many."""
    allowed: cython.p_uchar = bytes_of(mask, NPY_BOOL)
    named: cython.p_int = ints(items)
    out: cython.p_int = ints(found, True)
    room: cython.Py_ssize_t = length(found)
    size: cython.Py_ssize_t = length(mask)
    count: cython.Py_ssize_t = 0
    at: cython.Py_ssize_t
    for at in range(length(items)):
        if count >= room:
            break
        if named[at] < 0 or named[at] >= size:
            outside(named[at], size)
        if allowed[named[at]]:
            out[count] = named[at]
            count += 1
    return count


def any_of(mask, items):
    """Whether the mask holds for any of them; numbers beyond it do not count."""
    held: cython.p_uchar = bytes_of(mask, NPY_BOOL)
    named: cython.p_int = ints(items)
    size: cython.Py_ssize_t = length(mask)
    at: cython.Py_ssize_t
    for at in range(length(items)):
        if 0 <= named[at] < size and held[named[at]]:
            return True
    return False


def within(items, size: cython.Py_ssize_t):
    """Whether every number is one below `size`."""
    named: cython.p_int = ints(items)
    least: cython.int = 0
    most: cython.int = -1
    at: cython.Py_ssize_t
    for at in range(length(items)):
        least = named[at] if named[at] < least else least
        most = named[at] if named[at] > most else most
    return bool(least >= 0 and most < size)


def best_places(scores, places):
    """Where the best stand, best first, as many as `places` has room for; returns how many."""
    told: cython.p_float = floats(scores)
    out: cython.p_int = ints(places, True)
    best: Best
    best.most = length(places)
    best.size = 0
    best.heap = cython.cast(cython.pointer(Ranked), room_for(best.most * cython.sizeof(Ranked)))
    at: cython.Py_ssize_t
    for at in range(length(scores)):
        offer(cython.address(best), told[at], cython.cast(cython.int, at))
    in_order(cython.address(best))
    for at in range(best.size):
        out[at] = best.heap[at].place
    free(best.heap)
    return best.size


def shares(parts: list, places, out):
    """out[p, k] = parts[p][places[k]]"""
    chosen: cython.p_int = ints(places)
    answers: cython.p_float = floats(out, True)
    count: cython.Py_ssize_t = length(places)
    one: cython.Py_ssize_t
    at: cython.Py_ssize_t
    part: cython.p_float
    size: cython.Py_ssize_t
    if length(out) != len(parts) * count:
        raise ValueError("the result needs a row per part")
    for one in range(len(parts)):
        part = floats(parts[one])
        size = length(parts[one])
        for at in range(count):
            if chosen[at] < 0 or chosen[at] >= size:
                outside(chosen[at], size)
            answers[one * count + at] = part[chosen[at]]


def weighed(scores, weight: cython.float, total, out):
    """out = weight * scores, total += out"""
    told: cython.p_float = floats(scores)
    totals: cython.p_float = floats(total, True)
    answers: cython.p_float = floats(out, True)
    count: cython.Py_ssize_t = length(scores)
    at: cython.Py_ssize_t
    if length(total) != count or length(out) != count:
        raise ValueError("the arrays need one length")
    for at in range(count):
        answers[at] = weight * told[at]
        totals[at] += answers[at]


def fondness(
    affinities: dict, places: dict, sizes: tuple, items, hidden, category, brand, band, top, bands: cython.longlong, out
):
    """What a visitor's affinities say of these items: a row for each of the four kinds, [4, items]."""
    named: cython.p_int = ints(items)
    unsaid: cython.p_uchar = bytes_of(hidden, NPY_BOOL)
    categories: cython.p_int = ints(category)
    brands: cython.p_int = ints(brand)
    band_of: cython.p_int = ints(band)
    tops: cython.p_int = ints(top)
    answers: cython.p_float = floats(out, True)
    count: cython.Py_ssize_t = length(items)
    size: cython.Py_ssize_t = length(hidden)
    if length(out) != 4 * count:
        raise ValueError("the result needs four rows")
    if length(category) != size or length(brand) != size or length(band) != size or length(top) != size:
        raise ValueError("the columns need one length")
    kinds: cython.longlong[4]
    begins: cython.longlong[4]
    codes: cython.longlong[4]
    whole: cython.longlong = 0
    kind: cython.int
    for kind in range(4):
        kinds[kind] = sizes[kind]
        begins[kind] = whole
        whole += kinds[kind]
    board: cython.p_float = cython.cast(cython.p_float, room_for(whole * cython.sizeof(cython.float)))
    told: cython.longlong
    at: cython.Py_ssize_t
    item: cython.int
    try:
        memset(board, 0, whole * cython.sizeof(cython.float))
        for key, weight in affinities.items():
            place = places.get(key)
            if place is None:
                continue  # a key the catalogue does not know
            told = place
            kind = told & 3
            if told < 0 or (told >> 2) >= kinds[kind]:
                outside(told >> 2, kinds[kind])
            board[begins[kind] + (told >> 2)] = weight
        for at in range(count):
            item = named[at]
            if item < 0 or item >= size:
                outside(item, size)
            codes[0] = codes[1] = codes[2] = codes[3] = -1
            if not unsaid[item]:
                codes[0], codes[1], codes[2] = categories[item], brands[item], band_of[item]
                if band_of[item] >= 0:
                    codes[3] = tops[item] * bands + band_of[item]
            for kind in range(4):
                if codes[kind] < 0:
                    answers[kind * count + at] = 0
                    continue
                if codes[kind] >= kinds[kind]:
                    outside(codes[kind], kinds[kind])
                answers[kind * count + at] = board[begins[kind] + codes[kind]]
    finally:
        free(board)
