"""What lies next to everything in a history, by learned neighbours."""

from __future__ import annotations

import numpy as np

from store.records import Floats, Ints
from store.sparse import Rows


def score_history(neighbours: Rows, history: Ints, weights: Floats) -> tuple[Ints, Floats]:
    """Items next to a `history` [n] with `weights` [n], and the weighted sums of their rows, in item order."""
    starts = neighbours.indptr[history]
    lengths = neighbours.indptr[history + 1] - starts
    total = int(lengths.sum())
    # Positions of all entries of all rows, without a loop over the rows.
    offsets = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    entries = np.repeat(starts, lengths) + offsets
    numbers = neighbours.indices[entries]
    parts = neighbours.data[entries] * np.repeat(weights, lengths)
    found, position = np.unique(numbers, return_inverse=True)
    return found, np.bincount(position, weights=parts, minlength=len(found)).astype(np.float32)
