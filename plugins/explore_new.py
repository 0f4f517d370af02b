"""Give a few slots to new items, so that they can show what they are worth."""

from __future__ import annotations

import bisect
import random
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

from plugins.contract import Candidates, Context, Ints, hookimpl


@dataclass(frozen=True)
class Plugin:
    """A bounded share of the slots, never the first ones; which items and which slots follow from the seed."""

    share: Annotated[float, Meta(ge=0, le=0.5)] = 0.1
    new_days: Annotated[float, Meta(gt=0)] = 14.0
    first_slot: Annotated[int, Meta(ge=0)] = 3
    """Slots before this one are never explored."""
    among: Annotated[int, Meta(ge=1)] = 50
    """Drawn from this many of the best-ranked new items."""

    @hookimpl
    def arrange(self, ranked: Candidates, context: Context) -> Ints | None:
        shown = min(context.limit, len(ranked))
        slots = min(int(self.share * context.limit), shown - self.first_slot)
        if slots <= 0 or shown == len(ranked):
            return None
        fresh = np.flatnonzero(ranked.published > context.now - self.new_days * 86_400).tolist()
        there = bisect.bisect_left(fresh, shown)
        waiting = fresh[there : there + self.among]
        slots = min(slots - there, len(waiting))
        if slots <= 0:
            return None
        draw = random.Random(context.seed)
        chosen = draw.sample(waiting, slots)
        order = list(range(len(ranked)))
        for place in sorted(chosen, reverse=True):
            del order[place]
        for slot, place in zip(sorted(draw.sample(range(self.first_slot, shown), slots)), chosen, strict=True):
            order.insert(slot, place)
        return np.array(order, np.int32)
