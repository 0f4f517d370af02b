"""How many of the people who see a list click in it, from figures that are published anyway: people per day and list,
rounded down to a threshold and final (app/privacy/counting.py). Nothing more is learned of anyone by using them."""

from __future__ import annotations

from collections.abc import Mapping

from app.privacy.counting import CLICKED, SHOWN
from store.aggregates import Aggregates
from store.clock import Clock

DAYS = 28
LEAST_SHOWN = 100
"""People and days before a list's rate counts."""
AGAIN_SECONDS = 600.0
"""Figures are of whole days; asked for anew so often."""


class SectionRates:
    """Placement -> share of those who saw it on a day that clicked, over the last published days."""

    def __init__(self, aggregates: Aggregates, clock: Clock) -> None:
        self._aggregates = aggregates
        self._clock = clock
        self._read_at = float("-inf")
        self._rates: Mapping[str, float] = {}

    def __call__(self) -> Mapping[str, float]:
        """Those with figures enough."""
        now = self._clock.now()
        if not 0 <= now - self._read_at < AGAIN_SECONDS:
            self._read_at, self._rates = now, self._read(int(now // 86_400))
        return self._rates

    def _read(self, today: int) -> Mapping[str, float]:
        people: dict[str, dict[str, int]] = {SHOWN: {}, CLICKED: {}}
        for report, found in people.items():
            for figure in self._aggregates.read(report, today - DAYS, today):
                found[figure.cell] = found.get(figure.cell, 0) + figure.people
        clicked = people[CLICKED]
        return {name: clicked.get(name, 0) / shown for name, shown in people[SHOWN].items() if shown >= LEAST_SHOWN}
