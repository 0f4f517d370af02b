"""Next items of many people at once, the protocol of LightGCN: everything unseen is ranked, Recall@20 and NDCG@20.

Everything is learned by the product's own functions with its own settings, chosen on a slice of train
(app/learning/choice.py); a person's score of an item is what the scorers `history_neighbours` and `taste` give for
their whole history, each divided by its largest, added up as the choice says, and popularity fills what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app.config.sections import TrainingOptions
from app.learning.choice import Choice, Taste, choose
from app.learning.lists import K, Scores, blended, by_neighbours, by_vectors, recall_and_ndcg
from app.quality.files import Interactions
from app.quality.measure import Measure
from store.records import Floats

MOST_NEIGHBOURS = 400
MOST_WEIGHTS = 16_000_000
"""Of a regression as many are kept as this allows, in a small catalogue all of them: 8 bytes each."""
ITERATIONS = 12
FILL = np.float32(1e-6)
"""What the most popular item gets beside the scores: the order of what nothing personal is known of."""


@dataclass(frozen=True)
class Floors:
    """Recall@20 and NDCG@20 of what is served, and Recall@20 of the vectors alone."""

    recall: float = 0.0
    ndcg: float = 0.0
    vectors: float = 0.0
    goal: float | None = None
    anchors: tuple[str, str, str] = ("", "", "")


@dataclass(frozen=True)
class Learned:
    """What was learned from one training set."""

    choice: Choice
    neighbours: csr_matrix
    item_vectors: Floats
    people: Floats
    popularity: Floats

    def scores(self, train: csr_matrix) -> dict[str, Scores]:
        """Scores of everybody by each part and as served."""
        near, close = by_neighbours(train, self.neighbours), by_vectors(self.people, self.item_vectors)
        served = blended(near, close, self.choice.part, train) if self.choice.part else near
        popular = self.popularity / max(1.0, float(self.popularity.max(initial=0)))

        def filled(start: int, stop: int) -> Floats:
            block = served(start, stop)
            block += FILL * popular
            return block

        return {
            "popularity": lambda start, stop: np.tile(popular, (stop - start, 1)),
            "item vectors": close, "item neighbours": near, "served": filled,
        }  # fmt: skip


def learn(
    train: csr_matrix, order: NDArray[np.int64] | None, options: TrainingOptions, said: Callable[[str], None]
) -> Learned:
    """Choose on a slice of `train`, then learn from all of it."""
    started = perf_counter()

    def tell(what: str) -> None:
        said(f"  {perf_counter() - started:6.1f} s  {what}")

    start = Choice(keep=MOST_NEIGHBOURS, taste=Taste(options.regularization, options.unobserved_weight))
    choice = choose(
        train, order, start=start, dimensions=options.dimensions, dense_below=options.dense_below,
        most=options.choose_by, seed=options.seed, dense_keep=MOST_WEIGHTS // max(1, train.shape[1]), said=tell,
    )  # fmt: skip
    neighbours = choice.neighbours(train)
    tell(f"{neighbours.nnz:,} neighbours learned")
    vectors = choice.taste.item_vectors(train, options.dimensions, ITERATIONS, options.seed)
    tell(f"item vectors learned, {vectors.shape[1]} dimensions")
    popularity = np.bincount(train.indices, minlength=train.shape[1]).astype(np.float32)
    return Learned(choice, neighbours, vectors, choice.taste.people(train, vectors, train), popularity)


def measure(data: Interactions, learned: Learned, name: str, floors: Floors) -> list[Measure]:
    """Every part and what is served, over all people of the test file who want something they do not have."""
    asked = np.flatnonzero(np.diff(data.test.indptr)).astype(np.int32)
    seen, wanted = data.train[asked], data.test[asked]
    of_asked = Learned(
        learned.choice, learned.neighbours, learned.item_vectors, learned.people[asked], learned.popularity
    )
    least = {"served": (floors.recall, floors.ndcg), "item vectors": (floors.vectors, 0.0)}
    found = []
    for part, scores in of_asked.scores(seen).items():
        recall, ndcg = recall_and_ndcg(scores, seen, wanted)
        least_recall, least_ndcg = least.get(part, (0.0, 0.0))
        best = part == "served"
        recall_anchor = {"served": floors.anchors[0], "item vectors": floors.anchors[2]}.get(part, "")
        found += [
            Measure(f"{name}, {part}", f"Recall@{K}", float(recall.mean()), least_recall,
                    floors.goal if best else None, anchor=recall_anchor),
            Measure(f"{name}, {part}", f"NDCG@{K}", float(ndcg.mean()), least_ndcg,
                    anchor=floors.anchors[1] if best else ""),
        ]  # fmt: skip
    return found
