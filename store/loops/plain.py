"""The loops of an answer in numpy: what each of them means, and what serves where the compiled ones were not built.

`slots` is a sparse set's memory (plugins/board.py): an int32 per item of the catalogue, never cleared.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from store.records import Floats, Ints, Mask

Longs: TypeAlias = NDArray[np.int64]
Doubles: TypeAlias = NDArray[np.float64]
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


def folded(
    vectors: Floats, items: Ints, weights: Floats, gram: Floats, ridge: float, unobserved: float
) -> Floats | None:
    """The vector of someone with a history, who was not there when the items' were learned (app/learning/als.py):
    solves (gram + sum of w v v' + ridge * (number of items + unobserved) * 1) x = sum of w v.

    Items beyond the rows and weights of 0 or less are left out; None where no other item has a vector. Raises
    ValueError where a weight is not finite.
    """
    usable = (items >= 0) & (items < len(vectors)) & (weights > 0)
    values, rows = weights[usable], vectors.take(items[usable], axis=0)
    if not (rows[:, 0] != 0).any():
        return None
    system = rows.T @ (rows * values[:, None]) + gram
    system.reshape(-1)[:: len(system) + 1] += np.float32(ridge * (len(values) + unobserved))
    if not np.isfinite(system).all():
        raise ValueError("history: the values must be finite and not negative")
    found: Floats = np.linalg.solve(system, values @ rows)
    return found


def in_turns(lists: Sequence[Ints], bound: int, slots: Ints) -> Ints:
    """Every item once, at most `bound`: the first of every list, then the second …"""
    items = np.concatenate(lists)
    places = np.concatenate([np.arange(len(one), dtype=np.int32) for one in lists])
    return _distinct(items.take(np.argsort(places, kind="stable")), slots)[:bound]


def those_allowed(mask: Mask, items: Ints, most: int) -> Ints:
    """The first `most` of `items` whose number the mask lets through."""
    return items.compress(mask.take(items))[:most]


def any_of(mask: Mask, items: Ints) -> bool:
    """Whether the mask holds for any of `items`; numbers beyond it do not count."""
    return bool(mask.take(items[items < len(mask)]).any())


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


def went_on(
    viewed: Ints, postings: tuple[Longs, Ints, Ints], sessions: tuple[Floats, Longs, Ints], nearness: Floats,
    factor: Floats, slots: tuple[Ints, Ints], bounds: tuple[int, int, int], most: int,
) -> tuple[Ints, Floats]:  # fmt: skip
    """The `most` items that sessions like a visit went on to, best first, and their scores (VMIS-kNN; what it means:
    app/learning/sessions.py). The visit's last item is not among them.

    `viewed` are the visit's items, newest last, of which `bounds` says how many count, how many of the newest sessions
    that share one are looked at, and how many of these vote: those most alike, of equals the newest. Every click of
    theirs counts the session's weight, less the further it lies from the shared item nearest to the visit's end
    (`nearness`), times the item's `factor`. `postings`: the sessions of each item, newest (lowest) first, as starts,
    numbers and places; `sessions`: of each its freshness and where its `clicks` start; `slots`: an int32 per session
    and per item.
    """
    last_items, newest, neighbours = bounds
    recent = list(dict.fromkeys(reversed(viewed[-last_items:].tolist())))
    chosen, matches, weights = _alike(recent, postings, sessions[0], newest, neighbours, slots[0])
    if not len(chosen):
        return np.empty(0, np.int32), np.empty(0, np.float32)
    _, starts, clicks = sessions
    begin = starts.take(chosen)
    lengths = starts.take(chosen + 1) - begin
    ends = lengths.cumsum()
    # Every click of every neighbour: whose it is, and where it lies in the index.
    of = np.repeat(np.arange(len(begin)), lengths)
    click = np.arange(int(ends[-1])) + (begin - ends + lengths).take(of)
    away = np.abs(click - (begin + matches).take(of))
    every = clicks.take(click)
    items = _distinct(every, slots[1])
    scores = spread(items, every, weights.take(of) * nearness.take(away), slots[1]) * factor.take(items)
    others = np.flatnonzero(items != recent[0])
    order = others.take(np.argsort(-scores.take(others), kind="stable")[:most])
    return items.take(order), scores.take(order)


def _alike(
    recent: list[int], postings: tuple[Longs, Ints, Ints], freshness: Floats, newest: int, most: int, slots: Ints
) -> tuple[Ints, Ints, Floats]:
    """The sessions that vote, the place of each one's match nearest to the visit's end, and what its vote weighs."""
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


def rows(column: Floats, items: Ints) -> Floats:
    """The column at these items; 0 for items beyond it."""
    if not len(column):
        return np.zeros(len(items), np.float32)
    return np.where(items < len(column), column.take(items, mode="clip"), np.float32(0))


def scaled(scores: Floats) -> Floats:
    """Scores divided by their largest magnitude; zeros stay zeros."""
    top = max(float(scores.max()), -float(scores.min())) if len(scores) else 0.0
    return scores / np.float32(top) if top > 0 else scores.astype(np.float32)


def faded(times: NDArray[np.float64], items: Ints, now: float, half_life: float) -> Floats:
    """What is left of 1 since each item's time: 1 where it is now or still to come, a half a half-life ago."""
    return np.exp2(np.minimum(times.take(items) - now, 0) / half_life).astype(np.float32)


def spaced(columns: Sequence[Ints], most: tuple[int, ...], limit: int) -> tuple[Ints, Ints]:
    """The first `limit` places at which no column has a code more than `most` times, and the places passed over on the
    way; a code of -1 is no code."""
    within: list[int] = []
    beyond: list[int] = []
    counts: list[dict[int, int]] = [{} for _ in columns]
    for place, codes in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        if len(within) == limit:
            break
        held = zip(codes, counts, most, strict=True)
        if any(code >= 0 and count.get(code, 0) >= bound for code, count, bound in held):
            beyond.append(place)
            continue
        for code, count in zip(codes, counts, strict=True):
            count[code] = count.get(code, 0) + 1
        within.append(place)
    return np.array(within, np.int32), np.array(beyond, np.int32)


class Word(NamedTuple):
    """A word that stands for one of the meanings asked for: the distinct items it is in, and how much it says there."""

    meaning: int
    factor: float
    items: Ints
    weights: Floats


class Boards:
    """Memory for `matched`, a cell per item: all zeros between two questions."""

    def __init__(self, size: int) -> None:
        self.best, self.relevance, self.least = (np.zeros(size, np.float32) for _ in range(3))
        self.hits = np.zeros(size, np.uint8)


def matched(
    words: Sequence[Word], rarities: Sequence[float], asked: Sequence[bool], partly: bool, boards: Boards
) -> tuple[Ints, Floats, Floats]:
    """Items that hold a word of every meaning that is `asked` for (`partly`: of any meaning), in the order of their
    numbers; the sum over meanings of rarity times the best word's weight; and the least of the best words' weights over
    the meanings asked for, 0 where one is missing."""
    size = len(boards.hits)
    best = np.zeros((len(rarities), size), np.float32)
    for word in words:
        row = best[word.meaning]
        row[word.items] = np.maximum(row[word.items], np.float32(word.factor) * word.weights)
    relevance = np.array(rarities, np.float32) @ best
    least = np.minimum.reduce(best[np.array(asked, np.bool_)])
    items = np.flatnonzero((relevance if partly else least) > 0).astype(np.int32)
    return items, relevance.take(items), least.take(items)


def first_shown(
    items: Ints, tiers: Ints, relevance: Floats, mask: Mask, buyers: Floats | None, most: int
) -> tuple[Ints, int]:
    """The places of the first `most` of matching `items` that `mask` allows, best first: by tier, then by `buyers` [by
    item number; None or beyond the end = 0], then by relevance (0 to 1); and how many are allowed."""
    shown = np.flatnonzero(mask.take(items))
    named = items.take(shown)
    bought = np.zeros(len(named))
    if buyers is not None:
        known = named < len(buyers)
        bought[known] = buyers[named[known]]
    scores = tiers.take(shown) * 1e9 + bought + 0.5 * relevance.take(shown)
    first = np.argsort(-scores, kind="stable")[:most]
    return shown.take(first).astype(np.int32), len(shown)


def within(items: Ints, size: int) -> bool:
    """Whether every one of these int32 numbers is 0 … size - 1."""
    # Seen as unsigned a negative number is a huge one: one look finds both.
    return not len(items) or int(np.maximum.reduce(items.view(np.uint32))) < size


def _distinct(items: Ints, slots: Ints) -> Ints:
    """`items` without repetitions, first occurrences in their order."""
    count = np.arange(len(items), dtype=np.int32)
    # Of several values for one slot numpy keeps the last, so writing backwards keeps the first occurrence.
    slots[items[::-1]] = count[::-1]
    return items.compress(slots.take(items) == count)


def als_rows(
    starts: Longs, columns: Ints, values: Floats, table: Floats, spectrum: Floats, solved: Floats,
    first: int, stop: int, ridge: float, unobserved: float, steps: int,
) -> None:  # fmt: skip
    """Bring the rows `first` to `stop` of `solved` [rows, d] nearer, in place, to what solves their systems

        (diag(spectrum + ridge * (count + unobserved)) + sum of w v v') x = sum of w v

    over a row's `columns` of `table` [columns, d] with `values`: so many steps of conjugate gradients, preconditioned
    by the diagonal.
    """
    for row in range(first, stop):
        entries = slice(starts[row], starts[row + 1])
        own, weights, x = table[columns[entries]], values[entries], solved[row]
        if not len(weights):
            continue
        diagonal = spectrum + np.float32(ridge * (len(weights) + unobserved))
        residual = (weights * (1 - own @ x)) @ own - diagonal * x
        inverse = 1 / (diagonal + weights @ own**2)
        direction = inverse * residual
        length = float(residual @ direction)
        for _ in range(steps):
            if length <= 1e-20:
                break
            onward = diagonal * direction + (weights * (own @ direction)) @ own
            step = length / float(direction @ onward)
            x += np.float32(step) * direction
            residual = residual - np.float32(step) * onward
            before, length = length, float((residual * inverse) @ residual)
            direction = inverse * residual + np.float32(length / before) * direction


def ridge_rows(
    starts: Longs, columns: Ints, values: Floats, table: Floats, shared: Floats, solved: Floats
) -> None:  # fmt: skip
    """Write into `solved` [rows, d] what solves each row's system

        (shared + sum of v v') x = sum of w v

    over its `columns` of `table` [columns, d] with `values`; 0 for a row that is empty or has no finite solution.
    """
    for row, (first, stop) in enumerate(pairwise(starts.tolist())):
        own = table[columns[first:stop]]
        solved[row] = 0
        if first < stop:
            with contextlib.suppress(np.linalg.LinAlgError):
                solved[row] = np.linalg.solve(shared + own.T @ own, values[first:stop] @ own)
    solved[~np.isfinite(solved).all(axis=1)] = 0


def squares_by_row(
    starts: Longs, columns: Ints, weights: Floats, values: Floats, units: Doubles, left: Doubles, right: Doubles
) -> None:  # fmt: skip
    """Add to the rows of `left` [rows, d (d + 1) / 2] the upper triangles of w u u', and to those of `right` [rows, d]
    w y u, over each row's `columns` of `units` [columns, d] with `weights` w and `values` y."""
    first, second = np.triu_indices(units.shape[1])
    for row, (begin, stop) in enumerate(pairwise(starts.tolist())):
        if begin < stop:
            own, weighed = units[columns[begin:stop]], weights[begin:stop].astype(np.float64)
            left[row] += ((own * weighed[:, None]).T @ own)[first, second]
            right[row] += (weighed * values[begin:stop]) @ own
