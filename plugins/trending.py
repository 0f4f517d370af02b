"""Offer and prefer what sells better this week than it usually does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from plugins.best_first import Logarithms, Remembered
from plugins.contract import Candidates, Context, Floats, Ints, hookimpl, scaled


@dataclass(frozen=True)
class Plugin:
    """Reads the model's ratio of the recent rate to the usual one."""

    reason: ClassVar = ("trending", "Trending now")
    _orders: Remembered = field(default_factory=Remembered, init=False, repr=False, compare=False)
    _logs: Logarithms = field(default_factory=Logarithms, init=False, repr=False, compare=False)

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints | None:
        trend = context.model.trending(context.region)
        if trend is None:
            return None
        return self._orders.best(context, (context.model.id, context.region), trend, limit)

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        trend = context.model.trending(context.region)
        if trend is None:
            return None
        return scaled(candidates.lookup(self._logs.of((context.model.id, context.region), trend)))
