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

from plugins.board import Board
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


STANDARD = SessionSettings()


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
        self._session_starts: Longs = np.asarray(arrays["starts"], dtype=np.int64)
        self._session_items: Ints = np.asarray(arrays["items"], dtype=np.int32)
        self._item_starts: Longs = np.asarray(arrays["item_starts"], dtype=np.int64)
        self._item_sessions: Ints = np.asarray(arrays["item_sessions"], dtype=np.int32)
        self._item_positions: Ints = np.asarray(arrays["item_positions"], dtype=np.int32)
        age: Floats = np.asarray(arrays["age_days"], dtype=np.float32)
        idf: Floats = np.asarray(arrays["item_idf"], dtype=np.float32)
        self._freshness: Floats = np.exp(-age / np.float32(settings.age_days))
        self._factor: Floats = 1 + np.float32(settings.idf_weight) * idf
        longest = int(np.diff(self._session_starts).max(initial=0)) + 1
        self._nearness: Floats = np.exp(-np.arange(longest) / settings.distance).astype(np.float32)
        self._settings = settings
        self._board = Board()
        # Per session: where it was entered last, within one query.
        self._slots: Ints = np.zeros(len(age), dtype=np.int32)

    def scores(self, visit: Sequence[int] | Ints, limit: int) -> tuple[Ints, Floats]:
        """The best `limit` items and their scores, best first, for item numbers of a visit, most recent last.

        The most recent item itself is never among them. Items the index does not know count as a step in the visit
        and nothing else. An empty visit gives nothing.
        """
        # Most recent first, each item once at its most recent place.
        recent = list(dict.fromkeys(reversed([int(item) for item in visit[-self._settings.last_items :]])))
        neighbours, weights, matches = self._neighbours(recent)
        if not len(neighbours):
            return _NOTHING
        starts = self._session_starts.take(neighbours)
        lengths = self._session_starts.take(neighbours + 1) - starts
        ends = lengths.cumsum()
        # Every click of every neighbour: whose it is, and where it lies in the index.
        of = np.repeat(np.arange(len(starts)), lengths)
        click = np.arange(int(ends[-1])) + (starts - ends + lengths).take(of)
        away = np.abs(click - (starts + matches).take(of))
        votes = weights.take(of) * self._nearness.take(away)
        items, totals = self._board.totals(self._session_items.take(click), votes, len(self._factor))
        others = np.flatnonzero(items != recent[0])
        items = items.take(others)
        return _best(items, totals.take(others) * self._factor.take(items), limit)

    def _neighbours(self, recent: Sequence[int]) -> tuple[Ints, Floats, Ints]:
        """The most similar of the most recent sessions that share an item with `recent` (most recent first), their
        weights, and the place in each of its match nearest to the end of the visit."""
        last = len(self._item_starts) - 1
        # Oldest first, so that the last entry of a session is its match nearest to the end of the visit.
        steps = [step for step in reversed(range(len(recent))) if 0 <= recent[step] < last]
        entries = [slice(*self._item_starts[recent[step] : recent[step] + 2].tolist()) for step in steps]
        if not entries:
            return *_NOTHING, _NOTHING[0]
        sessions = np.concatenate([self._item_sessions[part] for part in entries])
        positions = np.concatenate([self._item_positions[part] for part in entries])
        step = np.repeat(np.array(steps), [part.stop - part.start for part in entries])
        # Of several values for one slot numpy keeps the last: so every entry learns which one speaks for its session.
        count = np.arange(len(sessions), dtype=np.int32)
        self._slots[sessions] = count
        spoken_for = self._slots.take(sessions)
        similarity = np.bincount(spoken_for, (len(recent) - step) / len(recent), len(sessions)).astype(np.float32)
        speaking = np.flatnonzero(spoken_for == count)
        speaking = speaking.take(self._most_alike(sessions.take(speaking), similarity.take(speaking)))
        sessions = sessions.take(speaking)
        nearer = np.maximum(0, 1 - 0.1 * (step.take(speaking) + 1)).astype(np.float32)
        weights = similarity.take(speaking) * nearer * self._freshness.take(sessions)
        return sessions, weights, positions.take(speaking)

    def _most_alike(self, sessions: Ints, similarity: Floats) -> Longs:
        """Which of the distinct `sessions` vote: places, in no order."""
        newest, best = self._settings.recent_sessions, self._settings.neighbours
        chosen = np.arange(len(sessions))
        if len(sessions) > newest:
            chosen = np.argpartition(sessions, newest)[:newest]
        if len(chosen) > best:
            # Of equally similar sessions the recent one, which has the lower number.
            order = sessions.take(chosen) * 1e-9 - similarity.take(chosen)
            chosen = chosen.take(np.argpartition(order, best)[:best])
        return chosen


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


def _best(items: Ints, scores: Floats, limit: int) -> tuple[Ints, Floats]:
    if limit < len(items):
        chosen = np.argpartition(-scores, limit)[:limit]
        items, scores = items.take(chosen), scores.take(chosen)
    order = np.argsort(-scores, kind="stable")
    return items.take(order), scores.take(order)
