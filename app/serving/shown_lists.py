"""Remembers for a while what the scorers said of lists that were shown, so that a click can tell which of them was
right.

A bounded ring in memory beside the one for "why?" (explanations.py): lists of visitors who agreed to `training` only,
by request id, without the visitor. What a click takes from it is a `ShownList`: scores by place, no items.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from app.serving.options import RankingOptions
from app.serving.rank import Ranking
from plugins.contract import Floats, Ints
from plugins.ruling import RULE_SCORE
from store.records import Purpose, ShownList

MOST_PLACES = 20
"""Nothing is learned from what stands further down."""
FULL = 127.0
_TRAINING = int(Purpose.TRAINING)


class _Shown(NamedTuple):
    at: float
    items: Ints
    parts: Mapping[str, Floats]
    weights: Mapping[str, float]
    fillers: Ints


class ShownLists:
    """The last lists by request id."""

    def __init__(self, options: RankingOptions) -> None:
        self._bound = options.lists if options.learned else 0
        self._seconds = options.minutes * 60
        self._of = 1 << 16
        self._taken = round(options.sampled * self._of)
        self._kept: OrderedDict[str, _Shown] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, request: str, ranking: Ranking, weights: Mapping[str, float], purposes: Purpose, at: float) -> None:
        """Remember a list, where its visitor agreed to `training` and the lot falls on it; request ids are random."""
        if not self._bound or not int(purposes) & _TRAINING or len(ranking.items) < 2:
            return
        if self._taken < self._of and int(request[:4], 16) >= self._taken:
            return
        self._kept[request] = _Shown(at, ranking.items, ranking.parts, weights, ranking.fillers)
        if len(self._kept) > self._bound:
            self._kept.popitem(last=False)

    def clicked(self, request: str, item: int, now: float) -> ShownList | None:
        """The list of that request as a click on `item` tells of it; None where it is forgotten, or says nothing."""
        while self._kept and next(iter(self._kept.values())).at < now - self._seconds:
            self._kept.popitem(last=False)
        shown = self._kept.get(request)
        if shown is None:
            return None
        items = shown.items[:MOST_PLACES]
        filling = np.flatnonzero(np.isin(items, shown.fillers))  # nobody scored what only fills a list up
        count = int(filling[0]) if len(filling) else len(items)
        place = np.flatnonzero(items[:count] == item)
        if not len(place) or count < 2:
            return None
        scores = {
            scorer: np.rint(np.clip(part[:count] / weight, -1, 1) * FULL).astype(np.int8).tobytes()
            for scorer, part in shown.parts.items()
            if scorer != RULE_SCORE and (weight := shown.weights.get(scorer, 0.0)) and part[:count].any()
        }
        return ShownList(int(place[0]), scores) if scores else None
