"""Next clicks of the visits in anyone's file: every prefix of every test session, HR@20 and MRR@20.

Settings are chosen on the latest tenth of the training sessions (app/learning/session_choice.py), the index is the
product's own, and what comes out short is filled with what is popular, as the server does. Whether the current item may
be offered again is part of the choice and said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from app.config.sections import TrainingOptions
from app.learning.lists import K
from app.learning.session_choice import SessionChoice, choose_sessions, steps_of
from app.learning.sessions import SessionArrays, SessionIndex, build_session_index
from app.quality.files import Clicks, FileUnreadable, Vocabulary, read_clicks
from app.quality.measure import Measure
from store.records import Ints


@dataclass(frozen=True)
class Sessions:
    train: Clicks
    test: Clicks
    items: int
    """Distinct items of the training file; higher numbers are of the test file alone."""


def read_sessions(train: Path, test: Path) -> Sessions:
    """Both files. Raises FileUnreadable."""
    items = Vocabulary()
    past = read_clicks(train, items)
    known = len(items)
    future = read_clicks(test, items)
    if not steps_of(future.visits()):
        raise FileUnreadable(f"{test}: no session has a second click, so there is nothing to guess")
    return Sessions(past, future, known)


def learn(data: Sessions, options: TrainingOptions, said: Callable[[str], None]) -> tuple[SessionArrays, SessionChoice]:
    """Choose on the latest training sessions, then index all of them."""
    started = perf_counter()
    past = data.train

    def tell(what: str) -> None:
        said(f"  {perf_counter() - started:6.1f} s  {what}")

    choice = choose_sessions(
        past.session, past.item, past.time, items=data.items, most=options.choose_by,
        sessions_per_item=options.sessions_per_item, said=tell,
    )  # fmt: skip
    arrays = build_session_index(
        past.session, past.item, past.time, items=data.items, sessions_per_item=options.sessions_per_item
    )
    tell(f"{len(past):,} clicks indexed")
    return arrays, choice


def measure(
    data: Sessions, arrays: SessionArrays, choice: SessionChoice, name: str, floors: tuple[float, float] = (0.0, 0.0)
) -> tuple[list[Measure], dict[str, Any]]:
    """MRR@20 and HR@20 over all prefixes, and what was counted."""
    index = SessionIndex(arrays, choice.settings)
    popular = np.argsort(-np.bincount(data.train.item, minlength=data.items), kind="stable").astype(np.int32)
    steps = steps_of(data.test.visits())
    started = perf_counter()
    ranks = np.array([_rank(_listed(index, popular, visit), wanted) for visit, wanted in steps])
    took = (perf_counter() - started) / len(steps)
    counted = {
        "steps": len(steps),
        "current_item_offered_again": bool(choice.settings.repeat),
        "steps_to_the_current_item": sum(int(visit[-1]) == wanted for visit, wanted in steps),
        "steps_to_an_unknown_item": sum(wanted >= data.items for _, wanted in steps),
        "milliseconds_a_list": round(1000 * took, 3),
    }
    return [
        Measure(name, f"MRR@{K}", float(ranks.mean()), floors[0]),
        Measure(name, f"HR@{K}", float((ranks > 0).mean()), floors[1]),
    ], counted


def _listed(index: SessionIndex, popular: Ints, visit: Ints) -> Ints:
    """The list for a visit: what visits like it went on to, then what is popular; unknown items are passed over."""
    known = visit[visit < index.items]
    items = index.scores(known, K)[0] if len(known) else visit[:0]
    if len(items) == K:
        return items
    more = popular[: 2 * K]
    return np.concatenate((items, more[~np.isin(more, np.append(items, visit[-1]))]))[:K]


def _rank(listed: Ints, wanted: int) -> float:
    places = np.flatnonzero(listed == wanted)
    return 1 / (int(places[0]) + 1) if len(places) else 0.0
