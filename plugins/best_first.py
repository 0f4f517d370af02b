"""Puts items in order of a score: the best few of some, or of a whole column, remembered while the column lives."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plugins.contract import Context
from store.records import Floats, Ints

Scores: TypeAlias = NDArray[np.floating[Any]]

# Above this many allowed items a walk through the remembered order is cheaper than scoring them all.
EXACT_AT_MOST = 10_000
HALF = 0.5


def best_first(items: Ints, scores: Scores, limit: int) -> Ints:
    """The `limit` items of the highest scores, best first; those scored 0 or less are left out."""
    if limit < len(scores):
        chosen = np.argpartition(scores, len(scores) - limit)[len(scores) - limit :]
        items, scores = items.take(chosen), scores.take(chosen)
    order = np.argsort(-scores, kind="stable")
    return items.take(order[: int(np.count_nonzero(scores > 0))])


def exactly(context: Context) -> bool:
    """Whether the request allows so few items that scoring every one of them beats searching among all."""
    allowed = context.allowed
    return allowed is not None and allowed.share < HALF and allowed.share * len(allowed.mask) <= EXACT_AT_MOST


def allowed_below(context: Context, size: int) -> Ints:
    """The allowed items with numbers below `size`, for an artefact that knows only these."""
    assert context.allowed is not None
    items = context.allowed.items
    return items if len(items) == 0 or items[-1] < size else items[: int(np.searchsorted(items, size))]


class Logarithms:
    """log(1 + column) of columns that stay the same as long as their key does, worked out once; the keys asked last."""

    def __init__(self, keys: int = 64) -> None:
        self._keys = keys
        self._columns: dict[Hashable, Floats] = {}

    def of(self, key: Hashable, column: Scores) -> Floats:
        found = self._columns.get(key)
        if found is None:
            while len(self._columns) >= self._keys:
                del self._columns[next(iter(self._columns))]
            found = self._columns[key] = np.log1p(np.maximum(column, 0)).astype(np.float32)
        return found


class Remembered:
    """The best items of whole columns, best first, for the keys asked last."""

    def __init__(self, depth: int = 5000, keys: int = 64) -> None:
        self._depth = depth
        self._keys = keys
        self._orders: dict[Hashable, Ints] = {}

    def best(self, context: Context, key: Hashable, column: Scores, limit: int) -> Ints:
        """The best `limit` allowed items by a column that stays the same as long as `key` does."""
        if exactly(context):
            items = allowed_below(context, len(column))
            return best_first(items, column.take(items), limit)
        order = self._orders.get(key)
        if order is None:
            while len(self._orders) >= self._keys:
                del self._orders[next(iter(self._orders))]
            order = self._orders[key] = best_first(np.arange(len(column), dtype=np.int32), column, self._depth)
        return order[:limit] if context.allowed is None else context.allowed.first(order, limit)
