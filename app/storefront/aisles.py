"""What stands in which aisle of the demo shop, in which order: read straight from the catalogue's columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from store.catalogue import Catalogue
from store.records import Floats, Ints, Mask

SORTS: Final = {
    "popular": "What people buy",
    "new": "Newest",
    "low": "Price, low first",
    "high": "Price, high first",
}
PAGE_SIZE: Final = 48
STAGE: Final = ("outerwear/rain-jackets", "shoes/boots", "pantry/tea")
"""What the front page opens with: late November."""

Popularity = Callable[[str], Floats | None]
"""Distinct buyers by item number in a region, as far as learned."""


@dataclass(frozen=True)
class Aisles:
    """Questions about the catalogue as a visitor in a region may see it; answers are item numbers."""

    catalogue: Catalogue
    popularity: Popularity

    def tops(self) -> list[str]:
        return sorted(name for name in self.catalogue.top_category_names if self.exists((name,)))

    def exists(self, path: tuple[str, ...]) -> bool:
        return len(self.catalogue.categories_below("/".join(path))) > 0

    def children(self, top: str) -> list[str]:
        """Names directly below a top category, in alphabetical order."""
        names = (name.split("/") for name in self.catalogue.category_names)
        return sorted({steps[1] for steps in names if len(steps) > 1 and steps[0] == top})

    def listing(self, path: tuple[str, ...], region: str, sort: str) -> Ints:
        """Everything of a category that may be shown in the region, in one of SORTS' orders."""
        inside = np.isin(self.catalogue.category, self.catalogue.categories_below("/".join(path)))
        return self._ordered(inside & self._shown(region), region, sort)

    def newest(self, region: str, limit: int) -> Ints:
        return self._ordered(self._shown(region), region, "new")[:limit]

    def best_of(self, path: str, region: str, exclude: tuple[int, ...] = ()) -> int | None:
        """The item that stands for a category: its most bought one."""
        order = self.listing(tuple(path.split("/")), region, "popular")
        return next((int(number) for number in order if int(number) not in exclude), None)

    def available(self, number: int, region: str) -> bool:
        return bool(self._shown(region)[number])

    def _shown(self, region: str) -> Mask:
        return self.catalogue.servable & self.catalogue.in_region(region)

    def _ordered(self, mask: Mask, region: str, sort: str) -> Ints:
        numbers = np.flatnonzero(mask).astype(np.int32)
        by = {"popular": self._bought, "new": self._age, "low": self._cost, "high": self._thrift}[sort]
        return numbers[np.argsort(by(numbers, region), kind="stable")]

    def _bought(self, numbers: Ints, region: str) -> Floats:
        buyers = self.popularity(region)
        found = np.zeros(len(numbers), np.float32)
        if buyers is not None:
            known = numbers < len(buyers)
            found[known] = -buyers[numbers[known]]
        return found

    def _age(self, numbers: Ints, _: str) -> Floats:
        published = self.catalogue.published
        age: Floats = (published.max(initial=0.0) - published[numbers]).astype(np.float32)
        return age

    def _cost(self, numbers: Ints, _: str) -> Floats:
        price: Floats = self.catalogue.price[numbers]
        return price

    def _thrift(self, numbers: Ints, _: str) -> Floats:
        price: Floats = -self.catalogue.price[numbers]
        return price
