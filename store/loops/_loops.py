"""The loops of an answer that numpy could only walk in many passes, each of them a miss in a cold cache.

Python, compiled before it runs: Cython's pure mode reads the types from the annotations (`make setup` does it, see
tools/build_loops.sh). Flat arrays in, flat arrays out, made by the caller (compiled.py); plain.py says in numpy what each
loop means, and tests/test_loops.py holds the two against each other. Every index that comes from data is checked: a
wrong number is an IndexError, never a read outside of an array.
"""
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False

import cython

if not cython.compiled:
    raise ImportError("store/loops/_loops.py was not compiled; `make setup` does it")

from cython.cimports.libc.math import exp2f, fabs, fabsf, fmin, isfinite, isnan, sqrtf
from cython.cimports.libc.stdlib import free, malloc, realloc
from cython.cimports.libc.string import memcpy, memset
from cython.cimports.numpy import (
    NPY_BOOL,
    NPY_DOUBLE,
    NPY_FLOAT,
    NPY_INT16,
    NPY_INT32,
    NPY_INT64,
    NPY_UINT8,
    PyArray_DATA,
    PyArray_IS_C_CONTIGUOUS,
    PyArray_ISWRITEABLE,
    PyArray_SIZE,
    PyArray_TYPE,
    ndarray,
)

BUILT_FROM = ""
"""The SHA-256 of this file as it was compiled, written in by tools/build_loops.sh."""

Ranked = cython.struct(score=cython.double, place=cython.int)
Best = cython.struct(heap=cython.pointer(Ranked), size=cython.Py_ssize_t, most=cython.Py_ssize_t)
Entry = cython.struct(session=cython.int, position=cython.int, step=cython.int, likeness=cython.double)
Near = cython.struct(score=cython.float, row=cython.int)


# ---- arguments


@cython.cfunc
@cython.exceptval(check=True)
def cells(array: object, kind: cython.int, writable: cython.bint) -> cython.p_void:
    """Where the array's cells begin; TypeError where it is no contiguous array of `kind`."""
    if not isinstance(array, ndarray):
        raise TypeError(f"an array is needed, got {type(array).__name__}")
    told: ndarray = cython.cast(ndarray, array)
    if PyArray_TYPE(told) != kind or not PyArray_IS_C_CONTIGUOUS(told):
        raise TypeError(f"a contiguous array of another type is needed, got one of {told.dtype}")
    if writable and not PyArray_ISWRITEABLE(told):
        raise ValueError("the array is read-only")
    return PyArray_DATA(told)


@cython.cfunc
@cython.inline
def length(array: object) -> cython.Py_ssize_t:
    return PyArray_SIZE(cython.cast(ndarray, array))


@cython.cfunc
@cython.exceptval(check=True)
def ints(array: object, writable: cython.bint = False) -> cython.p_int:
    return cython.cast(cython.p_int, cells(array, NPY_INT32, writable))


@cython.cfunc
@cython.exceptval(check=True)
def shorts(array: object) -> cython.pointer(cython.short):
    return cython.cast(cython.pointer(cython.short), cells(array, NPY_INT16, False))


@cython.cfunc
@cython.exceptval(check=True)
def floats(array: object, writable: cython.bint = False) -> cython.p_float:
    return cython.cast(cython.p_float, cells(array, NPY_FLOAT, writable))


@cython.cfunc
@cython.exceptval(check=True)
def doubles(array: object, writable: cython.bint = False) -> cython.p_double:
    return cython.cast(cython.p_double, cells(array, NPY_DOUBLE, writable))


@cython.cfunc
@cython.exceptval(check=True)
def longs(array: object, writable: cython.bint = False) -> cython.p_longlong:
    return cython.cast(cython.p_longlong, cells(array, NPY_INT64, writable))


@cython.cfunc
@cython.exceptval(check=True)
def bytes_of(array: object, kind: cython.int, writable: cython.bint = False) -> cython.p_uchar:
    return cython.cast(cython.p_uchar, cells(array, kind, writable))


@cython.cfunc
@cython.exceptval(check=True)
def room_for(size: cython.size_t) -> cython.p_void:
    """Memory of the loop's own, to be freed by it."""
    found = malloc(size if size > 0 else 1)
    if not found:
        raise MemoryError
    return found


@cython.cfunc
@cython.exceptval(-1)
def outside(number: cython.longlong, size: cython.longlong) -> cython.int:
    raise IndexError(f"number {number} is outside 0..{size - 1}")


