"""Prefer the categories, brands and prices the visitor keeps coming back to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from plugins.contract import Candidates, Context, Floats, hookimpl, scaled


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
        return scaled(weights @ context.catalogue.affinity_of(candidates.items, liked))
