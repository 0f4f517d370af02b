"""The names of what a visitor can be fond of, and their places in arrays.

"category:shoes/running", "brand:Alder", "band:3" (a price decile) and "category_band:shoes|3" (dear shoes).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from store import loops
from store.columns import Words
from store.loops.plain import KIND_BITS
from store.price_bands import BANDS
from store.records import Floats, Ints, Mask
from store.sensitive import Sensitive

AFFINITY_KINDS = ("category", "brand", "band", "category_band")
"""The rows of `Catalogue.affinity_codes` and `Catalogue.affinity_of`, in this order."""
_CATEGORY, _BRAND, _BAND, _BOTH = range(4)


class AffinityNames:
    """Codes of categories, top categories and brands, and where each affinity key lies."""

    def __init__(self, sensitive: Sensitive) -> None:
        self._sensitive = sensitive
        self.unspoken: set[str] = set()
        """Keys that nobody may be fond of: of sensitive categories."""
        self.categories, self.tops, self.brands = Words(), Words(), Words()
        self.below: dict[str, list[int]] = {}
        """Category path -> codes of it and of all below it."""
        self._places = {f"band:{band}": band << KIND_BITS | _BAND for band in range(BANDS)}

    def category(self, path: tuple[str, ...]) -> int:
        """The code of a whole category path, a new one if it is new; -1 for the empty path."""
        name = "/".join(path)
        code = self.categories.find(name)
        if code < 0 and name:
            code = self.categories.code(name)
            self._places["category:" + name] = code << KIND_BITS | _CATEGORY
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
                self._places[f"category_band:{name}|{band}"] = (code * BANDS + band) << KIND_BITS | _BOTH
            if self._sensitive.path((name,)):
                self.unspoken.update(f"category_band:{name}|{band}" for band in range(BANDS))
        return code

    def brand(self, name: str) -> int:
        code = self.brands.find(name)
        if code < 0 and name:
            code = self.brands.code(name)
            self._places["brand:" + name] = code << KIND_BITS | _BRAND
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

    def fondness(
        self, affinities: Mapping[str, float], items: Ints, columns: tuple[Mask, Ints, Ints, Ints, Ints]
    ) -> Floats:
        """What a visitor's weights say of items, a row for each of AFFINITY_KINDS; keys nobody knows are left out.

        `columns` of the whole catalogue: of what nothing is said, category, brand, band, top category.
        """
        sizes = (len(self.categories), len(self.brands), BANDS, len(self.tops) * BANDS)
        return loops.fondness(affinities, self._places, sizes, items, columns, BANDS)


def category_bands(tops: Ints, bands: Ints) -> Ints:
    """Codes of "category_band" keys; -1 where the band is unknown."""
    return np.where(bands >= 0, tops * BANDS + bands, np.int32(-1))
