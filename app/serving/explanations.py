"""Remembers for a few minutes how lists came out, so that "why this item?" has an answer. Holds no visitor.

A bounded ring in memory: numbers of candidates, shares of the score, what was filtered. Once it is forgotten, a request
with `explain: true` gives a new one.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import msgspec
import numpy as np

from app.serving.rank import Ranking
from app.serving.reasons import Reason
from store.catalogue import Catalogue


class ItemExplanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why one item is where it is."""

    id: str
    index: int
    score: float
    parts: dict[str, float]
    """Scorer plugin -> its share of the score."""
    proposed_by: list[str]
    reason: dict[str, str] = {}
    fills: bool = False
    """It only fills the list up."""


class Explanation(msgspec.Struct, frozen=True):
    """How one list came out."""

    request_id: str
    placement: str
    strategy: str
    model: str
    weights: dict[str, float]
    considered: int
    kept: int
    dropped: dict[str, int]
    """What took how many candidates out."""
    proposed: dict[str, int]
    """Retriever plugin -> how many it proposed."""
    items: list[ItemExplanation]


@dataclass(frozen=True)
class Remembered:
    """One list as it was made; spelled out only when somebody asks."""

    request_id: str
    at: float
    placement: str
    strategy: str
    model: str
    weights: dict[str, float]
    ranking: Ranking
    reasons: list[Reason]

    def explain(self, catalogue: Catalogue) -> Explanation:
        """The explanation, with ids for numbers."""
        ranking = self.ranking
        numbers = ranking.items.tolist()
        first_fill = len(numbers) - ranking.filled
        items = [
            ItemExplanation(
                catalogue.ids[number],
                index,
                round(sum(float(part[index]) for part in ranking.parts.values()), 4),
                {name: round(float(part[index]), 4) for name, part in ranking.parts.items() if part[index]},
                [name for name, proposed in ranking.proposals.items() if np.any(proposed == number)],
                self.reasons[index]._asdict() if index < len(self.reasons) else {},
                index >= first_fill,
            )
            for index, number in enumerate(numbers)
        ]
        return Explanation(
            self.request_id,
            self.placement,
            self.strategy,
            self.model,
            self.weights,
            ranking.considered,
            ranking.kept,
            ranking.dropped,
            {name: len(proposed) for name, proposed in ranking.proposals.items()},
            items,
        )


class Explanations:
    """The last lists by request id: at most `bound`, none older than `seconds`."""

    def __init__(self, bound: int, seconds: float) -> None:
        self._bound = bound
        self._seconds = seconds
        self._kept: OrderedDict[str, Remembered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, made: Remembered) -> None:
        """Remember a list, and forget those that are too old or too many."""
        if not self._bound:
            return
        self._kept[made.request_id] = made
        while len(self._kept) > self._bound:
            self._kept.popitem(last=False)
        self.forget_before(made.at - self._seconds)

    def get(self, request_id: str, now: float) -> Remembered | None:
        """The list of that request, None where it was never made or has been forgotten."""
        self.forget_before(now - self._seconds)
        return self._kept.get(request_id)

    def forget_before(self, at: float) -> None:
        """Drop what is older."""
        while self._kept and next(iter(self._kept.values())).at < at:
            self._kept.popitem(last=False)
