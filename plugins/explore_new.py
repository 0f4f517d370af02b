"""Give a few slots to new items, so that they can show what they are worth."""

from __future__ import annotations

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
        fresh = np.flatnonzero(ranked.published > context.now - self.new_days * 86_400)
        waiting = fresh[fresh >= shown][: self.among]
        slots = min(slots - int(np.count_nonzero(fresh < shown)), len(waiting))
        if slots <= 0:
            return None
        draw = np.random.default_rng(context.seed)
        chosen = draw.choice(waiting, slots, replace=False)
        places = np.sort(draw.choice(np.arange(self.first_slot, shown), slots, replace=False))
        others = np.delete(np.arange(len(ranked)), chosen)
        # `insert` counts places before insertion; the i-th place has i earlier insertions before it.
        return np.insert(others, places - np.arange(slots), np.sort(chosen)).astype(np.int32)
