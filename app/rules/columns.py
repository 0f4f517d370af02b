"""Which items expressions name, and what boosts add up to, as columns over the catalogue: made once, kept up with it.

Bounded in bytes: what was not asked longest is forgotten and computed again when it is needed. The loop's thread only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.filters.masks import EVERY_ROW, Filter, Rows
from store.catalogue import Catalogue
from store.records import Floats, Mask

Cells: TypeAlias = NDArray[Any]
Compute: TypeAlias = Callable[[Rows], Cells]


class Columns:
    """Arrays with a row for each of catalogue.size items, by key; after a change only the changed items are computed.
    Not to be written to by who is given one."""

    def __init__(self, catalogue: Catalogue, bytes_at_most: int) -> None:
        self._catalogue = catalogue
        self._bytes_at_most = bytes_at_most
        self._roomy = bytes_at_most // 2
        """Up to here nobody has to keep book of what was asked last."""
        self._bytes = 0
        self._kept: OrderedDict[Hashable, tuple[int, Cells]] = OrderedDict()

    def mask(self, named: Filter) -> Mask:
        """What an expression names."""
        known = self._kept.get(named.text)
        if known is not None and known[0] == self._catalogue.version and self._bytes <= self._roomy:
            return known[1]
        mask: Mask = self._column(named.text, lambda rows: named.rows(self._catalogue, rows))
        return mask

    def all_of(self, key: Hashable, named: Sequence[Filter]) -> Mask:
        """What every one of these expressions names; `key` is theirs alone."""
        mask: Mask = self._column(
            ("all", key), lambda rows: np.logical_and.reduce([self.mask(one)[rows] for one in named])
        )
        return mask

    def packed(self, key: Hashable, named: Sequence[Filter]) -> NDArray[np.uint8]:
        """Which of these expressions name an item: a row of bits for each item, the first expression the lowest bit;
        `key` is theirs alone."""

        def pack(rows: Rows) -> Cells:
            found = np.zeros((len(named), len(self._catalogue.price[rows])), np.bool_)
            for place, one in enumerate(named):
                found[place] = one.rows(self._catalogue, rows)
            return np.ascontiguousarray(np.packbits(found, axis=0, bitorder="little").T)

        rows: NDArray[np.uint8] = self._column(("packed", key), pack)
        return rows

    def sum_of(self, key: Hashable, named: Sequence[tuple[float, Filter]]) -> Floats:
        """The strengths of all expressions that name an item; `key` is theirs alone."""

        def total(rows: Rows) -> Floats:
            found = np.zeros(len(self._catalogue.price[rows]), np.float32)
            for strength, one in named:
                found += self.mask(one)[rows] * np.float32(strength)
            return found

        sums: Floats = self._column(("sum", key), total)
        return sums

    def _column(self, key: Hashable, compute: Compute) -> Cells:
        version = self._catalogue.version
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
            if known[0] == version:
                return known[1]
            changed = self._catalogue.changed_since(known[0])
            if changed is not None:
                cells = _of_size(known[1], self._catalogue.size)
                cells[changed] = compute(changed)
                self._keep(key, version, cells)
                return cells
        cells = compute(EVERY_ROW)
        self._keep(key, version, cells)
        return cells

    def _keep(self, key: Hashable, version: int, cells: Cells) -> None:
        before = self._kept.pop(key, None)
        self._bytes += cells.nbytes - (before[1].nbytes if before else 0)
        self._kept[key] = (version, cells)
        while self._bytes > self._bytes_at_most and len(self._kept) > 1:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= gone.nbytes


def _of_size(cells: Cells, size: int) -> Cells:
    """The same array where it is long enough, else a longer one."""
    if len(cells) == size:
        return cells
    longer = np.zeros((size, *cells.shape[1:]), cells.dtype)
    longer[: len(cells)] = cells
    return longer
