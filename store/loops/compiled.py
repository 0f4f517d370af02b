"""The loops of an answer, compiled: makes room for the results and hands flat arrays to what is in `source`.

What each function means stands in plain.py. `_loops` is compiled of `source` (tools/build_loops.sh), `_wide` of the
same for processors with AVX2 and FMA, and used on them. Importing this raises ImportError where they were not built, or
not of the source that lies here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store.loops.plain import Boards, Longs, Word
from store.loops.processor import wide
from store.records import Floats, Ints, Mask

if wide():
    from store.loops import _wide as _loops
else:
    from store.loops import _loops  # type: ignore[no-redef]  # one source, compiled twice

_SOURCE = sorted(Path(__file__).with_name("source").glob("*.py"))  # not there in a frozen binary, made in one go
if _SOURCE and sha256(b"".join(path.read_bytes() for path in _SOURCE)).hexdigest() != _loops.BUILT_FROM:
    raise ImportError("store/loops/source has changed since")

_empty, _int, _float = np.empty, np.int32, np.float32
_nobody = np.empty(0, np.float32)


def followed(
    starts: NDArray[np.integer], targets: Ints, strengths: Floats, items: Ints, weights: Floats, most: int
) -> tuple[Ints, Ints, Floats]:
    room = _loops.reach(starts, items, most)
    source, found, scores = _empty(room, _int), _empty(room, _int), _empty(room, _float)
    count = _loops.followed(starts, targets, strengths, items, weights, most, source, found, scores)
    return source[:count], found[:count], scores[:count]


def summed_best(items: Ints, scores: Floats, most: int, slots: Ints) -> tuple[Ints, Floats]:
    most = min(most, len(items))
    found, sums = _empty(most, _int), _empty(most, _float)
    count = _loops.summed_best(items, scores, slots, most, found, sums)
    return found[:count], sums[:count]


def spread(members: Ints, items: Ints, scores: Floats, slots: Ints) -> Floats:
    out = _empty(len(members), _float)
    _loops.spread(members, items, scores, slots, out)
    return out


def strongest(members: Ints, items: Ints, scores: Floats, slots: Ints) -> Ints:
    out = _empty(len(members), _int)
    _loops.strongest(members, items, scores, slots, out)
    return out


def products(vectors: Floats, items: Ints, vector: Floats) -> Floats:
    out = _empty(len(items), _float)
    _loops.products(vectors, items, vector, out)
    return out


def folded(
    vectors: Floats, items: Ints, weights: Floats, gram: Floats, ridge: float, unobserved: float
) -> Floats | None:
    out = _empty(len(gram), _float)
    return out if _loops.folded(vectors, items, weights, gram, ridge, unobserved, out) else None


def in_turns(lists: Sequence[Ints], bound: int, slots: Ints) -> Ints:
    found = _empty(bound, _int)
    return found[: _loops.in_turns(list(lists), slots, found)]


def those_allowed(mask: Mask, items: Ints, most: int) -> Ints:
    found = _empty(min(most, len(items)), _int)
    return found[: _loops.those_allowed(mask, items, found)]


def best_places(scores: Floats, most: int) -> Ints:
    places = _empty(min(most, len(scores)), _int)
    _loops.best_places(scores, places)
    return places


def shares(parts: Sequence[Floats], places: Ints) -> Floats:
    out = _empty((len(parts), len(places)), _float)
    _loops.shares(list(parts), places, out)
    return out


def weighed(scores: Floats, weight: float, total: Floats) -> Floats:
    if scores.dtype != _float or not scores.flags.c_contiguous:
        scores = np.ascontiguousarray(scores, _float)
    part = _empty(len(scores), _float)
    _loops.weighed(scores, weight, total, part)
    return part


def fondness(
    affinities: Mapping[str, float],
    places: Mapping[str, int],
    sizes: tuple[int, int, int, int],
    items: Ints,
    columns: tuple[Mask, Ints, Ints, Ints, Ints],
    bands: int,
) -> Floats:
    out = _empty((4, len(items)), _float)
    _loops.fondness(affinities, places, sizes, items, *columns, bands, out)
    return out


def went_on(
    viewed: Ints, postings: tuple[Longs, Ints, Ints], sessions: tuple[Floats, Longs, Ints], nearness: Floats,
    factor: Floats, slots: tuple[Ints, Ints], bounds: tuple[int, int, int], most: int,
) -> tuple[Ints, Floats]:  # fmt: skip
    found, sums = _empty(most, _int), _empty(most, _float)
    count = _loops.went_on(viewed, *postings, *sessions, nearness, factor, *slots, *bounds, most, found, sums)
    return found[:count], sums[:count]


def rows(column: Floats, items: Ints) -> Floats:
    out = _empty(len(items), _float)
    _loops.rows(column, items, out)
    return out


def scaled(scores: Floats) -> Floats:
    if scores.dtype != _float or not scores.flags.c_contiguous:
        scores = np.ascontiguousarray(scores, _float)
    out = _empty(len(scores), _float)
    _loops.scaled(scores, out)
    return out


def faded(times: NDArray[np.float64], items: Ints, now: float, half_life: float) -> Floats:
    out = _empty(len(items), _float)
    _loops.faded(times, items, now, half_life, out)
    return out


def spaced(columns: Sequence[Ints], most: tuple[int, ...], limit: int) -> tuple[Ints, Ints]:
    within, beyond = _empty(limit, _int), _empty(len(columns[0]), _int)
    inside, outside = _loops.spaced(list(columns), most, limit, within, beyond)
    return within[:inside], beyond[:outside]


def matched(
    words: Sequence[Word], rarities: Sequence[float], asked: Sequence[bool], partly: bool, boards: Boards
) -> tuple[Ints, Floats, Floats]:
    room = min(sum(len(word.items) for word in words), len(boards.hits))
    found, said, certain = _empty(room, _int), _empty(room, _float), _empty(room, _float)
    count = _loops.matched(
        [word.items for word in words], [word.weights for word in words],
        np.array([word.factor for word in words], _float), np.array([word.meaning for word in words], _int),
        np.array(rarities, _float), np.array(asked, np.bool_), partly, boards.best, boards.relevance, boards.least,
        boards.hits, found, said, certain,
    )  # fmt: skip
    return found[:count], said[:count], certain[:count]


def first_shown(
    items: Ints, tiers: Ints, relevance: Floats, mask: Mask, buyers: Floats | None, most: int
) -> tuple[Ints, int]:
    places = _empty(min(most, len(items)), _int)
    counted = _nobody if buyers is None else np.ascontiguousarray(buyers, _float)
    found, shown = _loops.first_shown(items, tiers, relevance, mask, counted, places)
    return places[:found], shown


any_of = _loops.any_of
within = _loops.within


als_rows = _loops.als_rows
ridge_rows = _loops.ridge_rows
squares_by_row = _loops.squares_by_row
upper_links = _loops.upper_links
walk = _loops.walk
