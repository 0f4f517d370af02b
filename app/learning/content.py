"""Give every product a vector from what it is (title, category, brand, price), so that a new one is never a stranger.

Latent semantic analysis (Deerwester et al., JASIS 1990) over hashed features: words, parts of words (so that an
unseen "lanterns" still lies near "lantern"), each step of the category path, the brand, and the price on a soft
logarithmic scale, weighted by inverse document frequency. Learned from the public catalogue alone: nothing personal.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from math import floor, log2
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from store.records import Floats, Item
from store.search_words import raw_words, singular

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_BUCKETS = 1 << 15
_TITLE, _PART, _CATEGORY, _BRAND, _PRICE = 1.0, 0.3, 1.5, 1.0, 0.5
_PART_LENGTHS = (3, 4)
# A price counts in two neighbouring steps of half an octave, nearer the closer it is: 9.90 and 10.10 are alike.
_STEPS_PER_DOUBLING = 2
_POWER_ROUNDS = 4
_SPARE_DIMENSIONS = 8


def fit(items: Sequence[Item | None], *, dimensions: int, seed: int) -> dict[str, NDArray[np.generic]]:
    """Arrays of a ContentModel and `vectors` [items, dimensions] of unit length; a missing item has a zero vector."""
    from scipy.sparse import csr_matrix  # the training's; a server does without it

    table = _table(_features(item) if item else {} for item in items)
    seen = np.bincount(table.indices, minlength=_BUCKETS)
    weights = (np.log((1 + len(items)) / (1 + seen)) + 1).astype(np.float32)
    table = _unit_rows(csr_matrix(table.multiply(weights[None, :])))
    # What no item has needs no direction: the projection is found among the buckets in use.
    used = np.flatnonzero(seen)
    projection = np.zeros((_BUCKETS, dimensions), dtype=np.float32)
    projection[used] = _principal_directions(csr_matrix(table[:, used]), dimensions, np.random.default_rng(seed))
    return {"weights": weights, "projection": projection, "vectors": _unit(table @ projection)}


class ContentModel:
    """Places any item among those the model was fitted on, new ones included."""

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self._weights: Floats = np.asarray(arrays["weights"], dtype=np.float32)
        self._projection: Floats = np.asarray(arrays["projection"], dtype=np.float32)

    def vector(self, item: Item) -> Floats:
        """The unit vector [dimensions] that `fit` gives the same item; zeros when nothing about it is known."""
        features = _features(item)
        buckets = np.fromiter(features.keys(), np.int64, len(features))
        values: Floats = np.fromiter(features.values(), np.float32, len(features)) * self._weights[buckets]
        placed: Floats = _unit((values @ self._projection[buckets])[None, :])[0]
        return placed


def _features(item: Item) -> dict[int, float]:
    """Bucket -> strength of everything that is said about an item."""
    features: dict[int, float] = {}
    for name, strength in _named(item):
        bucket = crc32(name.encode()) % _BUCKETS
        features[bucket] = features.get(bucket, 0.0) + strength
    return features


def _named(item: Item) -> Iterable[tuple[str, float]]:
    for word in raw_words(item.title):
        yield f"w {singular(word)}", _TITLE
        edged = f"<{word}>"
        parts = [edged[at : at + length] for length in _PART_LENGTHS for at in range(len(edged) - length + 1)]
        # A long word has many parts; beyond six they share what six would weigh (in squares, as lengths do).
        strength = _PART * (6 / max(6, len(parts))) ** 0.5
        for part in parts:
            yield f"p {part}", strength
    for depth in range(len(item.category)):
        yield "c " + "/".join(item.category[: depth + 1]).lower(), _CATEGORY
    if item.brand:
        yield f"b {item.brand.lower()}", _BRAND
    price = item.sale_price if item.sale_price is not None else item.price
    if price is not None and price > 0:
        place = log2(price) * _STEPS_PER_DOUBLING
        lower = floor(place)
        yield f"€ {lower}", _PRICE * (1 - (place - lower))
        yield f"€ {lower + 1}", _PRICE * (place - lower)


def _table(rows: Iterable[dict[int, float]]) -> csr_matrix:
    """Items × buckets. Row after row into flat arrays: a hundred thousand dicts at once would take half a gigabyte."""
    from scipy.sparse import csr_matrix

    starts, buckets, values = array("q", [0]), array("i"), array("f")
    for row in rows:
        buckets.extend(row.keys())
        values.extend(row.values())
        starts.append(len(buckets))
    columns = np.frombuffer(values, np.float32), np.frombuffer(buckets, np.int32), np.frombuffer(starts, np.int64)
    return csr_matrix(columns, shape=(len(starts) - 1, _BUCKETS), copy=True)


def _principal_directions(table: csr_matrix, dimensions: int, random: np.random.Generator) -> Floats:
    """The leading right singular vectors [buckets, dimensions], by randomized power iteration.

    Halko, Martinsson, Tropp, SIAM Review 2011, algorithm 4.4. Zero columns where the table has fewer directions.
    """
    width = min(dimensions + _SPARE_DIMENSIONS, *table.shape)
    directions = np.zeros((table.shape[1], dimensions), dtype=np.float32)
    if width == 0 or table.nnz == 0:
        return directions
    basis = table @ random.normal(size=(table.shape[1], width)).astype(np.float32)
    for _ in range(_POWER_ROUNDS):
        basis, _ = np.linalg.qr(table @ (table.T @ np.linalg.qr(basis)[0]))
    _, lengths, right = np.linalg.svd((table.T @ basis).T, full_matrices=False)
    found = min(dimensions, int((lengths > 1e-5 * lengths[0]).sum()))
    directions[:, :found] = right[:found].T
    return directions


def _unit_rows(table: csr_matrix) -> csr_matrix:
    lengths = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    lengths[lengths == 0] = 1
    table.data /= np.repeat(lengths, np.diff(table.indptr)).astype(np.float32)
    return table


def _unit(vectors: NDArray[np.floating]) -> Floats:
    lengths: Floats = np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float32)
    lengths[lengths == 0] = 1
    unit: Floats = (vectors / lengths).astype(np.float32)
    return unit
