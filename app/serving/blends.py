"""The placements as they serve: configured, with the weights laid over them that the serving generation has learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from app.serving.options import PlacementOptions
from app.serving.placements import Placement, placements_of
from plugins.ruling import RULE_SCORE

Learned = Mapping[str, Mapping[str, Any]]
"""Placement -> its part of the model card (app/learning/ranking_step.py)."""
NOTHING: Learned = {}


class Blends:
    """Laid out anew when another generation serves; for every list it is a look-up."""

    def __init__(self, configured: Mapping[str, PlacementOptions], learned: Callable[[], Learned]) -> None:
        """`learned`: of the serving generation, the same object as long as it serves."""
        self._configured = configured
        self._placements = placements_of(configured)
        self._learned = learned
        self._laid_over: Learned = NOTHING
        self._now = self._placements

    @property
    def now(self) -> Mapping[str, Placement]:
        learned = self._learned()
        if learned is not self._laid_over:
            self._now = {name: self._with(placement, learned) for name, placement in self._placements.items()}
            self._laid_over = learned
        return self._now

    def _with(self, placement: Placement, learned: Learned) -> Placement:
        part = learned.get(placement.name, {})
        weights = part.get("weights")
        if not weights or part.get("configured") != told_weights(placement):
            return placement  # measured by other weights than the shop has by now: the next training learns anew
        named = self._configured[placement.name].weights if placement.name in self._configured else None
        free = {scorer: float(weight) for scorer, weight in weights.items() if scorer not in (named or {})}
        return msgspec.structs.replace(placement, weights=placement.weights | free)


def told_weights(placement: Placement) -> dict[str, float]:
    """A placement's weights as a card has them: of the scorers that count, without the marketers' rules."""
    return {
        scorer: round(float(weight), 4)
        for scorer, weight in placement.weights.items()
        if weight and scorer != RULE_SCORE
    }
