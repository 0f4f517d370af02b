"""Obey the rules that pin: an item, or the best of a kind, in a place of the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from plugins.contract import Candidates, Context, Ints, hookimpl
from plugins.ruling import Pin, Placed, in_slots


@dataclass(frozen=True)
class Plugin:
    """Pins by id come first, then those by attribute; within each the higher priority. A slot that is taken leaves the
    next free one. Whoever may not be shown is not pinned."""

    reason: ClassVar = ("pinned", "Picked by the shop")

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints | None:
        pins = context.rules.pins
        wanted = [pins.brought] if len(pins.brought) else []
        wanted += [_best_few(pin, context) for pin in pins.by_expression if pin.brings]
        if not wanted:
            return None
        return context.board.distinct(np.concatenate(wanted), context.catalogue.size)[:limit]

    @hookimpl
    def arrange(self, ranked: Candidates, context: Context) -> Ints | None:
        rules = context.rules
        if not rules.pins or not len(ranked):
            return None
        rules.placed.clear()
        where = ranked.positions(rules.pins.items).tolist()
        by_id = [(pin, at) for pin, at in zip(rules.pins.by_id, where, strict=True) if at >= 0]
        slots: dict[int, int] = {}
        used: set[int] = set()
        for pin, at in (*by_id, *((pin, -1) for pin in rules.pins.by_expression)):
            place = _best_place(pin, ranked, used) if pin.mask is not None else at
            if place < 0 or place in used:
                continue
            slot = pin.slot
            while slot in slots:
                slot += 1
            slots[slot] = place
            used.add(place)
            rules.placed[int(ranked.items[place])] = Placed(pin, slot)
        if not slots:
            return None
        return np.array(in_slots(list(range(len(ranked))), slots), np.int32)


def _best_place(pin: Pin, ranked: Candidates, used: set[int]) -> int:
    """Where the best-ranked item that a pin names stands, of those no other pin has taken; -1 for none."""
    assert pin.mask is not None
    return next((place for place in np.flatnonzero(pin.mask.take(ranked.items)).tolist() if place not in used), -1)


def _best_few(pin: Pin, context: Context, few: int = 20) -> Ints:
    """What many buy among what a pin names and may be shown, so that there is something to put into its slot."""
    assert pin.mask is not None
    named = pin.mask if context.allowed is None else pin.mask & context.allowed.mask
    items = np.flatnonzero(named).astype(np.int32)
    bought = Candidates(items, context.catalogue).lookup(context.model.popularity(context.region))
    return items.take(np.argsort(-bought, kind="stable")[:few])
