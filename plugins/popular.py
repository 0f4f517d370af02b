"""Offer and prefer what many have bought lately."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from plugins.best_first import Logarithms, Remembered
from plugins.contract import Candidates, Context, Floats, Ints, hookimpl, scaled


@dataclass(frozen=True)
class Plugin:
    """Counts enter as logarithms: the second buyer says more than the thousandth."""

    reason: ClassVar = ("popular", "Popular right now")
    _orders: Remembered = field(default_factory=Remembered, init=False, repr=False, compare=False)
    _logs: Logarithms = field(default_factory=Logarithms, init=False, repr=False, compare=False)

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints | None:
        buyers = context.model.popularity(context.region)
        if buyers is None:
            return None
        return self._orders.best(context, (context.model.id, context.region), buyers, limit)

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        buyers = context.model.popularity(context.region)
        if buyers is None:
            return None
        return scaled(candidates.lookup(self._logs.of((context.model.id, context.region), buyers)))
