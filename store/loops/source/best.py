"""The best few of many: a heap whose root is the worst of those kept."""

import cython

Ranked = cython.struct(score=cython.double, place=cython.int)
Best = cython.struct(heap=cython.pointer(Ranked), size=cython.Py_ssize_t, most=cython.Py_ssize_t)


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
