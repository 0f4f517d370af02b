"""The names of what a visitor can be fond of, and their places in arrays.

"category:shoes/running", "brand:Alder", "band:3" (a price decile) and "category_band:shoes|3" (dear shoes).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from store.columns import Words
from store.price_bands import BANDS
from store.records import Floats, Ints
from store.sensitive import Sensitive

AFFINITY_KINDS = ("category", "brand", "band", "category_band")
"""The rows of `Catalogue.affinity_codes` and `Catalogue.affinity_of`, in this order."""


class AffinityNames:
    """Codes of categories, top categories and brands, and where each affinity key lies."""

    def __init__(self, sensitive: Sensitive) -> None:
        self._sensitive = sensitive
        self.unspoken: set[str] = set()
        """Keys that nobody may be fond of: of sensitive categories."""
        self.categories, self.tops, self.brands = Words(), Words(), Words()
        self.below: dict[str, list[int]] = {}
        """Category path -> codes of it and of all below it."""
        self._places = {f"band:{band}": (2, band) for band in range(BANDS)}

    def category(self, path: tuple[str, ...]) -> int:
        """The code of a whole category path, a new one if it is new; -1 for the empty path."""
        name = "/".join(path)
        code = self.categories.find(name)
        if code < 0 and name:
            code = self.categories.code(name)
            self._places["category:" + name] = (0, code)
            if self._sensitive.path(path):
                self.unspoken.add("category:" + name)
            for depth in range(1, len(path) + 1):
                self.below.setdefault("/".join(path[:depth]), []).append(code)
        return code

    def top(self, path: tuple[str, ...]) -> int:
        name = path[0] if path else ""
        code = self.tops.find(name)
        if code < 0 and name:
            code = self.tops.code(name)
            for band in range(BANDS):
                self._places[f"category_band:{name}|{band}"] = (3, code * BANDS + band)
            if self._sensitive.path((name,)):
                self.unspoken.update(f"category_band:{name}|{band}" for band in range(BANDS))
        return code

    def brand(self, name: str) -> int:
        code = self.brands.find(name)
        if code < 0 and name:
            code = self.brands.code(name)
            self._places["brand:" + name] = (1, code)
        return code

    def keys(self, category: int, brand: int, band: int, top: int) -> tuple[str, ...]:
        """The keys of an item with these codes; none for a code of -1."""
        keys = []
        if category >= 0:
            keys.append("category:" + self.categories.names[category])
        if brand >= 0:
            keys.append("brand:" + self.brands.names[brand])
        if band >= 0:
            keys.append(f"band:{band}")
            keys.append(f"category_band:{self.tops.names[top]}|{band}")
        return tuple(keys)

    def key(self, kind: str, code: int) -> str:
        """The key of one of AFFINITY_KINDS with this code."""
        if kind == "category_band":
            return f"category_band:{self.tops.names[code // BANDS]}|{code % BANDS}"
        if kind == "band":
            return f"band:{code}"
        return f"{kind}:{(self.categories if kind == 'category' else self.brands).names[code]}"

    def weights(self, affinities: Mapping[str, float]) -> tuple[Floats, Floats, Floats, Floats]:
        """A visitor's weights as one array per kind, indexed by code; the last cell is 0, so that code -1 finds
        nothing. Keys the catalogue does not know are left out."""
        sizes = (len(self.categories), len(self.brands), BANDS, len(self.tops) * BANDS)
        category, brand, band, both = (np.zeros(size + 1, np.float32) for size in sizes)
        boards = (category, brand, band, both)
        for key, weight in affinities.items():
            place = self._places.get(key)
            if place is not None:
                boards[place[0]][place[1]] = weight
        return boards


def category_bands(tops: Ints, bands: Ints) -> Ints:
    """Codes of "category_band" keys; -1 where the band is unknown."""
    return np.where(bands >= 0, tops * BANDS + bands, np.int32(-1))
