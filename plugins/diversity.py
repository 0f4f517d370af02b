"""Keep one category or one brand from filling a list."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

from plugins.contract import Candidates, Context, Ints, hookimpl

Share = Annotated[float, Meta(gt=0, le=1)]


@dataclass(frozen=True)
class Plugin:
    """What is beyond its kind's share goes behind everything else, in its order: lists get fuller, never shorter."""

    category_share: Share = 0.4
    """Of the slots of a list, at most this part to one category (the whole path)."""
    brand_share: Share = 0.5

    @hookimpl
    def arrange(self, ranked: Candidates, context: Context) -> Ints | None:
        if len(ranked) <= 1:
            return None
        beyond = _nth(ranked.category) >= math.ceil(self.category_share * context.limit)
        beyond |= _nth(ranked.brand) >= math.ceil(self.brand_share * context.limit)
        return np.concatenate((np.flatnonzero(~beyond), np.flatnonzero(beyond))).astype(np.int32)


def _nth(codes: Ints) -> Ints:
    """How many of the same code come before each, [n]; 0 for the code -1, which is no kind."""
    order = np.argsort(codes, kind="stable")
    ordered = codes.take(order)
    places = np.arange(len(codes), dtype=np.int32)
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    lengths = np.diff(np.append(starts, len(codes)))
    nth = np.empty(len(codes), np.int32)
    nth[order] = places - np.repeat(starts.astype(np.int32), lengths)
    nth[codes < 0] = 0
    return nth
