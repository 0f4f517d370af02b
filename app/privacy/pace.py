"""Keeps the slices of long maintenance short, however fast the machine is and whatever the rows weigh."""

from __future__ import annotations

SLICE_SECONDS = 0.005
"""What a slice may take of the writer; sizes aim at half of it, so that few are longer."""


class Pace:
    """How many rows the next slice takes, from how long the last ones took."""

    def __init__(self, rows: int, *, least: int = 16, most: int = 2_000) -> None:
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
