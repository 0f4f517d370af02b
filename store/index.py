"""Find the products whose vectors point the way a shopper's does: fast in a large catalogue, exactly in a small one.

The only module that imports hnswlib. An index never changes once it is built (`knn_query` beside `add_items` is not
safe); what is added between two trainings lies in `FreshItems`. Scores are inner products, higher is better: making
lengths equal to please another metric loses recall. Figures behind the defaults: docs/decisions/retrieval-index.md.
"""

import struct
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

import hnswlib
import numpy as np
from numpy.typing import NDArray

from store.beside import Rest, all_finite, at_once
from store.graph import GraphUnreadable, MappedGraph
from store.loops import COMPILED
from store.records import Floats, Ints, Mask

Scores = TypeVar("Scores", Floats, Ints)
Labels: TypeAlias = NDArray[np.integer]
Found: TypeAlias = tuple[Ints, Floats]


class IndexUnusable(ValueError):
    """An index file or a query does not fit; the message says what, where and what would fit."""


class Index(Protocol):
    """Answers with the labels [≤ k] of the best rows and their scores [≤ k], best first; of those whose label is
    `allowed` [labels], where that is told."""

    vectors: Floats
    labels: Ints

    def search(self, vector: Floats, k: int, ef: int, allowed: Mask | None = None) -> Found: ...


class ExactIndex:
    """Every row compared with the query: the right answer by definition, and the fast one for small catalogues."""

    def __init__(self, vectors: Floats, labels: Labels, rest: Rest = at_once) -> None:
        self.vectors, self.labels = _checked_rows(vectors, labels, rest)

    def search(self, vector: Floats, k: int, ef: int = 0, allowed: Mask | None = None) -> Found:
        """The `k` best rows (all when there are fewer); `ef` means nothing here."""
        query = _checked_query(vector, self.vectors.shape[1])
        labels, scores = self.labels, self.vectors @ query
        if allowed is not None:
            labels, scores = _those_allowed(labels, scores, allowed)
        return _best(labels, scores, k)


class VectorIndex(ExactIndex):
    """A graph over the rows (HNSW, Malkov and Yashunin, TPAMI 2020) that looks at a small part of them per query."""

    def __init__(
        self, vectors: Floats, labels: Labels, graph: hnswlib.Index | MappedGraph, rest: Rest = at_once
    ) -> None:
        super().__init__(vectors, labels, rest)
        self._graph = graph

    @classmethod
    def build(
        cls, vectors: Floats, labels: Labels, *, m: int = 24, ef_construction: int = 200, seed: int
    ) -> "VectorIndex":
        """Index `vectors` [n, d] under `labels` [n]; one thread, so the same input gives the same graph, bit by bit."""
        vectors, labels = _checked_rows(vectors, labels)
        graph = hnswlib.Index(space="ip", dim=vectors.shape[1])
        graph.init_index(
            max_elements=max(1, len(vectors)), M=m, ef_construction=ef_construction, random_seed=seed % 2**31
        )
        graph.set_num_threads(1)
        if len(vectors):
            graph.add_items(vectors, np.arange(len(vectors)), num_threads=1)
        return cls(vectors, labels, graph)

    @classmethod
    def load(cls, path: Path, vectors: Floats, labels: Labels, rest: Rest = at_once) -> "VectorIndex":
        """Open what `save` wrote, for the same `vectors` and `labels` (they may be memory-mapped).

        `rest`: called after every little piece of work.

        Raises IndexUnusable when the file is missing, cut short, or was built for another shape: hnswlib itself
        opens an index of the wrong dimension without a word and then reads beyond its vectors.
        """
        vectors, labels = _checked_shape(vectors, labels)
        _check_file(path, rows=vectors.shape[0], dimensions=vectors.shape[1])
        if COMPILED:
            try:
                return cls(vectors, labels, MappedGraph(path, vectors, labels, rest), rest)
            except GraphUnreadable as damaged:
                raise IndexUnusable(f"{path}: not readable as an index ({damaged}); train again") from damaged
        graph = hnswlib.Index(space="ip", dim=vectors.shape[1])
        try:
            graph.load_index(str(path))
        except RuntimeError as damaged:
            raise IndexUnusable(f"{path}: not readable as an index ({damaged}); train again") from damaged
        graph.set_num_threads(1)
        return cls(vectors, labels, graph, rest)

    def memory(self) -> list[NDArray[np.generic]]:
        """What is large and its own."""
        return [self._graph.file, self._graph.codes] if isinstance(self._graph, MappedGraph) else []

    def save(self, path: Path) -> None:
        """Write the graph that was built to `path`; the rows and labels are the caller's to keep beside it."""
        assert not isinstance(self._graph, MappedGraph)
        self._graph.save_index(str(path))

    def search(self, vector: Floats, k: int, ef: int = 128, allowed: Mask | None = None) -> Found:
        """About the `k` best rows; a larger `ef` finds more of the true ones and takes longer. Where few are allowed it
        may find fewer than there are."""
        query = _checked_query(vector, self.vectors.shape[1])
        k = min(k, len(self.labels))
        if k <= 0:
            return self.labels[:0], np.zeros(0, dtype=np.float32)
        if isinstance(self._graph, MappedGraph):
            found = self._graph.search(query, k, max(ef, k), allowed)
        else:
            found = self._asked_for_more(query, k, ef, allowed)
        # The graph of rows that are all alike may reach fewer than k of them; the scan always answers.
        return super().search(vector, k) if allowed is None and len(found[0]) < k else found

    def _asked_for_more(self, query: Floats, k: int, ef: int, allowed: Mask | None) -> Found:
        """hnswlib's own filter is a callback, ten to a hundred times slower than asking for more than are needed."""
        assert isinstance(self._graph, hnswlib.Index)
        fetch = k
        if allowed is not None:
            share = max(1, len(_those_allowed(self.labels, self.labels, allowed)[0])) / len(self.labels)
            fetch = min(len(self.labels), int(1.1 * k / share) + 10)
        self._graph.set_ef(max(ef, fetch))
        try:
            rows, distances = self._graph.knn_query(query, k=fetch, num_threads=1)
        except RuntimeError:
            return self.labels[:0], np.zeros(0, dtype=np.float32)
        labels, scores = self.labels[rows[0].astype(np.int64)], np.float32(1) - distances[0]
        if allowed is not None:
            labels, scores = _those_allowed(labels, scores, allowed)
        return labels[:k], scores[:k]


