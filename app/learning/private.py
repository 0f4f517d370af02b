"""The steps of a training in `dp` and `threshold`: what may be released is, and artefacts are made of what was.

A step that the budget does not allow is left out and says so; the free parts are made all the same, of what was
released before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from app.learning.accounting import epsilon_of
from app.learning.counted import LEAST_PEOPLE, people_in, popularity_of, release_counts, release_people
from app.learning.memory import Memory
from app.learning.paired import neighbours_of, release_pairs
from app.learning.private_vectors import release_vectors, vectors_of
from app.learning.ranking_step import ranking_of, release_clicks
from app.learning.release import BudgetSpent, Door

if TYPE_CHECKING:
    from app.learning.train import Draft

Step = Callable[["Draft"], None]


STEPS: list[tuple[str, Step]] = [
    ("people", lambda draft: _release(draft, release_people)),
    ("counts", lambda draft: _release(draft, release_counts, enough=True)),
    ("popularity", lambda draft: popularity_of(draft, draft.memory)),
    ("pairs", lambda draft: _release(draft, release_pairs, enough=True)),
    ("neighbours", lambda draft: neighbours_of(draft, draft.memory)),
    ("item vectors", lambda draft: _release(draft, release_vectors, enough=True)),
    ("taste", lambda draft: vectors_of(draft, draft.memory)),
    ("clicks", lambda draft: _release(draft, release_clicks, enough=True)),
    ("ranking weights", lambda draft: ranking_of(draft, draft.memory)),
]
"""What is released and made, in order; every release is remembered before the next is asked for."""


def _release(draft: Draft, release: Callable[[Draft, Door, Memory], None], enough: bool = False) -> None:
    door, memory = draft.door, draft.memory
    if door is None or not door.open or draft.card.get("overspent"):
        return
    if enough and people_in(memory)[0] < LEAST_PEOPLE:
        draft.card["too_few"] = f"fewer than {LEAST_PEOPLE} people: nothing else is released"
        return
    try:
        release(draft, door, memory)
    except BudgetSpent as spent:
        draft.card["overspent"] = str(spent)
        return
    memory.save()


def tell_price(draft: Draft) -> None:
    """Put into the card what was spent, for what, and why no more; and counts of the data as they may be known."""
    door = draft.door
    if door is None or door.mode == "exact":
        return
    options = draft.config.privacy
    people, regions = people_in(draft.memory)
    draft.card |= {"people": max(round(people), 0), "interactions": None, "regions": sorted(regions)}
    card: dict[str, object] = {
        "mode": door.mode,
        "run": door.run.id,
        "unit": "everything of one person in a window",
        "items_per_person": options.items_per_person,
        "pairs_per_person": options.pairs_per_person,
        "releases": sorted({debit.name for debit in door.ledger.debits_of(door.run.id)}),
    }
    if door.mode == "threshold":
        card["people_at_least"] = options.threshold_people
    elif door.run.window is not None:
        spent = door.ledger.spent(door.run.window)
        card |= {
            "epsilon": options.epsilon,
            "delta": options.delta,
            "window": door.run.window,
            "window_days": options.window_days,
            "windows_per_person": options.windows_per_person,
            "why": door.spending.why if door.spending else "",
            "spent": round(spent, 6),
            "spent_epsilon": round(epsilon_of(float(np.sqrt(spent)), options.delta), 4),
            "paid_by": {name: draft.memory.paid_by(name) for name in draft.memory.names},
        }
    draft.card["privacy"] = card
