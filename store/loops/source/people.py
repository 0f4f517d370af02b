"""Sums over people (app/learning/person_statistics.py)."""

import cython
from cython.cimports.libc.stdlib import free
from cython.cimports.libc.string import memcpy, memset

from store.loops.source.arguments import doubles, floats, ints, length, longs, outside, room_for
from store.loops.source.vectors import solve


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
