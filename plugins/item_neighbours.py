"""Offer and prefer what is close to the item the page is about, or to what is in the cart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from plugins.contract import Candidates, Context, Floats, Ints, hookimpl, scaled
from plugins.links import links_of


@dataclass(frozen=True)
class Plugin:
    """Reads the item neighbours learned from everyone's histories; needs nothing about the visitor."""

    reason: ClassVar = ("similar", "Similar to {page}")

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints | None:
        links = links_of(context.model.neighbours, context.anchors)
        if not len(links):
            return None
        return context.board.best(links.items, links.scores, limit, context.catalogue.size)[0]

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        links = links_of(context.model.neighbours, context.anchors)
        return scaled(candidates.spread(links.items, links.scores)) if len(links) else None
