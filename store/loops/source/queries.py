"""Matching a query."""

import cython
from cython.cimports.libc.string import memcpy, memset
from cython.cimports.numpy import NPY_BOOL, NPY_UINT8

from store.loops.source.arguments import bytes_of, floats, ints, length


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
