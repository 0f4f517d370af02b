"""Lists for many people at once from dense blocks of scores, and how good they are; a block is bounded in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from store.records import Floats, Ints

K = 20
_BLOCK_FLOATS = 12_000_000
"""One block of scores [people, items]: 48 MB."""
_GROUP = 64
"""Columns of which the largest is looked at first."""

Figures = NDArray[np.float64]
Scores = Callable[[int, int], Floats]
"""Scores [stop - start, items] of the people `start` to `stop`; may be written to."""


def top_lists(scores: Scores, seen: csr_matrix, k: int = K) -> Iterator[tuple[int, Ints]]:
    """(first person, lists [people of the block, k]), best first, of what the people have not `seen`."""
    people, items = seen.shape
    size = max(1, _BLOCK_FLOATS // max(1, items))
    for start in range(0, people, size):
        stop = min(start + size, people)
        block = scores(start, stop)
        rows = np.repeat(np.arange(stop - start), np.diff(seen.indptr[start : stop + 1]))
        block[rows, seen.indices[seen.indptr[start] : seen.indptr[stop]]] = -np.inf
        yield start, best_columns(block, k)


def best_columns(block: Floats, k: int) -> Ints:
    """The columns of the `k` largest values of every row, best first.

    They lie in the `k` groups of columns with the largest maxima, which are found in one fast pass.
    """
    people, items = block.shape
    k, groups = min(k, items), items // _GROUP
    if groups <= 4 * k:
        return _sorted(block, np.argpartition(block, items - k, axis=1)[:, -k:])
    maxima = block[:, : groups * _GROUP].reshape(people, groups, _GROUP).max(axis=2)
    promising = np.argpartition(maxima, groups - k, axis=1)[:, -k:]
    columns = (promising[:, :, None] * _GROUP + np.arange(_GROUP)).reshape(people, -1)
    rest = np.broadcast_to(np.arange(groups * _GROUP, items), (people, items - groups * _GROUP))
    columns = np.concatenate((columns, rest), axis=1)
    values = np.take_along_axis(block, columns, axis=1)
    best = np.argpartition(values, values.shape[1] - k, axis=1)[:, -k:]
    return _sorted(block, np.take_along_axis(columns, best, axis=1))


def _sorted(block: Floats, columns: NDArray[np.int64]) -> Ints:
    """The `columns` of every row by their values, largest first."""
    order = np.argsort(-np.take_along_axis(block, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1).astype(np.int32)


def recall_and_ndcg(scores: Scores, seen: csr_matrix, wanted: csr_matrix, k: int = K) -> tuple[Figures, Figures]:
    """Recall@k and NDCG@k of every person, as app/learning/evaluation.py defines them; each must want something."""
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)
    recalls, gains = [], []
    for start, lists in top_lists(scores, seen, k):
        mine = wanted[start : start + len(lists)]
        counts = np.diff(mine.indptr)
        hits = hits_of(lists, mine)
        recalls.append(hits.sum(axis=1) / counts)
        gains.append(hits @ discount[: lists.shape[1]] / ideal[np.minimum(k, counts) - 1])
    nothing: list[Figures] = [np.zeros(0)]
    return np.concatenate(recalls or nothing), np.concatenate(gains or nothing)


def hits_of(lists: Ints, wanted: csr_matrix) -> NDArray[np.bool_]:
    """Which places of the lists hold something wanted, [people, k]."""
    items = wanted.shape[1]
    rows = np.repeat(np.arange(wanted.shape[0], dtype=np.int64), np.diff(wanted.indptr))
    keys = np.sort(rows * items + wanted.indices)
    asked = np.arange(len(lists), dtype=np.int64)[:, None] * items + lists
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    found: NDArray[np.bool_] = keys[place] == asked if len(keys) else np.zeros(lists.shape, np.bool_)
    return found


def by_neighbours(histories: csr_matrix, neighbours: csr_matrix) -> Scores:
    """Sums of the rows of each history's items."""
    return lambda start, stop: np.asarray((histories[start:stop] @ neighbours).toarray(), dtype=np.float32)


def by_vectors(people: Floats, items: Floats) -> Scores:
    """Inner products."""
    return lambda start, stop: people[start:stop] @ items.T


def blended(first: Scores, second: Scores, part: float, seen: csr_matrix) -> Scores:
    """`first` + `part` × `second`, each divided by its largest among the unseen, as scorers are (plugins.scaled)."""

    def scores(start: int, stop: int) -> Floats:
        rows = np.repeat(np.arange(stop - start), np.diff(seen.indptr[start : stop + 1]))
        columns = seen.indices[seen.indptr[start] : seen.indptr[stop]]
        total = _scaled(first(start, stop), rows, columns)
        total += np.float32(part) * _scaled(second(start, stop), rows, columns)
        return total

    return scores


def _scaled(block: Floats, rows: NDArray[np.int64], columns: Ints) -> Floats:
    block[rows, columns] = 0
    top = np.maximum(block.max(axis=1, keepdims=True), -block.min(axis=1, keepdims=True))
    block /= np.where(top > 0, top, np.float32(1))
    return block
