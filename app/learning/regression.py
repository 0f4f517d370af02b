"""Learn for every product the weights by which all others foretell it, where the catalogue is small enough.

EASE (Steck, WWW 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", section 3): with G the co-occurrences,

    P = (G + ridge I)^-1,    B[i, j] = -P[i, j] / P[j, j],    B[j, j] = 0

and a history scores as the sum of the rows of its items, like every matrix of neighbours. On dense data it is far
better than a count of company, since it knows what company is explained by another item. The inverse is dense: 4 bytes
times the square of the items, made in their cube of steps, so the trainer asks for it below `[training] dense_below`.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import spotrf, spotri
from scipy.sparse import csr_matrix

from app.learning.neighbours import best_first
from store.records import Floats, Ints

_ROWS = 512


def most_dense(memory_mb: int) -> int:
    """Items whose inverse takes at most a third of the memory a training may have; 0: as much as it asks for."""
    return int((memory_mb * 1e6 / 3 / 4) ** 0.5) if memory_mb else 1 << 30


def regression_neighbours(interactions: csr_matrix, *, ridge: float, keep: int) -> csr_matrix:
    """The `keep` weightiest others of every item, CSR [items, items] of float32; weights may be negative.

    `interactions` [people, items] are ones. Raises ValueError for a ridge that is not above 0.
    """
    if not ridge > 0:
        raise ValueError(f"ridge: {ridge}; it has to be above 0")
    inverse = _inverse(csr_matrix(interactions, dtype=np.float32), ridge)
    scale = -1 / inverse.diagonal()
    items = len(inverse)
    lengths, numbers, weights = [0], [], []
    for item in range(items):
        row = inverse[item] * scale
        row[item] = 0
        theirs, found = _weightiest(row, keep)
        lengths.append(len(theirs))
        numbers.append(theirs)
        weights.append(found)
    return csr_matrix((np.concatenate(weights), np.concatenate(numbers), np.cumsum(lengths)), shape=(items, items))


def _inverse(table: csr_matrix, ridge: float) -> Floats:
    """(table' table + ridge I)^-1, whole and symmetric, made in the memory of the one matrix."""
    items = table.shape[1]
    gram = np.zeros((items, items), np.float32)
    turned = csr_matrix(table.T)
    for start in range(0, items, _ROWS):
        gram[start : start + _ROWS] = (turned[start : start + _ROWS] @ table).toarray()
    gram.reshape(-1)[:: items + 1] += ridge
    # Symmetric, so its transpose is the same matrix in the order of memory that LAPACK works in without a copy.
    factor, failed = spotrf(gram.T, lower=0, overwrite_a=1)
    if not failed:
        factor, failed = spotri(factor, lower=0, overwrite_c=1)
    if failed:
        raise ValueError("interactions: the matrix has no inverse; raise the ridge")
    inverse: Floats = factor.T
    for start in range(0, items, _ROWS):
        # LAPACK filled one triangle: here the lower one of the transposed view.
        stop = min(start + _ROWS, items)
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        corner = np.tril(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = corner + np.tril(corner, -1).T
    return inverse


def _weightiest(row: Floats, keep: int) -> tuple[Ints, Floats]:
    """The largest magnitudes among a dense row, best first; what says nothing is left out."""
    numbers = np.flatnonzero(row).astype(np.int32)
    if len(numbers) > keep:
        largest = np.argpartition(np.abs(row.take(numbers)), len(numbers) - keep)[-keep:]
        numbers = numbers[largest]
    return best_first(numbers, row.take(numbers), keep)