# ---- the best few of many: a heap whose root is the worst of those kept


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def behind(one: Ranked, other: Ranked) -> cython.bint:
    """Less, or equal and later."""
    return one.score < other.score or (one.score == other.score and one.place > other.place)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def sink(heap: cython.pointer(Ranked), size: cython.Py_ssize_t, at: cython.Py_ssize_t) -> cython.void:
    moved: Ranked = heap[at]
    child: cython.Py_ssize_t
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and behind(heap[child + 1], heap[child]):
            child += 1
        if not behind(heap[child], moved):
            break
        heap[at] = heap[child]
        at = child
    heap[at] = moved


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def heapify(best: cython.pointer(Best)) -> cython.void:
    at: cython.Py_ssize_t = best.size // 2
    while at > 0:
        at -= 1
        sink(best.heap, best.size, at)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def offer(best: cython.pointer(Best), score: cython.double, place: cython.int) -> cython.void:
    one: Ranked
    one.score = score
    one.place = place
    if best.size < best.most:
        best.heap[best.size] = one
        best.size += 1
        if best.size == best.most:
            heapify(best)
    elif best.most and behind(best.heap[0], one):
        best.heap[0] = one
        sink(best.heap, best.size, 0)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def in_order(best: cython.pointer(Best)) -> cython.void:
    """Turns the heap into a list, best first."""
    size: cython.Py_ssize_t = best.size
    worst: Ranked
    if size < best.most:
        heapify(best)
    while size > 1:
        worst = best.heap[0]
        size -= 1
        best.heap[0] = best.heap[size]
        best.heap[size] = worst
        sink(best.heap, size, 0)


# ---- links


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


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def product(one: cython.p_float, other: cython.p_float, width: cython.longlong) -> cython.float:
    total: cython.float = 0
    part: cython.longlong
    for part in range(width):
        total += one[part] * other[part]
    return total


def products(vectors, items, vector, out):
    """Inner products of some rows with one vector; rows that are not there count nothing."""
    table: cython.p_float = floats(vectors)
    named: cython.p_int = ints(items)
    against: cython.p_float = floats(vector)
    answers: cython.p_float = floats(out, True)
    width: cython.Py_ssize_t = length(vector)
    at: cython.Py_ssize_t
    if length(items) != length(out):
        raise ValueError("one result per item is needed")
    if width <= 0 or length(vectors) % width:
        raise ValueError("the vector does not fit the rows")
    rows_here: cython.Py_ssize_t = length(vectors) // width
    for at in range(length(items)):
        if named[at] < 0 or named[at] >= rows_here:
            answers[at] = 0
        else:
            answers[at] = product(table + cython.cast(cython.longlong, named[at]) * width, against, width)


def folded(vectors, items, weights, gram, ridge: cython.double, unobserved: cython.double, out):
    """A person's vector by one solve; returns how many of the items there is a vector of."""
    table: cython.p_float = floats(vectors)
    named: cython.p_int = ints(items)
    heavy: cython.p_float = floats(weights)
    common: cython.p_float = floats(gram)
    answer: cython.p_float = floats(out, True)
    width: cython.Py_ssize_t = length(out)
    if width <= 0 or length(vectors) % width or length(gram) != width * width:
        raise ValueError("the vectors, the gram and the result do not fit")
    if length(items) != length(weights):
        raise ValueError("one weight per item is needed")
    rows_here: cython.Py_ssize_t = length(vectors) // width
    used: cython.Py_ssize_t = 0
    behaved: cython.Py_ssize_t = 0
    system: cython.p_float = cython.cast(
        cython.p_float, room_for((width * width + width) * cython.sizeof(cython.float))
    )
    right: cython.p_float = system + width * width
    row: cython.p_float
    line: cython.p_float
    part: cython.float
    at: cython.Py_ssize_t
    i: cython.Py_ssize_t
    j: cython.Py_ssize_t
    try:
        memcpy(system, common, width * width * cython.sizeof(cython.float))
        memset(right, 0, width * cython.sizeof(cython.float))
        for at in range(length(items)):
            if named[at] < 0 or named[at] >= rows_here or not heavy[at] > 0:
                continue
            row = table + cython.cast(cython.longlong, named[at]) * width
            used += 1
            if row[0] == 0:
                continue  # nobody touched it: its vector is nothing
            behaved += 1
            for i in range(width):  # the upper half is enough
                part = heavy[at] * row[i]
                line = system + i * width
                right[i] += part
                for j in range(i, width):
                    line[j] += part * row[j]
        if behaved:
            part = cython.cast(cython.float, ridge * (used + unobserved))
            for i in range(width):
                system[i * width + i] += part
            if not solve(system, right, answer, width):
                raise ValueError("history: the values must be finite and not negative")
        return behaved
    finally:
        free(system)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def solve(system: cython.p_float, right: cython.p_float, out: cython.p_float, width: cython.Py_ssize_t) -> cython.bint:
    """Cholesky by rows, system = U' U, and the first half of the solution with it; whether there was one."""
    line: cython.p_float
    below: cython.p_float
    root: cython.float
    part: cython.float
    total: cython.float
    k: cython.Py_ssize_t
    i: cython.Py_ssize_t
    j: cython.Py_ssize_t
    for k in range(width):
        line = system + k * width
        if not line[k] > 0 or not isfinite(line[k]):
            return False
        root = 1 / sqrtf(line[k])
        for j in range(k, width):
            line[j] *= root
        right[k] *= root
        for i in range(k + 1, width):
            part = line[i]
            below = system + i * width
            right[i] -= part * right[k]
            for j in range(i, width):
                below[j] -= part * line[j]
    for k in range(width - 1, -1, -1):
        total = right[k]
        line = system + k * width
        for j in range(k + 1, width):
            total -= line[j] * out[j]
        out[k] = total / line[k]
    return True


