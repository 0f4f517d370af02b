"""Keeps the slices of long maintenance short, however fast the machine is and whatever the rows weigh."""

from __future__ import annotations

import asyncio
from time import perf_counter

SLICE_SECONDS = 0.005
"""What a slice may work; sizes aim at half of it, so that few are longer. Waiting for the disk is not work: it is the
same for every commit, and holds nobody up but the writer."""
_LATE_SECONDS = 0.002
"""An event loop this late is busy answering shoppers."""
_LEAST_RESTS, _MOST_RESTS = 4.0, 16.0
"""Of the length of the slice before."""
_LONGEST_REST = 0.1
"""However starved the machine is, the sweep goes on."""


class Pace:
    """How many rows the next slice takes, from how long the last ones took."""

    def __init__(self, rows: int, *, least: int = 64, most: int = 2_000) -> None:
        self.rows = rows
        self._least = least
        self._most = most

    def took(self, seconds: float, rows: int | None = None) -> None:
        """Learn from a slice. One that had little to do (`rows` fewer than asked) says nothing about larger ones."""
        if seconds > SLICE_SECONDS:
            self.rows = max(self._least, self.rows // 2)
        elif seconds > SLICE_SECONDS / 2:
            self.rows = max(self._least, self.rows * 9 // 10)
        elif seconds < SLICE_SECONDS / 4 and (rows is None or rows >= self.rows):
            self.rows = min(self._most, self.rows * 5 // 4 + 1)


def work_of(cpu_seconds: float, seconds: float) -> float:
    """What a slice cost: its processor time, or a part of its whole time where it waited for the disk or its turn.

    On a machine that is short of processors everything takes long; smaller slices would only make it take longer.
    """
    return max(cpu_seconds, seconds / 8)


class Rest:
    """The pause after each slice: four times as long as the slice took, and longer while the event loop is busy."""

    def __init__(self) -> None:
        self._times = _LEAST_RESTS

    async def after(self, seconds: float) -> None:
        """Leave the machine to the others for a while, after a slice of so many seconds."""
        pause = min(self._times * seconds, _LONGEST_REST)
        began = perf_counter()
        await asyncio.sleep(pause)
        late = perf_counter() - began - pause
        if late > _LATE_SECONDS:
            self._times = min(2 * self._times, _MOST_RESTS)
        else:
            self._times = max(0.9 * self._times, _LEAST_RESTS)
