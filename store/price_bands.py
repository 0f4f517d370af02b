"""Cheap or dear for its kind: the price band of every item, a decile among its top category's prices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from store.columns import Column
from store.records import Floats, Ints

BANDS = 10


class PriceBands:
    """The band column. Limits between bands are found when first asked for, and again once an eighth of the catalogue
    has changed; until then a new item is sorted into the limits there are."""

    def __init__(self) -> None:
        self.column = Column(np.int32, -1)
        self._deciles: dict[int, NDArray[np.float32]] = {}
        self._put_since = 0
        self._due = False

    def anew(self) -> None:
        """Find the limits with the next question."""
        self._due = True

    def put(self, number: int, top: int, price: float | None, size: int) -> None:
        deciles = self._deciles.get(top)
        if price is None or top < 0:
            self.column.values[number] = -1
        elif deciles is None:
            self._due = True
        else:
            self.column.values[number] = np.searchsorted(deciles, np.float32(price), side="right")
        self._put_since += 1
        if self._put_since > max(16, size // 8):
            self._due = True

    def of_all(self, tops: Ints, prices: Floats) -> Ints:
        """Every item's band, -1 where top category or price is unknown, [size]."""
        size = len(tops)
        if self._due:
            self._deciles = deciles_within(tops, prices)
            self.column.values[:size] = -1
            for top, deciles in self._deciles.items():
                rows = np.flatnonzero((tops == top) & np.isfinite(prices))
                self.column.values[rows] = np.searchsorted(deciles, prices[rows], side="right")
            self._put_since, self._due = 0, False
        return self.column.values[:size]


def deciles_within(groups: Ints, prices: Floats) -> dict[int, NDArray[np.float32]]:
    """The nine inner price deciles of every group; items without a group or a price are left out. {group: [9]}"""
    known = (groups >= 0) & np.isfinite(prices)
    order = np.lexsort((prices[known], groups[known]))
    sorted_groups, sorted_prices = groups[known][order], prices[known][order]
    if not len(sorted_groups):
        return {}
    found, starts = np.unique(sorted_groups, return_index=True)
    ends = np.append(starts[1:], len(sorted_groups))
    shares = np.arange(1, 10) / 10
    return {
        int(group): sorted_prices[start + ((end - start) * shares).astype(np.int64)]
        for group, start, end in zip(found, starts, ends, strict=True)
    }
