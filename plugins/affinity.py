"""Prefer the categories, brands and prices the visitor keeps coming back to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from plugins.contract import Candidates, Context, Floats, hookimpl

_KINDS = ("category", "brand", "band", "category_band")


@dataclass(frozen=True)
class Plugin:
    """How much each kind of affinity counts; "category_band" is a price band within a category: dear shoes."""

    category: float = 1.0
    brand: float = 0.6
    band: float = 0.2
    category_band: float = 0.6
    reason: ClassVar = ("affinity", "Matches what you like")

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        liked = context.visitor.affinities
        if not liked:
            return None
        weights = np.array((self.category, self.brand, self.band, self.category_band), np.float32)
        scores = weights @ context.catalogue.affinity_of(candidates.items, liked)
        return context.scaled(scores / self._favourite(liked) if context.searching else scores)

    def _favourite(self, liked: Mapping[str, float]) -> np.float32:
        """What an item would score that is the visitor's favourite in everything: matches of a query need not be."""
        best = dict.fromkeys(_KINDS, 0.0)
        for key, weight in liked.items():
            kind = key.partition(":")[0]
            if weight > best.get(kind, np.inf):
                best[kind] = weight
        return np.float32(sum(getattr(self, kind) * weight for kind, weight in best.items()) or 1.0)
