"""When the node trains: on schedule, and when somebody with the right to asks for it."""

from __future__ import annotations

import asyncio

SCHEDULE = "schedule"


class Trainings:
    """What the schedule's job waits for; the loop's thread only."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._by = ""
        self.at_work = False
        """A child process trains, or is about to."""

    @property
    def busy(self) -> bool:
        """One is at work, or asked for."""
        return self.at_work or self._asked.is_set()

    def ask(self, by: str) -> None:
        """Have the next training begin at once, in the name of `by`."""
        self._by = by
        self._asked.set()

    async def next(self, seconds: float | None) -> str:
        """Wait so long (None: for as long as it takes) or until somebody asks; who it is then."""
        try:
            await asyncio.wait_for(self._asked.wait(), seconds)
        except TimeoutError:
            return SCHEDULE
        self._asked.clear()
        self.at_work = True
        return self._by