# ---- candidates


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


# ---- visits like this one (VMIS-kNN: Kersbergen et al., SIGMOD 2022)


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


# ---- columns


def rows(column, items, out):
    """A learned column for some items; 0 for those that came after it."""
    values: cython.p_float = floats(column)
    named: cython.p_int = ints(items)
    answers: cython.p_float = floats(out, True)
    size: cython.Py_ssize_t = length(column)
    at: cython.Py_ssize_t
    if length(items) != length(out):
        raise ValueError("one result per item is needed")
    for at in range(length(items)):
        answers[at] = values[named[at]] if 0 <= named[at] < size else 0


def scaled(scores, out):
    """Divided by the largest magnitude."""
    told: cython.p_float = floats(scores)
    answers: cython.p_float = floats(out, True)
    top: cython.float = 0
    at: cython.Py_ssize_t
    if length(scores) != length(out):
        raise ValueError("one result per score is needed")
    for at in range(length(scores)):
        if fabsf(told[at]) > top or isnan(told[at]):
            top = fabsf(told[at])
    for at in range(length(scores)):
        answers[at] = told[at] / top if top > 0 else told[at]


def faded(times, items, now: cython.double, half_life: cython.double, out):
    """1 now and later, a half one half-life before."""
    when: cython.p_double = cython.cast(cython.p_double, cells(times, NPY_DOUBLE, False))
    named: cython.p_int = ints(items)
    answers: cython.p_float = floats(out, True)
    size: cython.Py_ssize_t = length(times)
    at: cython.Py_ssize_t
    if length(items) != length(out):
        raise ValueError("one result per item is needed")
    if not half_life > 0:
        raise ValueError("a half-life must be positive")
    for at in range(length(items)):
        if named[at] < 0 or named[at] >= size:
            outside(named[at], size)
        answers[at] = exp2f(cython.cast(cython.float, fmin(when[named[at]] - now, 0) / half_life))


def spaced(columns: list, most: tuple, limit: cython.Py_ssize_t, within_out, beyond_out):
    """The first places that keep every column's code within its bound, and those passed over; returns how many each."""
    chosen: cython.p_int = ints(within_out, True)
    passed: cython.p_int = ints(beyond_out, True)
    codes: cython.p_int[8]
    bounds: cython.Py_ssize_t[8]
    many: cython.Py_ssize_t = len(columns)
    column: cython.Py_ssize_t
    if many > 8 or many != len(most):
        raise ValueError("up to eight columns are needed, and a bound for each")
    size: cython.Py_ssize_t = length(columns[0]) if many else 0
    for column in range(many):
        codes[column] = ints(columns[column])
        bounds[column] = most[column]
        if length(columns[column]) != size:
            raise ValueError("the columns need one length")
    if limit < 0 or length(within_out) < limit or length(beyond_out) < size:
        raise ValueError("the results need room")
    inside: cython.Py_ssize_t = 0
    beyond: cython.Py_ssize_t = 0
    place: cython.Py_ssize_t
    at: cython.Py_ssize_t
    same: cython.Py_ssize_t
    fits: cython.bint
    for place in range(size):
        if inside >= limit:
            break
        fits = True
        for column in range(many):
            if codes[column][place] < 0:
                continue  # of no kind: not held against others of none
            same = 0
            for at in range(inside):
                same += codes[column][chosen[at]] == codes[column][place]
            if same >= bounds[column]:
                fits = False
                break
        if fits:
            chosen[inside] = cython.cast(cython.int, place)
            inside += 1
        else:
            passed[beyond] = cython.cast(cython.int, place)
            beyond += 1
    return inside, beyond


# ---- matching a query


