"""Follows items to their learned neighbours: which lead where, and how strongly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from store import loops
from store.records import Floats, Ints
from store.sparse import Rows


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


EVERY = 1 << 20
"""More neighbours than any item has."""

NO_LINKS = Links(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))


def links_of(matrix: Rows | None, items: Ints, weights: Floats | None = None, most: int = EVERY) -> Links:
    """The stored neighbours of `items` in a sparse [size, size] matrix, of each the first `most`; items beyond its
    rows have none."""
    if matrix is None or not len(items):
        return NO_LINKS
    if weights is None:
        weights = np.ones(len(items), np.float32)
    return Links(*loops.followed(matrix.indptr, matrix.indices, matrix.data, items, weights, most))
