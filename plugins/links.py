"""Follows items to their learned neighbours: which lead where, and how strongly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from store.records import Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True, eq=False)
class Links:
    """One row per (source, neighbour): flat columns of equal length."""

    source: Ints
    """Positions into the items asked about."""
    items: Ints
    """Item numbers of the neighbours; one may occur under several sources."""
    scores: Floats
    """Strength of the neighbour times the weight of its source."""

    def __len__(self) -> int:
        return len(self.items)


NO_LINKS = Links(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))


def links_of(matrix: csr_matrix | None, items: Ints, weights: Floats | None = None) -> Links:
    """The stored neighbours of `items` in a sparse [size, size] matrix; items beyond its rows have none."""
    if matrix is None or not len(items):
        return NO_LINKS
    starts_of = matrix.indptr
    known = np.flatnonzero(items < len(starts_of) - 1)
    rows = items.take(known)
    starts = starts_of.take(rows)
    lengths = starts_of.take(rows + 1) - starts
    ends = lengths.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    if total == 0:
        return NO_LINKS
    # Entry e of the result is entry e of row r: its place is e shifted by where the row starts and where it is put.
    places = np.repeat(starts - (ends - lengths), lengths) + np.arange(total, dtype=starts.dtype)
    source = np.repeat(known.astype(np.int32), lengths)
    scores = matrix.data.take(places)
    if weights is not None:
        scores = scores * weights.take(source)
    return Links(source, matrix.indices.take(places), scores)