def matched(
    items: list,
    weights: list,
    factors,
    meaning,
    rarities,
    asked,
    partly: cython.bint,
    best,
    relevance,
    least,
    hits,
    found,
    said,
    certain,
):
    """The items that hold the words of a query, with what they are worth; returns how many. The boards are left clean."""
    factor: cython.p_float = floats(factors)
    means: cython.p_int = ints(meaning)
    rare: cython.p_float = floats(rarities)
    wanted: cython.p_uchar = bytes_of(asked, NPY_BOOL)
    board: cython.p_float = floats(best, True)
    worth: cython.p_float = floats(relevance, True)
    lowest: cython.p_float = floats(least, True)
    hit: cython.p_uchar = bytes_of(hits, NPY_UINT8, True)
    out_found: cython.p_int = ints(found, True)
    out_said: cython.p_float = floats(said, True)
    out_certain: cython.p_float = floats(certain, True)
    size: cython.Py_ssize_t = length(best)
    words: cython.Py_ssize_t = len(items)
    meanings: cython.Py_ssize_t = length(asked)
    needed: cython.int = 0
    one: cython.Py_ssize_t
    word: cython.Py_ssize_t
    if len(weights) != words or length(factors) != words or length(meaning) != words:
        raise ValueError("two lists of arrays are needed, and one factor and meaning per word")
    if length(relevance) != size or length(least) != size or length(hits) != size:
        raise ValueError("the boards need one length")
    if length(rarities) != meanings or meanings >= 100:
        raise ValueError("one rarity per meaning is needed")
    if length(said) != length(found) or length(certain) != length(found):
        raise ValueError("the results need one length")
    for one in range(meanings):
        needed += wanted[one]
    for word in range(words):
        if means[word] < 0 or means[word] >= meanings:
            raise ValueError("no such meaning")
    wrong: cython.bint = False
    for one in range(meanings):
        for word in range(words):  # first the best word of every item
            if means[word] == one and not wrong:
                wrong = not note_best(items[word], weights[word], factor[word], board, size)
        for word in range(words):  # then what it is worth
            if means[word] == one and not wrong:
                note_worth(items[word], rare[one], wanted[one] != 0, board, worth, lowest, hit)
    count: cython.Py_ssize_t = 0
    item: cython.Py_ssize_t = 0
    whole: cython.bint
    eight: cython.ulonglong
    while item < size:  # in the order of their numbers
        if item + 8 <= size:
            memcpy(cython.address(eight), hit + item, 8)
            if eight == 0:
                item += 8
                continue
        if hit[item]:
            whole = (hit[item] & 127) == needed
            if (worth[item] > 0 if partly else whole) and count < length(found):
                out_found[count] = cython.cast(cython.int, item)
                out_said[count] = worth[item]
                out_certain[count] = lowest[item] if whole else 0
                count += 1
            hit[item] = 0
            worth[item] = 0
        item += 1
    if wrong:
        memset(board, 0, size * cython.sizeof(cython.float))
        raise IndexError("a word stands in an item there is not")
    return count


@cython.cfunc
@cython.exceptval(check=True)
def note_best(
    items: object, weights: object, factor: cython.float, board: cython.p_float, size: cython.Py_ssize_t
) -> cython.bint:
    """False where an item is none."""
    named: cython.p_int = ints(items)
    told: cython.p_float = floats(weights)
    at: cython.Py_ssize_t
    worth: cython.float
    if length(items) != length(weights):
        return False
    for at in range(length(items)):
        if named[at] < 0 or named[at] >= size:
            return False
        worth = factor * told[at]
        if worth > board[named[at]]:
            board[named[at]] = worth
    return True


@cython.cfunc
@cython.exceptval(check=True)
def note_worth(
    items: object,
    rarity: cython.float,
    asked: cython.bint,
    board: cython.p_float,
    worth: cython.p_float,
    lowest: cython.p_float,
    hit: cython.p_uchar,
) -> cython.int:
    named: cython.p_int = ints(items)
    at: cython.Py_ssize_t
    item: cython.int
    for at in range(length(items)):
        item = named[at]
        if board[item] <= 0:
            continue
        worth[item] += rarity * board[item]
        if asked:
            if not (hit[item] & 127) or board[item] <= lowest[item]:
                lowest[item] = board[item]
            hit[item] += 1
        hit[item] |= 128  # touched
        board[item] = 0
    return 0


# ---- walking a graph of near neighbours (HNSW) as hnswlib 0.8 wrote it, where it lies in a mapped file


