"""Do not recommend the very item the page shows, nor what is in the cart already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plugins.contract import Candidates, Context, Mask, hookimpl


@dataclass(frozen=True)
class Plugin:
    """A search finds them nevertheless."""

    @hookimpl
    def keep(self, candidates: Candidates, context: Context) -> Mask | None:
        if context.searching or (context.item < 0 and not len(context.cart)):
            return None
        kept = np.ones(len(candidates), np.bool_) if not len(context.cart) else ~candidates.contains(context.cart)
        if context.item >= 0:
            kept &= candidates.items != context.item
        return kept
