"""Inner products, and a history folded in."""

import cython
from cython.cimports.libc.math import isfinite, sqrtf
from cython.cimports.libc.stdlib import free
from cython.cimports.libc.string import memcpy, memset

from store.loops.source.arguments import floats, ints, length, room_for


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
