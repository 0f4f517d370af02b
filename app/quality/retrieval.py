"""Does the index find what a scan of everything finds? HNSW against exact on vectors learned from real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.quality.measure import Measure
from app.serving.options import RetrievalOptions
from store.generation import current, load_generation
from store.index import ExactIndex, VectorIndex

K, QUERIES = 20, 500


def measure(generations: Path, seed: int) -> list[Measure]:
    """Recall@20 of the graph over the served generation's item vectors, for histories of random items."""
    name = current(generations)
    assert name is not None, "measured after a training"
    stored = load_generation(generations, name)
    labels = stored.arrays["taste.labels"]
    vectors = np.ascontiguousarray(stored.arrays["item_vectors"][labels])
    options = RetrievalOptions()
    graph = VectorIndex.build(vectors, labels, m=options.m, ef_construction=options.ef_construction, seed=seed)
    exact = ExactIndex(vectors, labels)
    random = np.random.default_rng(seed)
    found = 0
    for _ in range(QUERIES):
        query = vectors[random.integers(0, len(vectors), 10)].sum(axis=0)
        truth, _ = exact.search(query, K)
        found += len(np.intersect1d(graph.search(query, K, options.ef)[0], truth))
    return [Measure(f"HNSW, {len(vectors):,} items", "recall@20", found / (QUERIES * K), 0.95)]
