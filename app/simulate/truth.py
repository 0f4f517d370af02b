"""What a simulated shopper would do with a list: chances from the demo shop's hidden truth (app/demo/choice.py), which
no training reads and which has another form than any model here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from app.demo.choice import Need, utility
from app.demo.item import Item
from app.demo.lifestyles import Floats
from app.demo.needs import Life, pull_of
from app.demo.shoppers import Shopper
from app.demo.visits import open_world

LOOKS_ON: Final = 0.93
"""Chance that who looked at one place of a list looks at the next."""
CLICKS: Final = 0.5
"""Chance of a click on what is liked best of all."""


class Truth:
    """The shop as its shoppers see it."""

    def __init__(self, catalogue: Sequence[Item], seed: int, now: int) -> None:
        self._world = open_world(catalogue, seed, now)
        self._numbers = {item["id"]: number for number, item in enumerate(catalogue)}
        self._now = float(now)

    def chances(self, shopper: Shopper, ids: Sequence[str]) -> Floats:
        """The chance of a click on each item of a list, in its order: that it is looked at, is of a kind the person
        wants these days, and is liked among what there is of that kind."""
        numbers = [self._numbers[item_id] for item_id in ids if item_id in self._numbers]
        pull = pull_of(shopper, Life(), self._now)
        wanted = pull / pull.max()
        best: dict[int, float] = {}
        found = np.zeros(len(numbers))
        for place, number in enumerate(numbers):
            sub = int(self._world.shelf.sub[number])
            kind = self._world.kinds[sub]
            liking = utility(shopper, kind, Need(sub, "wish"), self._now)
            most = best.setdefault(sub, float(liking.max()) or 1.0)
            mine = float(liking[np.searchsorted(kind.number, number)])
            found[place] = CLICKS * LOOKS_ON**place * np.sqrt(wanted[sub] * mine / most)
        return found
