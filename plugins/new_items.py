"""Offer and prefer what was published lately."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from msgspec import Meta

from plugins.best_first import Remembered
from plugins.contract import Candidates, Context, Floats, Ints, hookimpl
from store import loops


@dataclass(frozen=True)
class Plugin:
    """An item's worth halves every `half_life_days` after its publication; without a date it has none."""

    half_life_days: Annotated[float, Meta(gt=0)] = 14.0
    reason: ClassVar = ("new", "New in")
    _orders: Remembered = field(default_factory=lambda: Remembered(keys=1), init=False, repr=False, compare=False)

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints:
        return self._orders.best(context, context.catalogue.version, context.catalogue.published, limit)

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats:
        return loops.faded(context.catalogue.published, candidates.items, context.now, self.half_life_days * 86_400)
