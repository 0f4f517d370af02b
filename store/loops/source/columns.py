"""Columns of items, looked up and added up."""

import cython
from cython.cimports.libc.math import exp2f, fabsf, fmin, isnan
from cython.cimports.numpy import NPY_DOUBLE

from store.loops.source.arguments import cells, floats, ints, length, outside


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
