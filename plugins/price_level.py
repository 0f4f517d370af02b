"""Prefer what costs about what this visitor usually spends: learns a feature of its own from every event."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from plugins.contract import Candidates, Context, Floats, hookimpl
from store.records import LoggedEvent, ProfileFeatures

INTERESTED = frozenset({"view_item", "select_item", "add_to_cart", "purchase"})


@dataclass(frozen=True)
class Plugin:
    """A running mean of the logarithm of prices seen; no single price or item is kept."""

    memory: Annotated[float, Meta(ge=1)] = 20.0
    """About how many events the mean looks back."""
    tolerance: Annotated[float, Meta(gt=1)] = 2.0
    """A price this many times off the usual one scores half as well."""
    reason: ClassVar = ("price_level", "In your price range")

    @hookimpl
    def update_features(self, features: ProfileFeatures, event: LoggedEvent) -> dict[str, float] | None:
        if event.name not in INTERESTED:
            return None
        prices = [line.price for line in event.lines if line.price is not None and line.price > 0]
        if not prices:
            return None
        seen = features.extra.get("price_level.seen", 0.0)
        mean = features.extra.get("price_level.log_price", 0.0)
        now = sum(math.log(price) for price in prices) / len(prices)
        return {
            "log_price": mean + (now - mean) / min(seen + 1, self.memory),
            "seen": min(seen + 1, self.memory),
        }

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        usual = context.visitor.extra.get("price_level.log_price")
        if usual is None:
            return None
        off: Floats = candidates.log_price - np.float32(usual)
        np.abs(off, out=off)
        off *= np.float32(-1 / math.log(self.tolerance))
        np.exp2(off, out=off)
        return off
