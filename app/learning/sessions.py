"""Guess what a visitor wants next from what earlier visits that looked like this one went on to.

VMIS-kNN (Kersbergen, Sprangers, Schelter, "Serenade", SIGMOD 2022, section 3), a session-nearest-neighbour method
whose index keeps only the most recent visits per product, so that a query costs the same however much was recorded;
with two weights of STAN (Garg et al., SIGIR 2019, section 3): recent visits count more (factor 2 there), and so does
what lies close to the shared product within such a visit (factor 3).
The index is a handful of flat arrays: savable as .npy, usable memory-mapped, shared by processes without a copy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from store import loops
from store.records import Floats, Ints

Longs: TypeAlias = NDArray[np.int64]
SessionArrays: TypeAlias = Mapping[str, NDArray[np.generic]]

_NOTHING: tuple[Ints, Floats] = (np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32))


@dataclass(frozen=True)
class SessionSettings:
    """How the past is compared; chosen on serenade_toy's valid.txt (docs/decisions/session-neighbours.md).

    `last_items` of the visit are looked up; of the `recent_sessions` newest that share one, the `neighbours` most
    alike vote. A vote loses a factor e per `age_days` of the session and per `distance` clicks from the shared item.
    """

    last_items: int = 5
    recent_sessions: int = 500
    neighbours: int = 100
    idf_weight: float = 1.0
    age_days: float = 30.0
    distance: float = 2.0
    revisits: float = 1.0
    """Factor on what the visit has been to before: some shops are compared in, others walked through."""
    repeat: float = 0.0
    """What the current item itself counts, as a share of the best of the others; 0: it is not offered again."""


STANDARD = SessionSettings()

_BEYOND = 50
"""So far behind the list stands what a visit has been to, where that may move up."""


def build_session_index(
    session: Longs,
    item: Ints,
    time: NDArray[np.float64],
    *,
    items: int,
    sessions_per_item: int = 1500,
    items_per_session: int = 50,
) -> dict[str, NDArray[np.generic]]:
    """The arrays of an index over clicks: parallel columns of session number, item number < `items` and epoch seconds.

    A session counts an item once, at its last click, and keeps its last `items_per_session`. An item keeps its
    `sessions_per_item` most recent sessions. Sessions are numbered anew, most recent first.
    """
    session, item, time = _last_click_of_each_item(session, item, time)
    _, session = np.unique(session, return_inverse=True)
    ends = np.full(int(session.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(ends, session, time)
    newest_first = np.argsort(-ends, kind="stable")
    number = np.argsort(newest_first, kind="stable")[session]
    kept = _rank_within(number, -time) < items_per_session
    number, item, time = number[kept], item[kept], time[kept]
    order = np.lexsort((time, number))
    number, item = number[order], item[order]
    session_starts = _starts(number, len(ends))
    return {
        "starts": session_starts,
        "items": item.astype(np.int32),
        "age_days": ((ends.max(initial=0) - ends[newest_first]) / 86_400).astype(np.float32),
        **_postings(item, number, session_starts, items, sessions_per_item),
        "item_idf": _inverse_frequency(item, len(ends), items),
    }


class SessionIndex:
    """Scores items for a running visit from arrays of `build_session_index`; one thread at a time (it owns scratch)."""

    def __init__(self, arrays: SessionArrays, settings: SessionSettings = STANDARD) -> None:
        starts: Longs = np.asarray(arrays["starts"], dtype=np.int64)
        self._postings: tuple[Longs, Ints, Ints] = (
            np.asarray(arrays["item_starts"], dtype=np.int64),
            np.asarray(arrays["item_sessions"], dtype=np.int32),
            np.asarray(arrays["item_positions"], dtype=np.int32),
        )
        age: Floats = np.asarray(arrays["age_days"], dtype=np.float32)
        idf: Floats = np.asarray(arrays["item_idf"], dtype=np.float32)
        freshness: Floats = np.exp(-age / np.float32(settings.age_days))
        self._past: tuple[Floats, Longs, Ints] = (freshness, starts, np.asarray(arrays["items"], dtype=np.int32))
        self._factor: Floats = 1 + np.float32(settings.idf_weight) * idf
        longest = int(np.diff(starts).max(initial=0)) + 1
        self._nearness: Floats = np.exp(-np.arange(longest) / settings.distance).astype(np.float32)
        self.items = len(idf)
        self._settings = settings
        self._bounds = (settings.last_items, settings.recent_sessions, settings.neighbours)
        # Memory of sparse sets (plugins/board.py), of sessions and of items.
        self._slots: tuple[Ints, Ints] = (np.zeros(len(age), np.int32), np.zeros(len(idf), np.int32))

    def scores(self, visit: Sequence[int] | Ints, limit: int) -> tuple[Ints, Floats]:
        """The best `limit` items and their scores, best first, for item numbers of a visit, most recent last.

        The most recent item itself is among them only where `repeat` is above 0. Items the index does not know count
        as a step in the visit and nothing else. An empty visit gives nothing.
        """
        if not len(visit):
            return _NOTHING
        visit = np.asarray(visit, np.int32)
        plain = self._settings.revisits == 1 and not self._settings.repeat
        found = loops.went_on(
            visit, self._postings, self._past, self._nearness, self._factor, self._slots, self._bounds,
            limit if plain else limit + _BEYOND,
        )  # fmt: skip
        return found if plain else self._again(visit, *found, limit)

    def _again(self, visit: Ints, items: Ints, scores: Floats, limit: int) -> tuple[Ints, Floats]:
        """Weigh anew what the visit has been to: what it is at, and what it was at before."""
        if not len(items):
            alone = slice(-1, None) if self._settings.repeat else slice(0)
            return visit[alone], np.ones(len(visit[alone]), np.float32)
        been = np.isin(items, visit)
        scores = np.where(been, scores * np.float32(self._settings.revisits), scores)
        if self._settings.repeat:
            best = np.float32(self._settings.repeat) * scores.max()
            items, scores = np.append(items, visit[-1]), np.append(scores, best)
        order = np.argsort(-scores, kind="stable")[:limit]
        return items.take(order), scores.take(order)


def _last_click_of_each_item(
    session: Longs, item: Ints, time: NDArray[np.float64]
) -> tuple[Longs, Ints, NDArray[np.float64]]:
    order = np.lexsort((time, item, session))
    session, item, time = session[order], item[order], time[order]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (session[1:] != session[:-1]) | (item[1:] != item[:-1])
    return session[last], item[last], time[last]


def _postings(
    item: Ints, session: Longs, session_starts: Longs, items: int, sessions_per_item: int
) -> dict[str, NDArray[np.generic]]:
    """Of every item its sessions, most recent (lowest number) first, and its position in each of them."""
    position = np.arange(len(session)) - session_starts[session]
    order = np.lexsort((session, item))
    order = order[_rank_within(item[order], session[order]) < sessions_per_item]
    return {
        "item_starts": _starts(item[order], items),
        "item_sessions": session[order].astype(np.int32),
        "item_positions": position[order].astype(np.int32),
    }


def _inverse_frequency(item: Ints, sessions: int, items: int) -> Floats:
    """ln(sessions / sessions with the item); 0 for an item in none."""
    degree = np.bincount(item, minlength=items)
    return np.where(degree > 0, np.log(max(sessions, 1) / np.maximum(degree, 1)), 0).astype(np.float32)


def _starts(group: NDArray[np.integer], groups: int) -> Longs:
    return np.concatenate([[0], np.cumsum(np.bincount(group, minlength=groups))]).astype(np.int64)


def _rank_within(group: NDArray[np.integer], key: NDArray[np.generic]) -> Longs:
    """The place 0, 1, … of every entry among those of its group, smallest key first."""
    order = np.lexsort((key, group))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - _starts(group, int(group.max(initial=-1)) + 1)[group[order]]
    return rank