def upper_links(file, begin: cython.longlong, places):
    """Where each row's upper links lie, -1 where it has none; returns where the file should end, -1 where it is too
    short."""
    data: cython.p_uchar = bytes_of(file, NPY_UINT8)
    out: cython.p_longlong = longs(places, True)
    ends: cython.longlong = length(file)
    at: cython.longlong = begin
    row: cython.Py_ssize_t
    rows_here: cython.Py_ssize_t = length(places)
    size: cython.uint = 0
    with cython.nogil:
        for row in range(rows_here):
            if at < 0 or at + 4 > ends:
                at = -1
                break
            memcpy(cython.address(size), data + at, 4)
            at += 4
            out[row] = at if size else -1
            at = -1 if at + size > ends else at + size
    return at


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def rise(heap: cython.pointer(Near), at: cython.longlong, sign: cython.float) -> cython.void:
    moved: Near = heap[at]
    while at and sign * heap[(at - 1) // 2].score < sign * moved.score:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = moved


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def drop(heap: cython.pointer(Near), size: cython.longlong, sign: cython.float) -> Near:
    """Take the root out of a heap of `size`; the caller counts one less."""
    root: Near = heap[0]
    moved: Near = heap[size - 1]
    at: cython.longlong = 0
    child: cython.longlong
    size -= 1
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and sign * heap[child + 1].score > sign * heap[child].score:
            child += 1
        if sign * heap[child].score <= sign * moved.score:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = moved
    return root


@cython.cclass
class _Graph:
    """A mapped graph: every number out of its file is checked before it is followed."""

    data: cython.p_uchar
    size: cython.longlong
    begin: cython.longlong
    stride: cython.longlong
    vector: cython.longlong
    rows: cython.longlong
    codes: cython.pointer(cython.short)
    """Vectors in whole numbers, row by row: half the memory to wait for, and sums that every processor takes eight at a
    time."""
    query: cython.pointer(cython.short)
    width: cython.longlong
    labels: cython.p_int
    allowed: cython.p_uchar
    known: cython.longlong
    touched: cython.uint

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def may(self, row: cython.longlong) -> cython.bint:
        """Whether a row may be found; a label that nobody has a word on may not."""
        label: cython.int = self.labels[row]
        return not self.allowed or (label >= 0 and label < self.known and self.allowed[label] != 0)

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def touch(self, row: cython.longlong) -> cython.void:
        """Ask for a vector's memory before it is read: requests for many wait beside each other, not in turn."""
        at: cython.pointer(cython.short) = self.codes + row * self.width
        part: cython.longlong
        for part in range(0, self.width, 32):
            self.touched += at[part]

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def score(self, row: cython.longlong) -> cython.float:
        at: cython.pointer(cython.short) = self.codes + row * self.width
        total: cython.int = 0
        part: cython.longlong
        for part in range(self.width):
            total += cython.cast(cython.int, at[part]) * self.query[part]
        return total

    @cython.cfunc
    @cython.exceptval(-1)
    def links(self, at: cython.longlong, most: cython.longlong) -> cython.int:
        """How many links stand at a place; they follow it."""
        count: cython.ushort = 0
        memcpy(cython.address(count), self.data + at, 2)
        if count > most:
            raise ValueError("a row has more links than it may")
        others: cython.p_int = cython.cast(cython.p_int, self.data + at + 4)
        one: cython.int
        for one in range(count):
            if others[one] < 0 or others[one] >= self.rows:
                outside(others[one], self.rows)
        return count

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def others(self, at: cython.longlong) -> cython.p_int:
        return cython.cast(cython.p_int, self.data + at + 4)


def walk(file, places, shape, codes, query, wide: cython.longlong, labels, allowed, found, scores):
    """The rows nearest to `query` by inner product, best first; returns how many were found. Malkov and Yashunin 2020,
    algorithms 2 and 5. `shape`: where rows begin, bytes of a row, where its vector begins, bytes of one upper list, the
    row to begin at, the number of upper levels. `codes` [rows x width] and `query` are whole numbers, small enough for
    every sum of `width` products to be one of 32 bits. `labels` [rows] are what is told,
    those `allowed` alone (None: all). The way leads over everything, and whatever was met on it may be found: not only the
    `wide` best it goes on from."""
    told: cython.p_longlong = longs(shape)
    upper: cython.p_longlong = longs(places)
    out_found: cython.p_int = ints(found, True)
    out_scores: cython.p_float = floats(scores, True)
    graph: _Graph = _Graph.__new__(_Graph)
    graph.data, graph.size = bytes_of(file, NPY_UINT8), length(file)
    graph.codes, graph.query, graph.width = shorts(codes), shorts(query), length(query)
    graph.rows = length(places)
    if length(shape) != 6 or wide <= 0 or length(found) != length(scores) or length(labels) != length(places):
        raise ValueError("the results need room, and every row a label")
    graph.begin, graph.stride, graph.vector = told[0], told[1], told[2]
    above: cython.longlong = told[3]
    now: cython.longlong = told[4]
    if (
        graph.begin < 0 or graph.vector < 4 or above < 4 or graph.rows <= 0
        or graph.stride < graph.vector or graph.begin + graph.rows * graph.stride > graph.size
        or length(codes) != graph.rows * graph.width
    ):  # fmt: skip
        raise ValueError("the graph does not fit its file")
    if now < 0 or now >= graph.rows:
        outside(now, graph.rows)
    level: cython.longlong
    at: cython.longlong
    one: cython.int
    score: cython.float = graph.score(now)
    other: cython.float
    moved: cython.bint
    others: cython.p_int
    for level in range(told[5], 0, -1):
        moved = True
        while moved:
            moved = False
            if upper[now] < 0 or upper[now] + level * above > graph.size:
                raise ValueError("links beyond the graph's file")
            at = upper[now] + (level - 1) * above
            others = graph.others(at)
            for one in range(graph.links(at, (above - 4) // 4)):
                other = graph.score(others[one])
                if other > score:
                    score = other
                    now = others[one]
                    moved = True
    graph.labels, graph.allowed, graph.known = ints(labels), cython.cast(cython.p_uchar, 0), 0
    if allowed is not None:
        graph.allowed, graph.known = bytes_of(allowed, NPY_BOOL), length(allowed)
    return _walk_below(graph, now, score, wide, out_found, out_scores, length(found))


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def among_best(heap: cython.pointer(Near), kept: cython.longlong, most: cython.longlong, one: Near) -> cython.longlong:
    """Put one into a heap of at most `most`, the worst on top; returns how many it holds then."""
    if kept == most:
        if not most or one.score <= heap[0].score:
            return kept
        drop(heap, kept, -1)
        kept -= 1
    heap[kept] = one
    rise(heap, kept, -1)
    return kept + 1


@cython.cfunc
def _walk_below(
    graph: _Graph,
    now: cython.longlong,
    score: cython.float,
    wide: cython.longlong,
    found: cython.p_int,
    scores: cython.p_float,
    wanted: cython.longlong,
) -> object:
    """The ground level: the best `wide` met so far, those whose neighbours were not looked at yet, and what is found."""
    most: cython.longlong = (graph.vector - 4) // 4
    room: cython.longlong = 4 * wide + 1024
    seen: cython.p_uchar = cython.cast(cython.p_uchar, room_for(graph.rows // 8 + 1))
    best: cython.pointer(Near) = cython.cast(cython.pointer(Near), 0)  # the worst of the best on top
    ahead: cython.pointer(Near) = cython.cast(cython.pointer(Near), 0)  # the best of those ahead on top
    taken: cython.pointer(Near) = cython.cast(cython.pointer(Near), 0)  # the worst of those to be found on top
    larger: cython.pointer(Near)
    waiting: cython.longlong = 1
    kept: cython.longlong = 1
    told: cython.longlong = 0
    count: cython.longlong
    at: cython.longlong
    one: cython.int
    row: cython.int
    nearest: Near
    others: cython.p_int
    unseen: cython.int
    fresh: cython.p_int = cython.cast(cython.p_int, 0)
    try:
        fresh = cython.cast(cython.p_int, room_for(most * cython.sizeof(cython.int)))
        best = cython.cast(cython.pointer(Near), room_for((wide + 1) * cython.sizeof(Near)))
        taken = cython.cast(cython.pointer(Near), room_for((wanted + 1) * cython.sizeof(Near)))
        ahead = cython.cast(cython.pointer(Near), room_for(room * cython.sizeof(Near)))
        memset(seen, 0, graph.rows // 8 + 1)
        nearest.score, nearest.row = score, cython.cast(cython.int, now)
        best[0] = ahead[0] = nearest
        if graph.may(now):
            told = among_best(taken, 0, wanted, nearest)
        seen[now >> 3] |= 1 << (now & 7)
        while waiting:
            nearest = drop(ahead, waiting, 1)
            waiting -= 1
            if kept == wide and nearest.score < best[0].score:
                break
            at = graph.begin + nearest.row * graph.stride
            others = graph.others(at)
            unseen = 0
            for one in range(graph.links(at, most)):
                row = others[one]
                if not seen[row >> 3] & (1 << (row & 7)):
                    seen[row >> 3] |= 1 << (row & 7)
                    fresh[unseen] = row
                    unseen += 1
                    graph.touch(row)
            for one in range(unseen):
                nearest.row = fresh[one]
                nearest.score = graph.score(nearest.row)
                if graph.may(nearest.row):
                    told = among_best(taken, told, wanted, nearest)
                if kept == wide and nearest.score <= best[0].score:
                    continue
                if waiting == room:
                    room *= 2
                    larger = cython.cast(cython.pointer(Near), realloc(ahead, room * cython.sizeof(Near)))
                    if not larger:
                        raise MemoryError
                    ahead = larger
                ahead[waiting] = nearest
                rise(ahead, waiting, 1)
                waiting += 1
                kept = among_best(best, kept, wide, nearest)
        count = told
        while count:
            nearest = drop(taken, count, -1)
            count -= 1
            found[count] = graph.labels[nearest.row]
            scores[count] = nearest.score
        return told
    finally:
        free(fresh)
        free(seen)
        free(best)
        free(taken)
        free(ahead)


# ---- rows of alternating least squares, by conjugate gradients (app/learning/als.py)

KEPT_ROWS = cython.declare(cython.longlong, 2048)
"""So many rows of a table are copied beside each other; the others are read where they lie."""


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def als_row(
    columns: cython.p_int,
    values: cython.p_float,
    count: cython.longlong,
    table: cython.p_float,
    spectrum: cython.p_float,
    x: cython.p_float,
    width: cython.longlong,
    ridge: cython.float,
    steps: cython.longlong,
    room: cython.p_float,
) -> cython.void:
    r: cython.p_float = room
    p: cython.p_float = room + width
    ap: cython.p_float = room + 2 * width
    diagonal: cython.p_float = room + 3 * width
    inverse: cython.p_float = room + 4 * width
    near: cython.p_float = room + 5 * width
    row: cython.p_float
    at: cython.longlong
    j: cython.longlong
    step: cython.longlong
    value: cython.float
    dot: cython.float
    rz: cython.float = 0
    pap: cython.float
    alpha: cython.float
    following: cython.float
    for j in range(width):
        diagonal[j] = spectrum[j] + ridge
        r[j] = -diagonal[j] * x[j]
        inverse[j] = diagonal[j]
    for at in range(count):
        row = table + cython.cast(cython.longlong, columns[at]) * width
        value = values[at]
        if at < KEPT_ROWS:
            memcpy(near + at * width, row, width * cython.sizeof(cython.float))
        dot = value * (1 - product(row, x, width))
        for j in range(width):
            r[j] += dot * row[j]
            inverse[j] += value * row[j] * row[j]
    for j in range(width):
        inverse[j] = 1 / inverse[j]
        p[j] = inverse[j] * r[j]
        rz += r[j] * p[j]
    for step in range(steps):
        if not rz > 1e-20:
            break
        for j in range(width):
            ap[j] = diagonal[j] * p[j]
        for at in range(count):
            row = near + at * width if at < KEPT_ROWS else table + cython.cast(cython.longlong, columns[at]) * width
            dot = product(row, p, width) * values[at]
            for j in range(width):
                ap[j] += dot * row[j]
        pap = product(p, ap, width)
        alpha = rz / pap
        following = 0
        for j in range(width):
            x[j] += alpha * p[j]
            r[j] -= alpha * ap[j]
            following += r[j] * r[j] * inverse[j]
        alpha = following / rz
        rz = following
        for j in range(width):
            p[j] = inverse[j] * r[j] + alpha * p[j]


def als_rows(
    starts,
    columns,
    values,
    table,
    spectrum,
    solved,
    first: cython.longlong,
    stop: cython.longlong,
    ridge: cython.double,
    unobserved: cython.double,
    steps: cython.longlong,
):
    """Solve rows first..stop of one half step; lets other threads run."""
    begin: cython.p_longlong = longs(starts)
    named: cython.p_int = ints(columns)
    told: cython.p_float = floats(values)
    other: cython.p_float = floats(table)
    common: cython.p_float = floats(spectrum)
    out: cython.p_float = floats(solved, True)
    width: cython.longlong = length(spectrum)
    row: cython.longlong
    at: cython.longlong
    count: cython.longlong
    longest: cython.longlong = 0
    if width <= 0 or length(table) % width or length(solved) != (length(starts) - 1) * width:
        raise ValueError("the table, the spectrum and the results do not fit")
    held_together(starts, columns, values, first, stop, length(table) // width)
    for row in range(first, stop):
        longest = max(longest, begin[row + 1] - begin[row])
    room: cython.p_float = cython.cast(
        cython.p_float, room_for((5 + min(longest, KEPT_ROWS)) * width * cython.sizeof(cython.float))
    )
    with cython.nogil:
        for row in range(first, stop):
            count = begin[row + 1] - begin[row]
            if count:
                als_row(
                    named + begin[row], told + begin[row], count, other, common, out + row * width, width,
                    cython.cast(cython.float, ridge * (count + unobserved)), steps, room,
                )  # fmt: skip
    free(room)


# ---- sums over people (app/learning/person_statistics.py)


@cython.cfunc
@cython.exceptval(-1)
def held_together(
    starts: object, columns: object, values: object, first: cython.longlong, stop: cython.longlong,
    size: cython.longlong,
) -> cython.int:  # fmt: skip
    """ValueError or IndexError where the rows from `first` to `stop` are not ones of a table with `size` columns."""
    begin: cython.p_longlong = longs(starts)
    named: cython.p_int = ints(columns)
    row: cython.longlong
    at: cython.longlong
    if length(columns) != length(values):
        raise ValueError("one value per column is needed")
    if first < 0 or first > stop or stop >= length(starts):
        raise ValueError("rows outside of the table")
    for row in range(first, stop):
        if begin[row] < 0 or begin[row] > begin[row + 1] or begin[row + 1] > length(columns):
            raise ValueError("a row ends before it begins")
    if first < stop:
        for at in range(begin[first], begin[stop]):
            if named[at] < 0 or named[at] >= size:
                outside(named[at], size)
    return 0


def ridge_rows(starts, columns, values, table, shared, solved):
    """The ridge solution of every row; 0 where it has none."""
    begin: cython.p_longlong = longs(starts)
    named: cython.p_int = ints(columns)
    told: cython.p_float = floats(values)
    other: cython.p_float = floats(table)
    common: cython.p_float = floats(shared)
    out: cython.p_float = floats(solved, True)
    people: cython.longlong = length(starts) - 1
    if people < 0 or length(solved) % max(people, 1):
        raise ValueError("one start per row, and one for the end, is needed")
    width: cython.longlong = length(solved) // people if people else 1
    if width <= 0 or length(table) % width or length(shared) != width * width:
        raise ValueError("the table, the shared part and the results do not fit")
    held_together(starts, columns, values, 0, people, length(table) // width)
    system: cython.p_float = cython.cast(
        cython.p_float, room_for((width * width + width) * cython.sizeof(cython.float))
    )
    right: cython.p_float = system + width * width
    row: cython.p_float
    line: cython.p_float
    part: cython.float
    value: cython.float
    person: cython.longlong
    at: cython.longlong
    i: cython.longlong
    j: cython.longlong
    with cython.nogil:
        for person in range(people):
            if begin[person] == begin[person + 1]:
                memset(out + person * width, 0, width * cython.sizeof(cython.float))
                continue
            memcpy(system, common, width * width * cython.sizeof(cython.float))
            memset(right, 0, width * cython.sizeof(cython.float))
            for at in range(begin[person], begin[person + 1]):
                row = other + cython.cast(cython.longlong, named[at]) * width
                value = told[at]
                for i in range(width):  # the upper half is enough
                    part = row[i]
                    line = system + i * width
                    right[i] += value * part
                    for j in range(i, width):
                        line[j] += part * row[j]
            if not solve(system, right, out + person * width, width):
                memset(out + person * width, 0, width * cython.sizeof(cython.float))
    free(system)


def squares_by_row(starts, columns, weights, values, units, left, right):
    """Adds up the columns' units by row: w u u' as a triangle to `left`, w y u to `right`."""
    begin: cython.p_longlong = longs(starts)
    named: cython.p_int = ints(columns)
    heavy: cython.p_float = floats(weights)
    told: cython.p_float = floats(values)
    unit: cython.p_double = doubles(units)
    squares: cython.p_double = doubles(left, True)
    sums: cython.p_double = doubles(right, True)
    items: cython.longlong = length(starts) - 1
    if items < 0 or length(right) % max(items, 1):
        raise ValueError("one start per row, and one for the end, is needed")
    width: cython.longlong = length(right) // items if items else 1
    entries: cython.longlong = width * (width + 1) // 2
    if width <= 0 or length(units) % width or length(left) != items * entries or length(weights) != length(values):
        raise ValueError("the units, the weights and the sums do not fit")
    held_together(starts, columns, values, 0, items, length(units) // width)
    one: cython.p_double
    line: cython.p_double
    weight: cython.double
    value: cython.double
    part: cython.double
    item: cython.longlong
    at: cython.longlong
    i: cython.longlong
    j: cython.longlong
    with cython.nogil:
        for item in range(items):
            for at in range(begin[item], begin[item + 1]):
                one = unit + cython.cast(cython.longlong, named[at]) * width
                weight = heavy[at]
                value = weight * told[at]
                line = squares + item * entries
                for i in range(width):
                    sums[item * width + i] += value * one[i]
                    part = weight * one[i]
                    for j in range(i, width):
                        line[j - i] += part * one[j]
                    line += width - i
