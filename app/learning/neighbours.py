"""Learn which products go together, from the people who chose both or from the baskets that held both.

A linear graph filter on the item side, as in GF-CF (Shen et al., CIKM 2021, "How Powerful is Graph Convolution for
Recommendation?", equation 8 without the low-pass part), with the three degrees free and cut to the best per item:

    S[i, j] = n_i^-source  *  sum over people p who touched both of  n_p^-person  *  n_j^-target

A shopper's score of j is the sum of the rows S[i, :] over the items i of their history. How the powers and the
number kept were chosen: docs/decisions/item-neighbours.md; per shop: app/learning/choice.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags

from store.records import Floats, Ints

# One block of the product holds at most this many pairs before it is cut (8 bytes each).
_BLOCK_PAIRS = 4_000_000


@dataclass(frozen=True)
class Filter:
    """The three powers. A larger `target` favours rare neighbours (0 = the most bought, 1 = the most peculiar), a
    larger `person` counts people with long histories less, a larger `source` what is rare in a history more."""

    person: float = 1.0
    source: float = 0.5
    target: float = 0.5


def item_neighbours(
    interactions: csr_matrix,
    *,
    keep: int = 100,
    person_power: float = 1.0,
    source_power: float = 0.5,
    target_power: float = 0.5,
) -> csr_matrix:
    """The `keep` best other items of every item: CSR [items, items] of float32, a row sorted best first.

    `interactions` [people or baskets, items] are weights > 0.
    """
    table = csr_matrix(interactions, dtype=np.float32)
    (unscaled,) = company(table, person_power, [target_power], keep=keep)
    return by_source(unscaled, item_degrees(table), source_power)


def company(
    table: csr_matrix, person: float, targets: Sequence[float], *, keep: int, rows: Ints | None = None
) -> list[csr_matrix]:
    """One matrix per power in `targets`, as of a source power of 0: the `keep` best others of every item, best first.

    The product over people is made once for all of them. `rows`: only these items get neighbours.
    """
    degree = item_degrees(table)
    people = np.maximum(np.diff(table.indptr), 1).astype(np.float32)
    wanted = np.arange(table.shape[1], dtype=np.int32) if rows is None else np.sort(rows)
    sources = csr_matrix(csr_matrix(table.T)[wanted], dtype=np.float32)
    weighted = csr_matrix(diags(people**-person) @ table, dtype=np.float32)
    factors = [degree**-target for target in targets]
    cuts = [_Rows(table.shape[1]) for _ in targets]
    for start, stop in _blocks(sources, np.diff(table.indptr)):
        block = csr_matrix(sources[start:stop] @ weighted)
        for row, item in enumerate(wanted[start:stop].tolist()):
            entries = slice(block.indptr[row], block.indptr[row + 1])
            numbers, counts = block.indices[entries], block.data[entries]
            others = numbers != item
            numbers, counts = numbers[others], counts[others]
            for cut, factor in zip(cuts, factors, strict=True):
                cut.add(item, *best_first(numbers, counts * factor.take(numbers), keep))
    return [cut.matrix() for cut in cuts]


def by_source(unscaled: csr_matrix, degree: Floats, source: float) -> csr_matrix:
    """The rows of `company` divided by their item's number of people to the power `source`."""
    scale = np.repeat(degree**-source, np.diff(unscaled.indptr)).astype(np.float32)
    return csr_matrix((unscaled.data * scale, unscaled.indices, unscaled.indptr), shape=unscaled.shape)


def first_of_each(neighbours: csr_matrix, keep: int) -> csr_matrix:
    """The first `keep` entries of every row."""
    lengths = np.diff(neighbours.indptr)
    place = np.arange(neighbours.nnz) - np.repeat(neighbours.indptr[:-1], lengths)
    kept = place < keep
    starts = np.concatenate([[0], np.cumsum(np.minimum(lengths, keep))])
    return csr_matrix((neighbours.data[kept], neighbours.indices[kept], starts), shape=neighbours.shape)


def item_degrees(table: csr_matrix) -> Floats:
    """People per item, at least 1, [items]."""
    return np.maximum(np.bincount(table.indices, minlength=table.shape[1]), 1).astype(np.float32)


def best_first(numbers: Ints, scores: Floats, keep: int) -> tuple[Ints, Floats]:
    """The `keep` largest scores; equal ones in item order, so that the same data gives the same file."""
    if len(numbers) > keep:
        best = np.argpartition(scores, len(scores) - keep)[-keep:]
        numbers, scores = numbers[best], scores[best]
    order = np.lexsort((numbers, -scores))
    return numbers[order].astype(np.int32), scores[order]


class _Rows:
    """Collects rows of a square matrix in the order of their items."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lengths = np.zeros(size, np.int64)
        self._numbers: list[Ints] = []
        self._scores: list[Floats] = []

    def add(self, item: int, numbers: Ints, scores: Floats) -> None:
        self._lengths[item] = len(numbers)
        self._numbers.append(numbers)
        self._scores.append(scores)

    def matrix(self) -> csr_matrix:
        starts = np.concatenate([[0], np.cumsum(self._lengths)]).astype(np.int64)
        nothing: Floats = np.zeros(0, np.float32)
        scores = np.concatenate(self._scores or [nothing])
        numbers = np.concatenate(self._numbers or [nothing.astype(np.int32)])
        return csr_matrix((scores, numbers, starts), shape=(self._size, self._size))


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
