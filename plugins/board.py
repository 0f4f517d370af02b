"""Finds items among a few hundred candidates without touching the rest of the catalogue.

A sparse set (Briggs and Torczon, "An efficient representation for sparse sets", 1993): one slot per item of the
catalogue, never cleared, because a slot only counts when the set's own entry points back at it. So a look-up costs what
is looked up, at any catalogue size. One board serves one thread: requests on the loop share one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from store.records import Floats, Ints


class Board:
    """Slots by item number; holds the set it was last asked about."""

    def __init__(self) -> None:
        self._slots = np.zeros(0, np.int32)
        self._count = np.arange(1024, dtype=np.int32)
        self._held: Ints | None = None

    def positions(self, members: Ints, wanted: Ints, size: int) -> Ints:
        """Where each of `wanted` stands in `members` (distinct item numbers below `size`), -1 for those not there."""
        if not len(members):
            return np.full(len(wanted), -1, np.int32)
        self._hold(members, size)
        slots = self._slots.take(wanted)
        return np.where(members.take(slots, mode="clip") == wanted, slots, np.int32(-1))

    def spread(self, members: Ints, items: Ints, scores: Floats, size: int) -> Floats:
        """The sum of `scores` of each member, [len(members)]; `items` that are no members are left out."""
        if not len(members) or not len(items):
            return np.zeros(len(members), np.float32)
        self._hold(members, size)
        slots = self._slots.take(items)
        here = np.flatnonzero(members.take(slots, mode="clip") == items)
        return np.bincount(slots.take(here), scores.take(here), len(members)).astype(np.float32)

    def totals(self, items: Ints, scores: Floats, size: int) -> tuple[Ints, Floats]:
        """The distinct ones of `items` and the sum of each one's scores, in no particular order."""
        slots, count = self._slots_of(size), self._counting(len(items))
        places = items.astype(np.intp)  # once: numpy would convert for each of the next two, scattering slowly
        slots[places] = count
        chosen = slots.take(places)
        alone = np.flatnonzero(chosen == count)
        sums = np.bincount(chosen, scores, len(items)).astype(np.float32)
        return items.take(alone), sums.take(alone)

    def distinct(self, items: Ints, size: int) -> Ints:
        """`items` without repetitions, first occurrences in their order."""
        slots, count = self._slots_of(size), self._counting(len(items))
        # Of several values for one slot numpy keeps the last, so writing backwards keeps the first occurrence.
        slots[items[::-1]] = count[::-1]
        return items.compress(slots.take(items) == count)

    def _hold(self, members: Ints, size: int) -> None:
        if self._held is not members:
            self._slots_of(size)[members] = self._counting(len(members))
            self._held = members

    def _slots_of(self, size: int) -> NDArray[np.int32]:
        self._held = None
        if len(self._slots) < size:
            self._slots = np.zeros(size + size // 4, np.int32)
        return self._slots

    def _counting(self, length: int) -> Ints:
        if len(self._count) < length:
            self._count = np.arange(2 * length, dtype=np.int32)
        return self._count[:length]
