"""Keep one category or one brand from filling a list."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

from plugins.contract import Candidates, Context, Ints, hookimpl

Share = Annotated[float, Meta(gt=0, le=1)]


@dataclass(frozen=True)
class Plugin:
    """What is beyond its kind's share goes behind the list, in its order, and comes back where nothing else is left.
    What a rule pinned hard counts for its kind and is not moved."""

    category_share: Share = 0.4
    """Of the slots of a list, at most this part to one category (the whole path)."""
    brand_share: Share = 0.5

    @hookimpl
    def arrange(self, ranked: Candidates, context: Context) -> Ints | None:
        if len(ranked) <= 1:
            return None
        of_category = math.ceil(self.category_share * context.limit)
        of_brand = math.ceil(self.brand_share * context.limit)
        categories: dict[int, int] = {}
        brands: dict[int, int] = {}
        within: list[int] = []
        beyond: list[int] = []
        kinds = list(zip(ranked.category.tolist(), ranked.brand.tolist(), strict=True))
        held = _held(ranked, context)
        for category, brand in (kinds[place] for place in held):
            categories[category] = categories.get(category, 0) + 1
            brands[brand] = brands.get(brand, 0) + 1
        for place, (category, brand) in enumerate(kinds):
            if place in held:
                within.append(place)
                if len(within) == context.limit:
                    break
                continue
            nth, nth_of_brand = categories.get(category, 0), brands.get(brand, 0)
            # -1 is no kind: items without a category or a brand are not held against each other.
            if (nth >= of_category and category >= 0) or (nth_of_brand >= of_brand and brand >= 0):
                beyond.append(place)
                continue
            categories[category] = nth + 1
            brands[brand] = nth_of_brand + 1
            within.append(place)
            if len(within) == context.limit:
                break
        if not beyond:
            return None
        rest = range(within[-1] + 1 if len(within) == context.limit else len(ranked), len(ranked))
        return np.array([*within, *beyond, *rest], np.int32)


def _held(ranked: Candidates, context: Context) -> set[int]:
    """Where hard pins within the list stand."""
    held = context.rules.held()
    if not held:
        return set()
    return {place for place, item in enumerate(ranked.items[: context.limit].tolist()) if item in held}
