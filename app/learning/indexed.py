"""The rows of a table of vectors that are worth finding, and a graph over them where a scan would be slower."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from store.index import VectorIndex
from store.records import Floats

if TYPE_CHECKING:
    from app.learning.train import Draft


def index(draft: Draft, name: str, vectors: Floats, rows: NDArray[np.int64]) -> None:
    """Put labels, and a graph if the rows are many, into a generation in the making."""
    options = draft.config.retrieval
    draft.arrays[f"{name}.labels"] = rows.astype(np.int64)
    if len(rows) >= options.exact_below:
        graph = VectorIndex.build(
            np.ascontiguousarray(vectors[rows]),
            rows.astype(np.int64),
            m=options.m,
            ef_construction=options.ef_construction,
            seed=draft.config.training.seed,
        )
        draft.files[f"{name}.hnsw"] = graph.save
