"""Offer and prefer what sells these days: distinct buyers of the last two weeks, so a season's start shows at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from plugins.best_first import Remembered
from plugins.contract import Candidates, Context, Floats, Ints, hookimpl


@dataclass(frozen=True)
class Plugin:
    """Scores are shares of the bestseller's, whatever the candidates: a slow seller stays one among slow sellers."""

    reason: ClassVar = ("selling_now", "Selling well these days")
    _orders: Remembered = field(default_factory=Remembered, init=False, repr=False, compare=False)

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints | None:
        sells = context.model.selling_now(context.region)
        if sells is None:
            return None
        return self._orders.best(context, (context.model.id, context.region), sells, limit)

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        sells = context.model.selling_now(context.region)
        return None if sells is None else candidates.lookup(sells)
