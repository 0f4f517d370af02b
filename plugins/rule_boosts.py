"""Obey the rules that promote or bury: a strength is added to the score of what they name."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from plugins.best_first import best_first, exactly
from plugins.contract import Candidates, Context, Floats, Ints, hookimpl
from plugins.ruling import Boost

DEPTH = 1000
ORDERS_AT_MOST = 64
SECONDS = 5.0
"""What a rule brings in is looked up anew so often; what it moves is looked up in every request."""


@dataclass(frozen=True)
class Plugin:
    """Strengths of several rules add up, within -1..1. A rule written for a placement by name also proposes the best
    of what it promotes there; any other only moves what was proposed."""

    reason: ClassVar = ("promoted", "Picked by the shop")
    _orders: dict[Hashable, Ints] = field(default_factory=dict, init=False, repr=False, compare=False)

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints | None:
        bringing = [boost for boost in context.rules.boosts if boost.brings and boost.strength > 0]
        if not bringing:
            return None
        tick = int(context.now // SECONDS)
        lists = [self._best_of(boost, context, tick, limit) for boost in bringing]
        if len(lists) == 1:
            return lists[0]
        turns = [items[place : place + 1] for place in range(limit) for items in lists]
        return context.board.distinct(np.concatenate(turns), context.catalogue.size)[:limit]

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        return context.rules.strength(candidates.items)

    def _best_of(self, boost: Boost, context: Context, tick: int, limit: int) -> Ints:
        """What many buy among what the rule names, then what is newest."""
        if exactly(context):
            assert context.allowed is not None
            named = context.allowed.items
            named = named.compress(boost.mask.take(named))
            return best_first(named, _bought_then_new(named, context), limit)
        key = (context.rules.key, boost.rule, context.model.id, context.region, tick)
        order = self._orders.get(key)
        if order is None:
            while len(self._orders) >= ORDERS_AT_MOST:
                del self._orders[next(iter(self._orders))]
            named = np.flatnonzero(boost.mask).astype(np.int32)
            order = self._orders[key] = best_first(named, _bought_then_new(named, context), DEPTH)
        return order[:limit] if context.allowed is None else context.allowed.first(order, limit)


def _bought_then_new(items: Ints, context: Context) -> Floats:
    """Distinct buyers, and below one buyer's worth the newer the more; always above 0."""
    bought = Candidates(items, context.catalogue).lookup(context.model.popularity(context.region))
    age = np.maximum(context.now - context.catalogue.published.take(items), 0)
    return bought + (1 / (1 + age / 86_400)).astype(np.float32)
