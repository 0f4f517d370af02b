"""Chooses how visits are compared by the latest visits of a shop: what would each setting have offered next?

One thing at a time is tried, from what ships; it changes only where it is better by more than the noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.learning.choice import better
from app.learning.lists import Figures, K
from app.learning.sessions import STANDARD, Longs, SessionArrays, SessionIndex, SessionSettings, build_session_index
from store.records import Ints

LEAST_STEPS = 100
"""So few steps say nothing: what ships is kept."""
SHARE = 0.1
"""Of the visits, the latest, that are asked about."""

TRIED: tuple[dict[str, Sequence[float]], ...] = (
    {"distance": (1.0, 1.5, 3.0, 5.0)},
    {"revisits": (0.5, 1.0, 1.25, 1.5, 2.0)},
    {"repeat": (0.0, 0.3, 0.6, 0.9, 1.1)},
    {"age_days": (7.0, 15.0, 60.0, 180.0)},
    {"idf_weight": (0.0, 0.3, 3.0)},
    {"last_items": (2, 3, 8)},
    {"neighbours": (50, 200, 500)},
    {"recent_sessions": (200, 1000, 1500)},
    {"distance": (1.0, 1.5, 2.0, 3.0, 5.0)},
    {"revisits": (0.7, 1.25, 1.5, 3.0, 5.0)},
)
"""Settings in the order they are tried, each with the values beside the one in force."""


@dataclass(frozen=True)
class SessionChoice:
    """What to compare visits with."""

    settings: SessionSettings = STANDARD
    steps: int = 0
    """Steps of visits it was judged by; 0: not judged, this is what ships."""
    shipped: float = 0.0
    """Mean of MRR@20 and HR@20 as it ships, and as chosen."""
    reached: float = 0.0


def choose_sessions(
    session: Longs,
    item: Ints,
    time: NDArray[np.float64],
    *,
    items: int,
    most: int,
    sessions_per_item: int = 1500,
    start: SessionSettings = STANDARD,
    said: Callable[[str], None] = lambda _: None,
) -> SessionChoice:
    """Settings for clicks (parallel columns as for `build_session_index`); at most `most` steps are asked about.

    The latest tenth of the visits is asked about and not learned from meanwhile.
    """
    late = _latest(session, time)
    if not most or not late.any():
        return SessionChoice(start)
    past = ~late
    steps = steps_of(visits_of(session[late], item[late], time[late]), most)
    if len(steps) < LEAST_STEPS:
        return SessionChoice(start)
    arrays = build_session_index(
        session[past], item[past], time[past], items=items, sessions_per_item=sessions_per_item
    )

    def figures(settings: SessionSettings) -> Figures:
        ranks = reciprocal_ranks(arrays, settings, steps)
        return (ranks + (ranks > 0)) / 2

    known = {start: figures(start)}
    chosen = start
    for tried in TRIED:
        for name, values in tried.items():
            candidates = [replace(chosen, **{name: value}) for value in values]  # type: ignore[arg-type]
            known |= {candidate: figures(candidate) for candidate in candidates if candidate not in known}
            chosen = better({candidate: known[candidate] for candidate in (chosen, *candidates)}, chosen)
    reached, shipped = float(known[chosen].mean()), float(known[start].mean())
    said(f"{chosen}: {reached:.4f} (as it ships: {shipped:.4f}), by {len(steps):,} steps")
    return SessionChoice(chosen, len(steps), shipped, reached)


def visits_of(session: Longs, item: Ints, time: NDArray[np.float64]) -> list[Ints]:
    """Items of every visit in the order of its clicks."""
    if not len(item):
        return []
    order = np.lexsort((time, session))
    return np.split(item[order], np.flatnonzero(np.diff(session[order])) + 1)


def steps_of(visits: Sequence[Ints], most: int = 0) -> list[tuple[Ints, int]]:
    """What was clicked so far and what came next, for every step of every visit; the latest visits when there are more
    than `most` (0: all)."""
    steps: list[tuple[Ints, int]] = []
    for visit in reversed(visits):
        if most and len(steps) >= most:
            break
        steps += [(visit[:length], int(visit[length])) for length in range(1, len(visit))]
    return steps


def reciprocal_ranks(arrays: SessionArrays, settings: SessionSettings, steps: Sequence[tuple[Ints, int]]) -> Figures:
    """1 / place of what came next among the first 20, else 0, of every step."""
    index = SessionIndex(arrays, settings)
    ranks = np.zeros(len(steps))
    for number, (visit, wanted) in enumerate(steps):
        known = visit[(visit >= 0) & (visit < index.items)]
        if len(known):
            found = index.scores(known, K)[0] == wanted
            ranks[number] = 1 / (int(found.argmax()) + 1) if found.any() else 0
    return ranks


def _latest(session: Longs, time: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Clicks of the latest tenth of the visits."""
    names, number = np.unique(session, return_inverse=True)
    ends = np.full(len(names), -np.inf)
    np.maximum.at(ends, number, time)
    late = np.zeros(len(names), np.bool_)
    late[np.argsort(ends, kind="stable")[len(names) - int(len(names) * SHARE) :]] = True
    found: NDArray[np.bool_] = late[number]
    return found
