"""Taste segments: groups of products that the same people like, and from them groups of visitors.

Learned of the catalogue and of what was released already (item vectors, popularity), so it costs no privacy budget. Who
belongs where is not learned and not stored: it follows from a visitor's own affinities when they ask
(`membership`), and is gone with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.learning.segment_names import distinguishing, key_of, name_of
from store.affinities import AFFINITY_KINDS
from store.catalogue import Catalogue
from store.price_bands import BANDS
from store.records import Floats, Ints

ROUNDS = 30
"""Of k-means, at most; it stops earlier when nothing moves."""
TRIES = 5
SAMPLE = 20_000
"""Items that find the centres, at most."""
PRICE_WEIGHT = 0.5
"""How much dear or cheap counts beside what is liked by the same people, and what is alike by its words."""
SAME = 0.3
"""From this overlap on (Jaccard, items weighted as below) a segment is the one of the last training."""
NONE = -1


@dataclass(frozen=True)
class Known:
    """A segment of the training before."""

    key: str
    name: str


@dataclass(frozen=True)
class Segments:
    """What was found: a label per item, and of each segment key, name and what distinguishes it."""

    labels: NDArray[np.int16]
    """[items]; -1 for what is sold out, hidden or sensitive."""
    known: list[Known]
    terms: list[list[str]]
    """The affinity keys that are most its own, most distinguishing first."""
    keys: list[str]
    """Affinity keys that say something of where a visitor belongs."""
    table: Floats
    """[keys, segments]: of the products with a key, which part lies in each segment, times what the key says at all:
    a price decile that is met everywhere alike says nothing."""


def learn(
    catalogue: Catalogue, vectors: Sequence[Floats | None], popularity: Floats | None, *, most: int, seed: int,
    before: tuple[NDArray[np.int16], list[Known]] | None = None,
) -> Segments | None:  # fmt: skip
    """Segments of what may be shown, at most `most`; None where the catalogue is too small to have any.

    `vectors`: of each kind [items, d] or None (tastes, content); rows of zeros say nothing. `before`: labels and
    segments of the last training, whose keys and names go on where they are met again.
    """
    rows = np.flatnonzero(catalogue.servable & ~catalogue.sensitive).astype(np.int32)
    count = min(most, len(rows) // 4)
    if count < 2:
        return None
    weights = _weights(popularity, rows)
    space = _space(catalogue, vectors, rows)
    start = None if before is None else _centres_before(space, weights, before[0], rows, count)
    found = _cluster(space, weights, count, seed, start)
    labels = np.full(catalogue.size, NONE, np.int16)
    labels[rows] = found
    keys, table, shares = _tables(catalogue, rows, found, weights, count)
    terms = [distinguishing(keys, shares[:, number], shares.sum(axis=1)) for number in range(count)]
    known = _recognized(labels, catalogue.size, weights, rows, count, before)
    return Segments(labels, _named(known, terms), terms, keys, table)


def by_category(catalogue: Catalogue, vectors: Floats) -> Floats:
    """Each item's vector as the mean of its category's; zeros, which say nothing, where it has none.

    Under differential privacy the vectors of single products are mostly noise; those of whole categories are not.
    """
    known = vectors[: catalogue.size]
    codes = catalogue.category[: len(known)]
    told = codes >= 0
    size = int(codes.max(initial=NONE)) + 1
    sums = np.zeros((size, known.shape[1]))
    np.add.at(sums, codes[told], known[told])
    means = sums / np.maximum(np.bincount(codes[told], minlength=size), 1)[:, None]
    pooled = np.zeros_like(vectors)
    pooled[np.flatnonzero(told)] = means[codes[told]]
    return pooled


def _weights(popularity: Floats | None, rows: Ints) -> Floats:
    """What many buy decides more about where the borders lie: 1 + ln(1 + buyers)."""
    counts = np.zeros(len(rows), np.float32)
    if popularity is not None:
        known = rows < len(popularity)
        counts[known] = np.maximum(popularity[rows[known]], 0)
    return 1 + np.log1p(counts)


def _space(catalogue: Catalogue, vectors: Sequence[Floats | None], rows: Ints) -> Floats:
    """Where items lie: directions of each kind of vector, and cheap or dear for their kind."""
    parts = []
    for kind in vectors:
        if kind is None:
            continue
        part = np.zeros((len(rows), kind.shape[1]), np.float32)
        known = rows < len(kind)
        part[known] = kind[rows[known]]
        part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-9)
        parts.append(part)
    band = catalogue.band.take(rows).astype(np.float32)
    price = np.where(band >= 0, (band - (BANDS - 1) / 2) / (BANDS / 2), 0).astype(np.float32)
    return np.hstack([*parts, PRICE_WEIGHT * price[:, None]])


def _centres_before(
    space: Floats, weights: Floats, labels: NDArray[np.int16], rows: Ints, count: int
) -> Floats | None:  # fmt: skip
    """The last training's segments where they lie now: what its items are like today."""
    old = np.full(len(rows), NONE, np.int16)
    known = rows < len(labels)
    old[known] = labels[rows[known]]
    alive = [number for number in range(int(old.max(initial=NONE)) + 1) if (old == number).any()]
    if len(alive) != count:
        return None
    return np.array([np.average(space[old == number], axis=0, weights=weights[old == number]) for number in alive])


