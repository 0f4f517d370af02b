"""Offer and prefer what is close to many items of the visitor's history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from plugins.contract import Candidates, Context, Floats, Ints, hookimpl, scaled


@dataclass(frozen=True)
class Plugin:
    """Sums the learned neighbours of every history item, weighted by how much it meant."""

    reason: ClassVar = ("history", "Because you {did} {anchor}")

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints | None:
        links = context.history_links
        if not len(links):
            return None
        return context.board.best(links.items, links.scores, limit, context.catalogue.size)[0]

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        links = context.history_links
        if not len(links):
            return None
        scores, trust = scaled(candidates.spread(links.items, links.scores)), context.model.neighbours_trust
        return scores if trust == 1 else scores * np.float32(trust)
