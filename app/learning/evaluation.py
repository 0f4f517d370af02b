"""Measure how good lists are, by the definitions the published tables use, so that figures can be compared.

Pure functions over lists that are already ranked: item numbers, best first. Truth is what the person went on to do.
"""

from collections.abc import Collection, Sequence

import numpy as np


def recall(ranked: Sequence[int], truth: Collection[int], k: int) -> float:
    """Share of the truth within the first `k` (LightGCN: hits / |truth|, not / min(k, |truth|))."""
    _check(truth, k)
    return len(set(ranked[:k]) & set(truth)) / len(set(truth))


def ndcg(ranked: Sequence[int], truth: Collection[int], k: int) -> float:
    """Gain of the hits, each 1 / log2(place + 1), over that of a perfect list (LightGCN: min(k, |truth|) hits)."""
    _check(truth, k)
    wanted = set(truth)
    discount = 1 / np.log2(np.arange(2, k + 2))
    hits = np.array([item in wanted for item in ranked[:k]], dtype=np.float64)
    return float(hits @ discount[: len(hits)] / discount[: min(k, len(wanted))].sum())


def hit_rate(ranked: Sequence[int], truth: Collection[int], k: int) -> float:
    """1 if anything of the truth is within the first `k`, else 0."""
    _check(truth, k)
    return float(not set(truth).isdisjoint(ranked[:k]))


def reciprocal_rank(ranked: Sequence[int], truth: Collection[int], k: int) -> float:
    """1 / place of the first of the truth within the first `k`, else 0."""
    _check(truth, k)
    wanted = set(truth)
    return next((1 / place for place, item in enumerate(ranked[:k], start=1) if item in wanted), 0.0)


def mean(values: Sequence[float]) -> tuple[float, float]:
    """The mean over people or queries and its standard error; a figure without the second says less than it seems."""
    if not len(values):
        raise ValueError("values: empty; nobody was measured")
    column = np.asarray(values, dtype=np.float64)
    error = column.std(ddof=1) / np.sqrt(len(column)) if len(column) > 1 else np.nan
    return float(column.mean()), float(error)


def _check(truth: Collection[int], k: int) -> None:
    if not truth:
        raise ValueError("truth: empty; leave people without any out of the mean")
    if k < 1:
        raise ValueError(f"k: {k}; a list has at least one place")
