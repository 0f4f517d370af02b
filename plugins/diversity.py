"""Keep one category or one brand from filling a list."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

from plugins.contract import Candidates, Context, Ints, hookimpl
from store import loops

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
        within, beyond = loops.spaced([ranked.category, ranked.brand], (of_category, of_brand), context.limit)
        if not len(beyond):
            return None
        seen = len(within) + len(beyond)
        return np.concatenate((within, beyond, np.arange(seen, len(ranked), dtype=np.int32)))
