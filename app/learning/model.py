"""One generation in memory: what was learned, answering the questions plugins ask, products added since included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.config import Config
from app.learning.content import ContentModel
from app.learning.histories import score_history
from app.learning.membership import NOBODY
from app.learning.person_statistics import solved_alone
from app.learning.segment_step import membership
from app.learning.sessions import SessionIndex, SessionSettings
from plugins.contract import NO_FLOATS, NO_ITEMS, Allowed, Floats, Ints
from store import loops
from store.beside import Rest, all_finite, at_once, pieces
from store.catalogue import Catalogue
from store.faults import GenerationUnreadable
from store.generation import Array, StoredGeneration
from store.index import ExactIndex, FreshItems, Index, IndexUnusable, VectorIndex, search_all

_LAST_VIEWED = 5
ROWS_AT_ONCE = 2048
"""Of vectors, while requests are answered."""
FRESH_AT_ONCE = 20
"""New items given a content vector per question, so that a bulk load does not hold one request up."""


class LearnedModel:
    """Implements `plugins.contract.Model` over a stored generation. Immutable but for the items that came after it."""

    def __init__(
        self, stored: StoredGeneration | None, catalogue: Catalogue, config: Config, rest: Rest = at_once
    ) -> None:
        arrays: Mapping[str, Array] = stored.arrays if stored else {}
        card = stored.card if stored else {}
        self.id = stored.id if stored else ""
        self.card = card
        self.size = int(card.get("items", 0))
        self._arrays = arrays
        self._catalogue = catalogue
        self._retrieval = config.retrieval
        self._als = card.get("als", {})
        self._private = self._als.get("objective") == "private"
        self.blends: Mapping[str, Mapping[str, Any]] = card.get("ranking", {})
        """Placement -> what was learned of its weights (ranking_step.py)."""
        self.click_rates: Floats | None = arrays.get("click_rates")
        self.taste_trust = float(self._als.get("trust", 1.0))
        self.neighbours_trust = float(card.get("trust", {}).get("neighbours", 1.0))
        self.item_vectors: Floats | None = arrays.get("item_vectors")
        self.neighbours = stored.rows("neighbours") if stored else None
        self.together = stored.rows("together") if stored else None
        self._popularity = _by_region("popularity", arrays)
        self._selling_now = _by_region("selling_now", arrays)
        self._trending = _by_region("trending", arrays)
        rest()
        self._gram = self._shared_part(rest)
        self._taste_index = _index(stored, "taste", self.item_vectors, rest)
        self._sessions = (
            SessionIndex(_part("sessions.", arrays), _compared(card)) if "sessions.items" in arrays else None
        )
        self._membership = membership(card, dict(arrays), config.training.segment_share)
        self.segment_list: list[dict[str, Any]] = card.get("segments", []) if self._membership else []
        """Key, name, people, items and distinguishing terms of every segment."""
        self._content = ContentModel(_part("content.", arrays)) if "content.vectors" in arrays else None
        self._content_vectors: Floats | None = arrays.get("content.vectors")
        rest()
        self._content_index = _index(stored, "content", self._content_vectors, rest)
        width = self._content_vectors.shape[1] if self._content_vectors is not None else 1
        self._fresh = FreshItems(width, config.training.fresh_items)
        self._absorbed = self.size

    @classmethod
    def empty(cls, catalogue: Catalogue, config: Config) -> LearnedModel:
        """Before the first training: nothing learned, every answer falls back on the catalogue."""
        return cls(None, catalogue, config)

    @classmethod
    def load(cls, stored: StoredGeneration, catalogue: Catalogue, config: Config, rest: Rest = at_once) -> LearnedModel:
        """Open and probe a generation; `rest` is called after every little piece of work.

        Raises GenerationUnreadable when it does not answer as it should.
        """
        try:
            model = cls(stored, catalogue, config, rest)
            model.probe(rest)
        except (IndexUnusable, KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
            raise GenerationUnreadable(stored.folder, f"does not answer ({error}); train again") from error
        return model

    def memory(self) -> list[NDArray[Any]]:
        """What is large of it: freed one after the other, nobody waits for all of it at once."""
        indexes = [index for index in (self._taste_index, self._content_index) if isinstance(index, VectorIndex)]
        return [*self._arrays.values(), *(part for index in indexes for part in index.memory())]

    def probe(self, rest: Rest = at_once) -> None:
        """Ask every artefact once; raises whatever it raises."""
        if self.size == 0:
            return
        for name, array in self._arrays.items():
            if array.dtype.kind == "f" and not all_finite(array, rest):
                raise ValueError(f"{name} holds nan or infinity")
        if self.item_vectors is not None:
            known = np.flatnonzero(np.any(self.item_vectors[:1000] != 0, axis=1))[:3].astype(np.int32)
            vector = self.user_vector(known, np.ones(len(known), np.float32))
            if vector is not None:
                self.nearest_by_vector(vector, 3)
        for column in (*self._popularity.values(), *self._selling_now.values(), *self._trending.values()):
            if len(column) != self.size:
                raise ValueError(f"a popularity column has {len(column)} rows for {self.size} items")
        self.session_scores(np.zeros(1, np.int32), 3)
        vectors = self.content_vectors(np.zeros(1, np.int32))
        if vectors is not None:
            self.nearest_by_content(vectors[0], 3)

    def popularity(self, region: str) -> Floats | None:
        return self._popularity.get(region, self._popularity.get(""))

    def selling_now(self, region: str) -> Floats | None:
        return self._selling_now.get(region, self._selling_now.get(""))

    def trending(self, region: str) -> Floats | None:
        return self._trending.get(region, self._trending.get(""))

    def segments(self, affinities: Mapping[str, float]) -> frozenset[str]:
        return NOBODY if self._membership is None else self._membership.of(affinities)

    def nearest_by_vector(self, vector: Floats, limit: int, allowed: Allowed | None = None) -> tuple[Ints, Floats]:
        if self._taste_index is None:
            return NO_ITEMS, NO_FLOATS
        if allowed is None:
            return self._taste_index.search(vector, limit, self._retrieval.ef)
        return self._taste_index.search(vector, limit, self._retrieval.width(allowed.share), allowed.mask)

    def user_vector(self, items: Ints, weights: Floats) -> Floats | None:
        if self.item_vectors is None or self._gram is None:
            return None
        if self._private:
            return solved_alone(self.item_vectors, items, weights, self._gram)
        # Generations of before counted the unobserved by the size of the catalogue.
        unobserved = self._als.get("unobserved", self._als["unobserved_weight"] * int(self._als["catalogue"]))
        return loops.folded(self.item_vectors, items, weights, self._gram, self._als["regularization"], unobserved)

    def session_scores(self, viewed: Ints, limit: int) -> tuple[Ints, Floats]:
        known = viewed[viewed < self.size]
        if not len(known):
            return NO_ITEMS, NO_FLOATS
        if self._sessions is not None:
            return self._sessions.scores(known, limit)
        return (NO_ITEMS, NO_FLOATS) if self.neighbours is None else self._by_neighbours(known, limit)

    def _by_neighbours(self, viewed: Ints, limit: int) -> tuple[Ints, Floats]:
        """What is next to the visit's last items, the newest counting most: where no visits were kept to compare with,
        as under differential privacy."""
        assert self.neighbours is not None
        latest = viewed[-_LAST_VIEWED:]
        found, scores = score_history(self.neighbours, latest, 0.5 ** np.arange(len(latest))[::-1].astype(np.float32))
        scores[np.isin(found, latest[-1:])] = 0
        best = np.argsort(-scores, kind="stable")[:limit]
        best = best[scores[best] > 0]
        return found[best].astype(np.int32), scores[best]

    def content_vectors(self, items: Ints) -> Floats | None:
        if self._content is None or self._content_vectors is None:
            return None
        trained = items < self.size
        if trained.all():
            return self._content_vectors[items]
        vectors = np.zeros((len(items), self._content_vectors.shape[1]), np.float32)
        vectors[trained] = self._content_vectors[items[trained]]
        for row in np.flatnonzero(~trained):
            vectors[row] = self._vector_of(int(items[row]))
        return vectors

    def nearest_by_content(self, vector: Floats, limit: int) -> tuple[Ints, Floats]:
        if self._content_index is None:
            return NO_ITEMS, NO_FLOATS
        self._absorb()
        return search_all(self._content_index, self._fresh, vector, limit, self._retrieval.ef)

    def _shared_part(self, rest: Rest) -> Floats | None:
        """What is the same in everybody's system of equations, [d, d]: the weight of all items nobody touched (as
        `als.unobserved_gram` and `person_statistics.shared_part` have it)."""
        if self.item_vectors is None:
            return None
        exact = np.zeros((self.item_vectors.shape[1],) * 2)
        for piece in pieces(len(self.item_vectors), ROWS_AT_ONCE):
            rows = self.item_vectors[piece].astype(np.float64)
            exact += rows.T @ rows
            rest()
        exact *= self._als["unobserved_weight"]
        if self._private:
            exact += self._als["regularization"] * np.eye(len(exact))
        return exact.astype(np.float32)

    def _absorb(self) -> None:
        """Give items that came after the training a content vector, a few at a time."""
        last = min(self._catalogue.size, self._absorbed + FRESH_AT_ONCE)
        for number in range(self._absorbed, last):
            self._fresh.add(number, self._vector_of(number))
        self._absorbed = max(self._absorbed, last)

    def _vector_of(self, number: int) -> Floats:
        assert self._content is not None
        return self._content.vector(self._catalogue.item(number))


def _compared(card: Mapping[str, Any]) -> SessionSettings:
    """How visits are compared: as the training chose, or as it ships."""
    return msgspec.convert(card.get("sessions", {}).get("settings", {}), SessionSettings)


def _part(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _by_region(name: str, arrays: Mapping[str, Array]) -> dict[str, Floats]:
    """ "popularity" is everyone's, "popularity@FR" a region's."""
    return {key.partition("@")[2]: array for key, array in arrays.items() if key == name or key.startswith(f"{name}@")}


def _index(stored: StoredGeneration | None, name: str, vectors: Floats | None, rest: Rest) -> Index | None:
    """The index over a generation's vectors: the graph that was saved, or a scan where none was worth its while."""
    if stored is None or vectors is None:
        return None
    labels = np.asarray(stored.arrays.get(f"{name}.labels", np.arange(len(vectors))), np.int32)
    rows = vectors if np.array_equal(labels, np.arange(len(vectors))) else _rows(vectors, labels, rest)
    graph = stored.paths.get(f"{name}.hnsw")
    if graph is None:
        return ExactIndex(rows, labels, rest)
    return VectorIndex.load(graph, rows, labels, rest)


def _rows(vectors: Floats, labels: Ints, rest: Rest) -> Floats:
    found = np.empty((len(labels), vectors.shape[1]), vectors.dtype)
    for piece in pieces(len(labels), ROWS_AT_ONCE):
        vectors.take(labels[piece], axis=0, out=found[piece])
        rest()
    return found
