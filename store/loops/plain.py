"""The loops of an answer in numpy: what each of them means, and what serves where the compiled ones were not built.

`slots` is a sparse set's memory (plugins/board.py): an int32 per item of the catalogue, never cleared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from store.records import Floats, Ints, Mask

Longs: TypeAlias = NDArray[np.int64]
KIND_BITS, KIND = 2, 3
"""A place of `fondness` is code << KIND_BITS | kind."""


def followed(
    starts: NDArray[np.integer], targets: Ints, strengths: Floats, items: Ints, weights: Floats, most: int
) -> tuple[Ints, Ints, Floats]:
    """The first `most` entries of the rows of `items` in a sparse matrix (row r: starts[r] … starts[r + 1]): flat
    columns of the place in `items`, the target, and its strength times the item's weight. Items beyond the rows have
    none."""
    known = np.flatnonzero(items < len(starts) - 1)
    rows = items.take(known)
    begin = starts.take(rows)
    lengths = np.minimum(starts.take(rows + 1) - begin, most)
    ends = lengths.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    # Entry e of the result is entry e of row r: its place is e shifted by where the row starts and where it is put.
    places = np.repeat(begin - (ends - lengths), lengths) + np.arange(total, dtype=begin.dtype)
    source = np.repeat(known.astype(np.int32), lengths)
    return source, targets.take(places), strengths.take(places) * weights.take(source)


def summed_best(items: Ints, scores: Floats, most: int, slots: Ints) -> tuple[Ints, Floats]:
    """The distinct ones of `items` with the sum of each one's scores: the best `most` above 0, best first; of equals
    the one that came first."""
    distinct = _distinct(items, slots)
    slots[distinct] = np.arange(len(distinct), dtype=np.int32)
    sums = np.bincount(slots.take(items), scores, len(distinct)).astype(np.float32)
    order = np.argsort(-sums, kind="stable")[: min(most, int(np.count_nonzero(sums > 0)))]
    return distinct.take(order), sums.take(order)


def spread(members: Ints, items: Ints, scores: Floats, slots: Ints) -> Floats:
    """The sum of `scores` of each of the distinct `members`; `items` that are no members are left out."""
    if not len(members) or not len(items):
        return np.zeros(len(members), np.float32)
    slots[members] = np.arange(len(members), dtype=np.int32)
    places = slots.take(items)
    here = np.flatnonzero(members.take(places, mode="clip") == items)
    return np.bincount(places.take(here), scores.take(here), len(members)).astype(np.float32)


def strongest(members: Ints, items: Ints, scores: Floats, slots: Ints) -> Ints:
    """Where in `items` each of the distinct `members` has its highest score; -1 for one that is not there."""
    slots[members] = np.arange(len(members), dtype=np.int32)
    found = np.full(len(members), -1, np.int32)
    if len(members):
        places = slots.take(items)
        here = np.flatnonzero(members.take(places, mode="clip") == items)
        # Of several values for one place numpy keeps the last: the strongest, of equals the first.
        here = here[::-1].take(np.argsort(scores.take(here[::-1]), kind="stable"))
        found[places.take(here)] = here
    return found


def products(vectors: Floats, items: Ints, vector: Floats) -> Floats:
    """Inner product of each item's row with a vector; 0 for items beyond the rows."""
    known = items < len(vectors)
    if known.all():
        return vectors.take(items, axis=0) @ vector
    found = np.zeros(len(items), np.float32)
    found[known] = vectors.take(items[known], axis=0) @ vector
    return found


def in_turns(lists: Sequence[Ints], bound: int, slots: Ints) -> Ints:
    """Every item once, at most `bound`: the first of every list, then the second …"""
    items = np.concatenate(lists)
    places = np.concatenate([np.arange(len(one), dtype=np.int32) for one in lists])
    return _distinct(items.take(np.argsort(places, kind="stable")), slots)[:bound]


def those_allowed(mask: Mask, items: Ints, most: int) -> Ints:
    """The first `most` of `items` whose number the mask lets through."""
    return items.compress(mask.take(items))[:most]


def best_places(scores: Floats, most: int) -> Ints:
    """The places of the `most` highest scores, the highest first; of equals the first."""
    return np.argsort(-scores, kind="stable")[:most].astype(np.int32)


def shares(parts: Sequence[Floats], places: Ints) -> Floats:
    """A row per part: its numbers at these places, [len(parts), len(places)]."""
    return np.array([part.take(places) for part in parts], np.float32).reshape(len(parts), len(places))


def weighed(scores: Floats, weight: float, total: Floats) -> Floats:
    """`scores` times `weight`, which is added to `total` as well."""
    part = (scores * np.float32(weight)).astype(np.float32, copy=False)
    total += part
    return part


