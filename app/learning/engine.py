"""Adds people up wherever the configured engine computes: shards of people, blocks of items, one exact sum."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app.config import Config
from app.learning.contributions import Contributions
from app.learning.dp_als import Recipe, Sums
from app.learning.person_statistics import Ridge, Statistics, statistics
from app.program import program
from plugins.engine import Arrays, EngineSetup, TrainingEngine, added
from plugins.manager import Plugins
from store.records import Floats

BYTES = 8
"""Of a number in a sum."""


@contextmanager
def open_engine(config: Config, plugins: Plugins) -> Iterator[TrainingEngine]:
    """The engine `[training] engine` names. Raises PluginFailed."""
    engine = plugins.training_engine(config.training.engine, EngineSetup(tuple(program())))
    try:
        yield engine
    finally:
        engine.close()


def sums_over(
    people: Contributions, recipe: Recipe, engine: TrainingEngine, *, shard_people: int, statistics_bytes: int
) -> Sums:
    """The statistics of `people` as `engine` computes them. Raises EngineFailed.

    A person is in one shard. More than one block of items means that every person is solved once per block.
    """
    row = recipe.dimensions * (recipe.dimensions + 3) // 2 * BYTES
    items_at_once = max(1, statistics_bytes // row)

    def sums(vectors: Floats) -> Iterator[tuple[slice, Statistics]]:
        for first in range(0, people.items, items_at_once):
            block = slice(first, min(first + items_at_once, people.items))
            shards = _shards(people, vectors, recipe.ridge, block, shard_people)
            total = engine.map_merge(shard_statistics, shards, added)
            yield block, Statistics(total["gram"], total["left"], total["right"])

    return sums


def shard_statistics(shard: Arrays) -> Arrays:
    """One shard's sums: what a worker computes."""
    shape = (len(shard["indptr"]) - 1, len(shard["item_vectors"]))

    def table(data: NDArray[Any]) -> csr_matrix:
        return csr_matrix((data, shard["indices"], shard["indptr"]), shape=shape)

    people = Contributions(table(shard["weights"]), table(shard["values"]))
    first, stop = shard["block"]
    found = statistics(people, shard["item_vectors"], Ridge(*shard["ridge"].tolist()), slice(int(first), int(stop)))
    return {"gram": found.gram, "left": found.left, "right": found.right}


def _shards(
    people: Contributions, vectors: Floats, ridge: Ridge, block: slice, shard_people: int
) -> Iterator[dict[str, NDArray[Any]]]:
    for first in range(0, max(people.people, 1), shard_people):
        some = people.rows(first, first + shard_people)
        yield {
            "weights": some.weights.data, "values": some.values.data,
            "indices": some.weights.indices, "indptr": some.weights.indptr,
            "item_vectors": vectors, "block": np.array([block.start, block.stop]),
            "ridge": np.array([ridge.unobserved, ridge.regularization, ridge.longest]),
        }  # fmt: skip
