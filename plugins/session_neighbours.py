"""Offer and prefer what visits like this one went on to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from plugins.contract import Candidates, Context, Floats, Ints, hookimpl, scaled


@dataclass(frozen=True)
class Plugin:
    """VMIS-kNN (Kersbergen et al., SIGMOD 2022) over the items of the visit; see app/learning/sessions.py."""

    reason: ClassVar = ("co_viewed", "Others who {did} {anchor} went on to this")

    @hookimpl
    def retrieve(self, context: Context, limit: int) -> Ints:
        return context.next_items[0][:limit]

    @hookimpl
    def score(self, candidates: Candidates, context: Context) -> Floats | None:
        items, scores = context.next_items
        return scaled(candidates.spread(items, scores)) if len(items) else None
