"""Rows of alternating least squares, by conjugate gradients (app/learning/als.py)."""

import cython
from cython.cimports.libc.stdlib import free
from cython.cimports.libc.string import memcpy

from store.loops.source.arguments import floats, ints, length, longs, room_for
from store.loops.source.people import held_together
from store.loops.source.vectors import product


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