def fondness(
    affinities: Mapping[str, float],
    places: Mapping[str, int],
    sizes: tuple[int, int, int, int],
    items: Ints,
    columns: tuple[Mask, Ints, Ints, Ints, Ints],
    bands: int,
) -> Floats:
    """What affinities say of items, a row each for category, brand, band and the band within a top category.

    `columns` are hidden, category, brand, band and top category of the whole catalogue; `sizes` how many codes each
    kind has, `places` where a key lies (code << KIND_BITS | kind). Unknown keys and hidden items count nothing.
    """
    boards = [np.zeros(size + 1, np.float32) for size in sizes]
    for key, weight in affinities.items():
        place = places.get(key)
        if place is not None:
            boards[place & KIND][place >> KIND_BITS] = weight
    hidden, category, brand, band, top = (column.take(items) for column in columns)
    both = np.where(band >= 0, top * bands + band, np.int32(-1))
    found = np.empty((len(boards), len(items)), np.float32)
    for row, (board, codes) in enumerate(zip(boards, (category, brand, band, both), strict=True)):
        board.take(codes, out=found[row], mode="wrap")  # -1 wraps to the last cell, which is 0
    found[:, hidden] = 0
    return found


def alike(
    recent: Ints, postings: tuple[Longs, Ints, Ints], freshness: Floats, newest: int, most: int, slots: Ints
) -> tuple[Ints, Ints, Floats]:
    """The `most` sessions most like a visit among the `newest` that share an item with it (VMIS-kNN): their numbers,
    in each the place of the match nearest to the visit's end, and the weight of its vote.

    `recent` are the visit's items, most recent first; `postings` the sessions of each item, newest (lowest) first,
    as starts, numbers and places; `slots` an int32 per session.
    """
    starts, sessions_of, places_of = postings
    # Oldest first, so that the last entry of a session is its match nearest to the end of the visit.
    steps = [step for step in reversed(range(len(recent))) if 0 <= recent[step] < len(starts) - 1]
    entries = [slice(*starts[recent[step] : recent[step] + 2].tolist()) for step in steps]
    if not entries:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32)
    sessions = np.concatenate([sessions_of[part] for part in entries])
    positions = np.concatenate([places_of[part] for part in entries])
    step = np.repeat(np.array(steps), [part.stop - part.start for part in entries])
    # Of several values for one slot numpy keeps the last: so every entry learns which one speaks for its session.
    count = np.arange(len(sessions), dtype=np.int32)
    slots[sessions] = count
    spoken_for = slots.take(sessions)
    likeness = np.bincount(spoken_for, (len(recent) - step) / len(recent), len(sessions)).astype(np.float32)
    chosen = np.flatnonzero(spoken_for == count)
    chosen = chosen.take(np.argsort(sessions.take(chosen))[:newest])
    # Of equally similar sessions the recent one, which has the lower number.
    chosen = chosen.take(np.lexsort((sessions.take(chosen), -likeness.take(chosen)))[:most])
    sessions = sessions.take(chosen)
    nearer = np.maximum(0, 1 - 0.1 * (step.take(chosen) + 1)).astype(np.float32)
    return sessions, positions.take(chosen), likeness.take(chosen) * nearer * freshness.take(sessions)


def voted(
    neighbours: tuple[Ints, Ints, Floats], starts: Longs, clicks: Ints, nearness: Floats, factor: Floats,
    but_not: int, most: int, slots: Ints,
) -> tuple[Ints, Floats]:  # fmt: skip
    """The `most` items that sessions vote for, best first, and their sums: every click of a session counts the
    session's weight, less the further it lies from the match (`nearness`), times the item's `factor`.

    `neighbours` are what `alike` answers; `slots` an int32 per item.
    """
    sessions, matches, weights = neighbours
    begin = starts.take(sessions)
    lengths = starts.take(sessions + 1) - begin
    ends = lengths.cumsum()
    # Every click of every neighbour: whose it is, and where it lies in the index.
    of = np.repeat(np.arange(len(begin)), lengths)
    click = np.arange(int(ends[-1]) if len(ends) else 0) + (begin - ends + lengths).take(of)
    away = np.abs(click - (begin + matches).take(of))
    votes = weights.take(of) * nearness.take(away)
    every = clicks.take(click)
    items, sums = summed_best(every, votes, len(every), slots)
    others = np.flatnonzero(items != but_not)
    items = items.take(others)
    scores = sums.take(others) * factor.take(items)
    order = np.argsort(-scores, kind="stable")[:most]
    return items.take(order), scores.take(order)


def _distinct(items: Ints, slots: Ints) -> Ints:
    """`items` without repetitions, first occurrences in their order."""
    count = np.arange(len(items), dtype=np.int32)
    # Of several values for one slot numpy keeps the last, so writing backwards keeps the first occurrence.
    slots[items[::-1]] = count[::-1]
    return items.compress(slots.take(items) == count)
