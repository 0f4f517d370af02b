"""Offer and prefer what the visitor has bought before, the more often and the more recently the better."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from plugins.best_first import best_first
from plugins.contract import Candidates, Context, Floats, Ints, hookimpl


@dataclass(frozen=True)
class Plugin:
    """Needs the purpose vault.purchases: without it nothing is known of purchases. Refunds make a count smaller."""

    half_life_days: Annotated[float, Meta(gt=0)] = 3650.0
    rest_days: Annotated[float, Meta(ge=0)] = 0.0
    """Nobody needs the next one so soon: not offered for this long after buying."""
    often: Annotated[float, Meta(ge=1)] = 10.0
    """Bought so many times counts 1 in a search, however often the other matches were bought."""
    reason: ClassVar = ("buy_again", "You bought this before")

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints | None:
        visitor = context.visitor
        return best_first(visitor.bought, self._worth(context), limit) if len(visitor.bought) else None

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        visitor = context.visitor
        if not len(visitor.bought):
            return None
        worth = candidates.spread(visitor.bought, self._worth(context))
        return context.scaled(worth / np.float32(math.log1p(self.often)))

    def _worth(self, context: Context) -> Floats:
        visitor = context.visitor
        days = visitor.bought_ago / np.float32(86_400)
        worth = np.log1p(np.maximum(visitor.bought_times, 0)) * np.exp2(days / np.float32(-self.half_life_days))
        return np.where(days >= self.rest_days, worth, np.float32(0))
