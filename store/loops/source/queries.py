"""Matching a query, and the first of what matches."""

import cython
from cython.cimports.libc.stdlib import free
from cython.cimports.libc.string import memcpy, memset
from cython.cimports.numpy import NPY_BOOL, NPY_UINT8

from store.loops.source.arguments import bytes_of, floats, ints, length, outside, room_for
from store.loops.source.best import Best, Ranked, in_order, offer


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
    """The items that hold the words of a query, with what they are worth; returns how many. The boards are left clean.

    Meanings that are asked for come first, those that the fewest items have before the others: where all of them have to
    be met, the many items of a common word need only be looked up among the few that are left.
    """
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
    entries: cython.Py_ssize_t[100]
    spoken: cython.int[100]
    done: cython.bint[100]
    for one in range(meanings):
        entries[one] = spoken[one] = done[one] = 0
    for word in range(words):
        entries[means[word]] += length(items[word])
        spoken[means[word]] += 1
    met: cython.int = 0
    turn: cython.Py_ssize_t
    only: cython.int
    for turn in range(meanings):
        one = -1
        for word in range(meanings):
            if not done[word] and (
                one < 0 or wanted[word] > wanted[one] or (wanted[word] == wanted[one] and entries[word] < entries[one])
            ):
                one = word
        done[one] = True
        only = -1 if partly or not met else met  # items that met as many of those asked for
        for word in range(words):  # first the best word of every item
            if means[word] == one and not wrong:
                if spoken[one] == 1 and ascending(items[word], size):
                    wrong = not note_alone(
                        items[word], weights[word], factor[word], rare[one], wanted[one] != 0, only, worth, lowest, hit
                    )
                    spoken[one] = 0
                else:
                    wrong = not note_best(items[word], weights[word], factor[word], only, board, hit, size)
        for word in range(words):  # then what it is worth
            if means[word] == one and spoken[one] and not wrong:
                note_worth(items[word], rare[one], wanted[one] != 0, board, worth, lowest, hit)
        met += wanted[one]
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
def ascending(items: object, size: cython.Py_ssize_t) -> cython.bint:
    """Whether they are numbers below `size`, none of them twice."""
    named: cython.p_int = ints(items)
    count: cython.Py_ssize_t = length(items)
    at: cython.Py_ssize_t
    well: cython.int = 1
    if count == 0:
        return True
    for at in range(1, count):
        well &= named[at] > named[at - 1]
    return well and named[0] >= 0 and named[count - 1] < size


@cython.cfunc
@cython.exceptval(check=True)
def note_alone(
    items: object,
    weights: object,
    factor: cython.float,
    rarity: cython.float,
    asked: cython.bint,
    only: cython.int,
    worth: cython.p_float,
    lowest: cython.p_float,
    hit: cython.p_uchar,
) -> cython.bint:
    """The one word of a meaning, its items `ascending`. False where they have no weights."""
    named: cython.p_int = ints(items)
    told: cython.p_float = floats(weights)
    at: cython.Py_ssize_t
    item: cython.int
    value: cython.float
    if length(items) != length(weights):
        return False
    for at in range(length(items)):
        item = named[at]
        if only >= 0 and (hit[item] & 127) != only:
            continue
        value = factor * told[at]
        if value <= 0:
            continue
        worth[item] += rarity * value
        if asked:
            if not (hit[item] & 127) or value <= lowest[item]:
                lowest[item] = value
            hit[item] += 1
        hit[item] |= 128  # touched
    return True


@cython.cfunc
@cython.exceptval(check=True)
def note_best(
    items: object,
    weights: object,
    factor: cython.float,
    only: cython.int,
    board: cython.p_float,
    hit: cython.p_uchar,
    size: cython.Py_ssize_t,
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
        if only >= 0 and (hit[named[at]] & 127) != only:
            continue
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


def first_shown(items, tiers, relevance, mask, buyers, places):
    """Best first the places of matches that may be shown, by tier, then by buyers, and relevance where these are alike;
    returns how many were found, and how many may be shown. An item beyond `buyers` has none."""
    named: cython.p_int = ints(items)
    tier: cython.p_int = ints(tiers)
    worth: cython.p_float = floats(relevance)
    allowed: cython.p_uchar = bytes_of(mask, NPY_BOOL)
    bought: cython.p_float = floats(buyers)
    found: cython.p_int = ints(places, True)
    size: cython.Py_ssize_t = length(mask)
    known: cython.Py_ssize_t = length(buyers)
    count: cython.Py_ssize_t = length(items)
    shown: cython.Py_ssize_t = 0
    at: cython.Py_ssize_t
    item: cython.int
    score: cython.double
    best: Best
    if length(tiers) != count or length(relevance) != count:
        raise ValueError("one tier and one relevance per item are needed")
    for at in range(count):
        if named[at] < 0 or named[at] >= size:
            outside(named[at], size)
    best.most = length(places)
    best.size = 0
    best.heap = cython.cast(cython.pointer(Ranked), room_for(best.most * cython.sizeof(Ranked)))
    for at in range(count):
        item = named[at]
        if not allowed[item]:
            continue
        shown += 1
        score = tier[at] * 1e9 + 0.5 * worth[at]
        if item < known:
            score += bought[item]
        offer(cython.address(best), score, cython.cast(cython.int, at))
    in_order(cython.address(best))
    for at in range(best.size):
        found[at] = best.heap[at].place
    free(best.heap)
    return best.size, shown
