"""Offer again what the visitor looked at last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from plugins.contract import Candidates, Context, Floats, Ints, hookimpl


@dataclass(frozen=True)
class Plugin:
    """Items of this visit, newest first, then those of earlier ones."""

    reason: ClassVar = ("recently_viewed", "You looked at this")

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints | None:
        items = _newest_first(context)
        return items[:limit] if len(items) else None

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        items = _newest_first(context)
        if not len(items):
            return None
        return candidates.spread(items, np.linspace(1, 0, len(items), endpoint=False, dtype=np.float32))


def _newest_first(context: Context) -> Ints:
    visitor = context.visitor
    earlier = visitor.history.take(np.argsort(visitor.seen_at, kind="stable"))
    return context.board.distinct(np.concatenate((visitor.viewed[::-1], earlier)), context.catalogue.size)