class FreshItems:
    """Products that arrived after the last training: few, searched exactly, absorbed by the next generation."""

    def __init__(self, dimensions: int, limit: int) -> None:
        self._vectors = np.zeros((0, dimensions), dtype=np.float32)
        self._labels = np.zeros(0, dtype=np.int32)
        self._row_of: dict[int, int] = {}
        self._limit = limit

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, label: int) -> bool:
        return label in self._row_of

    def add(self, label: int, vector: Floats) -> bool:
        """Make the product findable by the next search, or give it a new vector; False when `limit` are here."""
        vector = _checked_query(vector, self._vectors.shape[1])
        row = self._row_of.get(label, len(self._row_of))
        if row == self._limit:
            return False
        if row == len(self._vectors):
            grown = min(self._limit, max(64, 2 * row))
            self._vectors = np.concatenate([self._vectors, np.zeros((grown - row, len(vector)), dtype=np.float32)])
            self._labels = np.concatenate([self._labels, np.zeros(grown - row, dtype=np.int32)])
        self._vectors[row], self._labels[row] = vector, label
        self._row_of[label] = row
        return True

    def search(self, vector: Floats, k: int) -> Found:
        """The `k` best of the fresh products."""
        count = len(self._row_of)
        query = _checked_query(vector, self._vectors.shape[1])
        return _best(self._labels[:count], self._vectors[:count] @ query, k)


def search_all(index: Index, fresh: FreshItems, vector: Floats, k: int, ef: int) -> Found:
    """The `k` best of index and fresh products together; a product in both counts once, with its fresh vector."""
    if not len(fresh):
        return index.search(vector, k, ef)
    new_labels, new_scores = fresh.search(vector, k)
    labels, scores = index.search(vector, k, ef)
    known = np.array([label not in fresh for label in labels.tolist()], dtype=bool)
    return _best(np.concatenate([labels[known], new_labels]), np.concatenate([scores[known], new_scores]), k)


def _best(labels: Ints, scores: Floats, k: int) -> Found:
    if k <= 0 or not len(scores):
        return labels[:0], scores[:0]
    if k < len(scores):
        chosen = np.argpartition(scores, len(scores) - k)[-k:]
        labels, scores = labels[chosen], scores[chosen]
    order = np.argsort(-scores, kind="stable")
    return labels[order], scores[order]


def _those_allowed(labels: Ints, scores: Scores, allowed: Mask) -> tuple[Ints, Scores]:
    """A label that the mask has no word on is none of them."""
    if not len(allowed):
        return labels[:0], scores[:0]
    chosen = np.flatnonzero(allowed[np.minimum(labels, len(allowed) - 1)] & (labels < len(allowed)))
    return labels[chosen], scores[chosen]


def _checked_query(vector: Floats, dimensions: int) -> Floats:
    if vector.shape != (dimensions,):
        raise IndexUnusable(f"query: shape {vector.shape}; this index holds vectors of {dimensions} numbers")
    query = np.ascontiguousarray(vector, dtype=np.float32)
    # One sum is finite only if every part is (or is so large that no score would be).
    if not np.isfinite(query.sum()):
        raise IndexUnusable("query: holds a number that is not finite")
    return query


def _checked_shape(vectors: Floats, labels: Labels) -> tuple[Floats, Ints]:
    if vectors.ndim != 2 or labels.shape != (len(vectors),):
        raise IndexUnusable(f"index: {vectors.shape} vectors and {labels.shape} labels; one label per vector is needed")
    return np.ascontiguousarray(vectors, dtype=np.float32), np.ascontiguousarray(labels, dtype=np.int32)


def _checked_rows(vectors: Floats, labels: Labels, rest: Rest = at_once) -> tuple[Floats, Ints]:
    vectors, labels = _checked_shape(vectors, labels)
    if not all_finite(vectors, rest):
        raise IndexUnusable("index: a vector holds a number that is not finite")
    return vectors, labels


def _check_file(path: Path, *, rows: int, dimensions: int) -> None:
    """Read the shape from the head of the file (hnswlib 0.8 `saveIndex`: seven 8-byte numbers first)."""
    header = struct.Struct("@6N")
    try:
        with path.open("rb") as file:
            head = file.read(header.size)
    except OSError as missing:
        raise IndexUnusable(f"{path}: cannot be read ({missing.strerror}); train again") from missing
    if len(head) < header.size:
        raise IndexUnusable(f"{path}: cut short; train again")
    _, _, held_rows, _, label_offset, data_offset = header.unpack(head)
    held = (held_rows, (label_offset - data_offset) // 4)
    if held != (rows, dimensions):
        raise IndexUnusable(f"{path}: holds {held[0]} vectors of {held[1]} numbers; {rows} of {dimensions} are needed")
