"""Lets the figures a generation is judged by through the door: sums over people, each person's row bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.learning.judge import LONGEST_ROW, AddUp, Figures
from app.learning.release import BudgetSpent

if TYPE_CHECKING:
    from app.learning.train import Draft

NAME = "judge.home"


def adding_up(draft: Draft) -> AddUp | None:
    """How figures are added up so that the sums may be known; None where they may be known as they are."""
    door = draft.door
    if door is None or door.mode == "exact":
        return None

    def add_up(rows: Figures) -> tuple[Figures, float]:
        nothing = np.zeros(rows.shape[1])
        if not door.open or not draft.config.training.judged_people or draft.card.get("too_few"):
            return nothing, 0.0
        people = np.full(rows.shape[1], len(rows))
        try:
            multiplier = door.multiplier("judge")
            sums = door.release(
                rows.sum(axis=0), name=NAME, sensitivity=LONGEST_ROW, noise_multiplier=multiplier, subjects=people
            )
        except BudgetSpent:
            return nothing, 0.0
        return sums, multiplier * LONGEST_ROW

    return add_up
