"""Finds items among a few hundred candidates without touching the rest of the catalogue.

A sparse set (Briggs and Torczon, "An efficient representation for sparse sets", 1993): one slot per item of the
catalogue, never cleared, because a slot only counts when the set's own entry points back at it. So a look-up costs what
is looked up, at any catalogue size. One board serves one thread: requests on the loop share one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from store import loops
from store.records import Floats, Ints


class Board:
    """Slots by item number; every question overwrites what it needs of them."""

    def __init__(self) -> None:
        self._slots: Ints = np.zeros(0, np.int32)

    def positions(self, members: Ints, wanted: Ints, size: int) -> Ints:
        """Where each of `wanted` stands in `members` (distinct item numbers below `size`), -1 for those not there."""
        if not len(members):
            return np.full(len(wanted), -1, np.int32)
        slots = self._slots_of(size)
        slots[members] = np.arange(len(members), dtype=np.int32)
        places = slots.take(wanted)
        return np.where(members.take(places, mode="clip") == wanted, places, np.int32(-1))

    def spread(self, members: Ints, items: Ints, scores: Floats, size: int) -> Floats:
        """The sum of `scores` of each member, [len(members)]; `items` that are no members are left out."""
        return loops.spread(members, items, scores, self._slots_of(size))

    def strongest(self, members: Ints, items: Ints, scores: Floats, size: int) -> Ints:
        """Where in `items` each member has its highest score, -1 for one that is not there, [len(members)]."""
        return loops.strongest(members, items, scores, self._slots_of(size))

    def best(self, items: Ints, scores: Floats, limit: int, size: int) -> tuple[Ints, Floats]:
        """The distinct ones of `items` and the sum of each one's scores: the `limit` best above 0, best first."""
        return loops.summed_best(items, scores, limit, self._slots_of(size))

    def in_turns(self, lists: Sequence[Ints], bound: int, size: int) -> Ints:
        """Every item once, at most `bound`: the first of every list, then the second …"""
        return loops.in_turns(lists, bound, self._slots_of(size))

    def distinct(self, items: Ints, size: int) -> Ints:
        """`items` without repetitions, first occurrences in their order."""
        return loops.in_turns([items], len(items), self._slots_of(size))

    def _slots_of(self, size: int) -> Ints:
        if len(self._slots) < size:
            self._slots = np.zeros(size + size // 4, np.int32)
        return self._slots
