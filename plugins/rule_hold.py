"""Give hard pins back the places that other arrangers took from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plugins.contract import Candidates, Context, Ints, hookimpl
from plugins.ruling import in_slots


@dataclass(frozen=True)
class Plugin:
    """Asked last, when a list is otherwise finished; soft pins stay where they were put."""

    @hookimpl
    def arrange(self, ranked: Candidates, context: Context) -> Ints | None:
        held = {item: placed.slot for item, placed in context.rules.placed.items() if placed.pin.hard}
        if not held or not len(ranked):
            return None
        where = ranked.positions(np.array(list(held), np.int32)).tolist()
        slots = {slot: place for slot, place in zip(held.values(), where, strict=True) if place >= 0}
        order = in_slots(list(range(len(ranked))), slots)
        return None if order == list(range(len(ranked))) else np.array(order, np.int32)
