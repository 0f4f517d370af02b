"""Walking a graph of near neighbours (HNSW) as hnswlib 0.8 wrote it, where it lies in memory."""

import cython
from cython.cimports.libc.stdlib import free, realloc
from cython.cimports.libc.string import memcpy, memset
from cython.cimports.numpy import NPY_BOOL, NPY_UINT8

from store.loops.source.arguments import bytes_of, floats, ints, length, longs, outside, room_for, shorts

Near = cython.struct(score=cython.float, row=cython.int)


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
