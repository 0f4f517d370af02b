"""Offer and prefer what lies where the visitor's own history points in the space of learned vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from plugins.best_first import allowed_below, best_first, exactly
from plugins.contract import Candidates, Context, Floats, Ints, hookimpl


@dataclass(frozen=True)
class Plugin:
    """Vectors by implicit ALS, the visitor's own solved on read (see app/learning/als.py).

    Where the request's filter leaves few items all of them are scored; otherwise the index is asked for what it allows.
    """

    bought_in_search: Annotated[float, Meta(ge=0, le=1)] = 0.4
    """In a search, how much of it counts for what the visitor has bought: their vector was solved to know these items,
    so they would stand before everything new. How likely they are bought again is `buy_again`'s to say."""
    reason: ClassVar = ("taste", "Picked for you")

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints | None:
        taste, vectors, allowed = context.taste, context.model.item_vectors, context.allowed
        if taste is None or vectors is None:
            return None
        if exactly(context):
            items = allowed_below(context, len(vectors))
            return best_first(items, vectors.take(items, axis=0) @ taste, limit)
        return context.model.nearest_by_vector(taste, limit, allowed)[0]

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        taste, vectors = context.taste, context.model.item_vectors
        if taste is None or vectors is None:
            return None
        scores = candidates.products(vectors, taste)
        if context.searching and len(context.visitor.bought):
            scores[candidates.contains(context.visitor.bought)] *= np.float32(self.bought_in_search)
        scores, trust = context.scaled(scores), context.model.taste_trust
        return scores if trust == 1 else scores * np.float32(trust)
