"""What time it is: the wall's time, or, for a shop replayed from its past, the time of its latest event."""

from __future__ import annotations

import time


class Clock:
    """`now()` in epoch seconds. Everything that needs the time is given a clock or a time, so tests set it."""

    def now(self) -> float:
        return time.time()

    def now_ms(self) -> int:
        return int(self.now() * 1000)

    def observe(self, at_ms: int) -> None:
        """Told of every stored event's time."""


class EventClock(Clock):
    """The latest event time seen: a history can be imported and served as of its last day. Never goes back."""

    def __init__(self, start_ms: int = 0) -> None:
        self._now_ms = start_ms

    def now(self) -> float:
        return self._now_ms / 1000

    def now_ms(self) -> int:
        return self._now_ms

    def observe(self, at_ms: int) -> None:
        if at_ms > self._now_ms:
            self._now_ms = at_ms


def open_clock(kind: str, latest_event_ms: int = 0) -> Clock:
    """`wall` or `events` (from `[node] clock`)."""
    return EventClock(latest_event_ms) if kind == "events" else Clock()
