"""Learn which products go together, from the people who chose both or from the baskets that held both.

A linear graph filter on the item side, as in GF-CF (Shen et al., CIKM 2021, "How Powerful is Graph Convolution for
Recommendation?", equation 8 without the low-pass part), with the three degrees free and cut to the best per item:

    S[i, j] = n_i^-source  *  sum over people p who touched both of  n_p^-person  *  n_j^-target

A shopper's score of j is the sum of the rows S[i, :] over the items i of their history. How the powers and the
number kept were chosen: docs/decisions/item-neighbours.md.
"""

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_matrix, diags

from store.records import Floats, Ints

# One block of the product holds at most this many pairs before it is cut (8 bytes each).
_BLOCK_PAIRS = 4_000_000


def item_neighbours(
    interactions: csr_matrix,
    *,
    keep: int = 100,
    person_power: float = 1.0,
    source_power: float = 0.5,
    target_power: float = 0.5,
) -> csr_matrix:
    """The `keep` best other items of every item: CSR [items, items] of float32, a row sorted best first.

    `interactions` [people or baskets, items] are weights > 0. A larger `target_power` favours rare neighbours (0 = the
    most bought, 1 = the most peculiar), a larger `person_power` counts people with long histories less.
    """
    table = csr_matrix(interactions, dtype=np.float32)
    item_degree = np.maximum(np.bincount(table.indices, minlength=table.shape[1]), 1).astype(np.float32)
    person_degree = np.maximum(np.diff(table.indptr), 1).astype(np.float32)
    sources = csr_matrix(diags(item_degree**-source_power) @ table.T, dtype=np.float32)
    targets = csr_matrix(
        diags(person_degree**-person_power) @ table @ diags(item_degree**-target_power), dtype=np.float32
    )
    lengths: list[int] = []
    numbers: list[Ints] = []
    scores: list[Floats] = []
    for start, stop in _blocks(sources, np.diff(table.indptr)):
        block = csr_matrix(sources[start:stop] @ targets)
        for row in range(stop - start):
            best, their_scores = _best_others(block, row, start + row, keep)
            lengths.append(len(best))
            numbers.append(best)
            scores.append(their_scores)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    size = table.shape[1]
    return csr_matrix((np.concatenate(scores), np.concatenate(numbers), starts), shape=(size, size))


def score_history(neighbours: csr_matrix, history: Ints, weights: Floats) -> tuple[Ints, Floats]:
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


def _blocks(sources: csr_matrix, history_lengths: Ints) -> Iterator[tuple[int, int]]:
    """Ranges of item rows whose co-occurring pairs fit one block; a row alone may pass the bound, never a second."""
    pairs_of_entry = np.concatenate([[0], np.cumsum(history_lengths[sources.indices], dtype=np.int64)])
    pairs_before = pairs_of_entry[sources.indptr]
    start, items = 0, sources.shape[0]
    while start < items:
        stop = int(np.searchsorted(pairs_before, pairs_before[start] + _BLOCK_PAIRS, side="right")) - 1
        stop = min(max(stop, start + 1), items)
        yield start, stop
        start = stop


def _best_others(block: csr_matrix, row: int, item: int, keep: int) -> tuple[Ints, Floats]:
    entries = slice(block.indptr[row], block.indptr[row + 1])
    numbers, scores = block.indices[entries], block.data[entries]
    others = numbers != item
    numbers, scores = numbers[others], scores[others]
    if len(numbers) > keep:
        best = np.argpartition(scores, len(scores) - keep)[-keep:]
        numbers, scores = numbers[best], scores[best]
    # Equal scores in item order, so that the same data gives the same file.
    order = np.lexsort((numbers, -scores))
    return numbers[order].astype(np.int32), scores[order]
