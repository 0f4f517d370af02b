"""Obey the rules that promote or bury: a strength is added to the score of what they name."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np

from plugins.best_first import best_first, exactly
from plugins.contract import Candidates, Context, Floats, Ints, hookimpl
from plugins.ruling import Boost

DEPTH = 500
ORDERS_AT_MOST = 2000
"""Of 2 KB each."""
SECONDS, LONG = 5.0, 3600.0
"""What a rule brings in is looked up anew so long after the catalogue changed, or anyway; what it moves is looked up in
every request."""


@dataclass(frozen=True)
class Plugin:
    """Strengths of several rules add up, within -1..1. A rule written for a placement by name also proposes the best
    of what it promotes there; any other only moves what was proposed."""

    reason: ClassVar = ("promoted", "Picked by the shop")
    _orders: dict[Hashable, _Order] = field(default_factory=dict, init=False, repr=False, compare=False)

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints | None:
        rules = context.rules
        bringing = [boost for boost in (*rules.boosts, *rules.brought) if boost.brings and boost.strength > 0]
        if not bringing:
            return None
        if len(bringing) == 1:
            return self._best_of(bringing[0], context, limit)
        share = max(limit // len(bringing), 1)
        lists = [self._best_of(boost, context, share) for boost in bringing[:limit]]
        return context.board.distinct(np.concatenate(lists), context.catalogue.size)[:limit]

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        return context.rules.strength(candidates.items)

    def _best_of(self, boost: Boost, context: Context, limit: int) -> Ints:
        """What many buy among what the rule names, then what is newest."""
        if exactly(context):
            assert context.allowed is not None
            named = context.allowed.items
            named = named.compress(boost.mask.take(named))
            return best_first(named, _bought_then_new(named, context), limit)
        order = self._order_of(boost, context)
        return order[:limit] if context.allowed is None else context.allowed.first(order, limit)

    def _order_of(self, boost: Boost, context: Context) -> Ints:
        key = (context.rules.token, boost.rule, context.model.id)
        kept = self._orders.get(key)
        version = context.catalogue.version
        age = context.now - kept.at if kept is not None else LONG
        if kept is None or not 0 <= age < (LONG if kept.version == version else SECONDS):
            while len(self._orders) >= ORDERS_AT_MOST:
                del self._orders[next(iter(self._orders))]
            named = np.flatnonzero(boost.mask).astype(np.int32)
            order = best_first(named, _bought_then_new(named, context), DEPTH)
            kept = self._orders[key] = _Order(order, version, context.now)
        return kept.items


class _Order(NamedTuple):
    """The best items of what a rule names, when and in which version of the catalogue they were."""

    items: Ints
    version: int
    at: float


def _bought_then_new(items: Ints, context: Context) -> Floats:
    """Distinct buyers anywhere, and below one buyer's worth the newer the more; always above 0."""
    bought = Candidates(items, context.catalogue).lookup(context.model.popularity(""))
    age = np.maximum(context.now - context.catalogue.published.take(items), 0)
    return bought + (1 / (1 + age / 86_400)).astype(np.float32)
