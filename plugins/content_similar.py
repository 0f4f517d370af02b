"""Offer and prefer what reads like the page's item or the visitor's history: the way in for items nobody knows yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from plugins.contract import Candidates, Context, Floats, Ints, hookimpl


@dataclass(frozen=True)
class Plugin:
    """Content vectors come from titles, categories, brands and prices, so a new item has one at once."""

    enough_history: Annotated[int, Meta(ge=1)] = 6
    """With so many items in a history behaviour says more than words, and this plugin keeps to the page's item."""
    reason: ClassVar = ("content", "In the style of what you looked at")

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints | None:
        direction = self._direction(context)
        if direction is None:
            return None
        # Room for what the filter and the rules will take out.
        found = context.model.nearest_by_content(direction, limit if context.allowed is None else 2 * limit)[0]
        return found if context.allowed is None else context.allowed.first(found, limit)

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        direction = self._direction(context)
        if direction is None:
            return None
        vectors = context.model.content_vectors(candidates.items)
        return None if vectors is None else np.maximum(vectors @ direction, np.float32(0))

    def _direction(self, context: Context) -> Floats | None:
        """The content vector of what the page is about, else of a short history, [d_content]; None without both."""
        if not len(context.anchors):
            return context.content_taste if len(context.visitor.history) < self.enough_history else None
        vectors = context.model.content_vectors(context.anchors)
        if vectors is None:
            return None
        mean: Floats = vectors.mean(axis=0)
        length = float(np.sqrt(mean @ mean))
        return mean / np.float32(length) if length > 0 else None