def _cluster(space: Floats, weights: Floats, count: int, seed: int, start: Floats | None) -> NDArray[np.int16]:
    """Weighted k-means from `start`, or the best of some tries from k-means++ with this seed; of a large catalogue a
    sample finds the centres."""
    random = np.random.default_rng(seed)
    some = random.choice(len(space), SAMPLE, replace=False) if len(space) > SAMPLE else slice(None)
    sample, heavy = space[some], weights[some]
    starts = [_first_centres(sample, heavy, count, random) for _ in range(TRIES)] if start is None else [start]
    tried = [_centres(sample, heavy, each) for each in starts]
    centres = min(tried, key=lambda each: each[1])[0]
    return _nearest(space, centres)[0]


def _centres(space: Floats, weights: Floats, centres: Floats) -> tuple[Floats, float]:
    """Lloyd's rounds: the centres, and how far the items are from them in all."""
    labels, left = _nearest(space, centres)
    for _ in range(ROUNDS):
        groups = [labels == number for number in range(len(centres))]
        centres = np.array([np.average(space[group], axis=0, weights=weights[group]) for group in groups])
        moved, left = _nearest(space, centres)
        if (moved == labels).all():
            break
        labels = moved
    return centres, float(weights @ left)


def _nearest(space: Floats, centres: Floats) -> tuple[NDArray[np.int16], Floats]:
    """The nearest centre of every item, and how far it is, squared; no centre is left without one."""
    distances = (centres**2).sum(axis=1) - 2 * space @ centres.T
    labels = distances.argmin(axis=1).astype(np.int16)
    nearest = distances[np.arange(len(space)), labels] + (space**2).sum(axis=1)
    for empty in np.setdiff1d(np.arange(len(centres)), labels):
        farthest = int(nearest.argmax())
        labels[farthest], nearest[farthest] = empty, 0
    return labels, nearest


def _first_centres(space: Floats, weights: Floats, count: int, random: np.random.Generator) -> Floats:
    """k-means++ (Arthur & Vassilvitskii, 2007)."""
    chosen = [int(random.choice(len(space), p=weights / weights.sum()))]
    nearest = np.full(len(space), np.inf)
    for _ in range(count - 1):
        nearest = np.minimum(nearest, ((space - space[chosen[-1]]) ** 2).sum(axis=1))
        chances = nearest * weights
        total = chances.sum()
        chosen.append(int(random.choice(len(space), p=chances / total)) if total > 0 else len(chosen) % len(space))
    return space[chosen].astype(np.float64)


def _tables(
    catalogue: Catalogue, rows: Ints, labels: NDArray[np.int16], weights: Floats, count: int
) -> tuple[list[str], Floats, NDArray[np.float64]]:
    """Affinity keys, of each which part of its products lies in each segment, and the weights that is made of."""
    keys: list[str] = []
    masses = []
    for kind, codes in zip(AFFINITY_KINDS, catalogue.affinity_codes(rows), strict=True):
        said = codes >= 0
        found, places = np.unique(codes[said], return_inverse=True)
        mass = np.zeros((len(found), count))
        np.add.at(mass, (places, labels[said]), weights[said])
        keys += [catalogue.affinity_key(kind, code) for code in found.tolist()]
        masses.append(mass)
    shares = np.vstack(masses)
    parts = shares / shares.sum(axis=1, keepdims=True)
    entropy = -(parts * np.log(np.maximum(parts, 1e-12))).sum(axis=1)
    told = 1 - entropy / np.log(count)
    return keys, (parts * told[:, None]).astype(np.float32), shares


def _recognized(
    labels: NDArray[np.int16], size: int, weights: Floats, rows: Ints, count: int,
    before: tuple[NDArray[np.int16], list[Known]] | None,
) -> list[Known | None]:  # fmt: skip
    """Per segment the one of the last training that it is, by the largest overlap in all (Hungarian method)."""
    if before is None or not before[1]:
        return [None] * count
    old_labels, old = before
    then = np.full(size, NONE, np.int16)
    then[: min(size, len(old_labels))] = old_labels[:size]
    from scipy.optimize import linear_sum_assignment  # the training's; a server that only reads does without

    weight = np.zeros(size)
    weight[rows] = weights
    both = np.zeros((count, len(old)))
    met = (labels >= 0) & (then >= 0)
    np.add.at(both, (labels[met], then[met]), weight[met])
    mine = np.bincount(labels[labels >= 0], weight[labels >= 0], minlength=count)
    theirs = np.bincount(then[met], weight[met], minlength=len(old))
    overlap = both / np.maximum(mine[:, None] + theirs[None, :] - both, 1e-9)
    found: list[Known | None] = [None] * count
    for new, earlier in zip(*linear_sum_assignment(-overlap), strict=True):
        if overlap[new, earlier] >= SAME:
            found[new] = old[earlier]
    return found


def _named(known: list[Known | None], terms: list[list[str]]) -> list[Known]:
    """Those that were met again as they were, the others with a name that no other has."""
    keys = {each.key for each in known if each}
    names = {each.name for each in known if each}
    made = []
    for each, own in zip(known, terms, strict=True):
        if each is None:
            name = name_of(own, names)
            each = Known(key_of(name, keys), name)
            keys.add(each.key)
            names.add(each.name)
        made.append(each)
    return made
