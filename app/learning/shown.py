"""How often a product was clicked where one of our lists showed it: what exploration of new products learns from.

A person counts once per product, as shown and as clicking, whatever they did more: who makes clicks up moves it by 1.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from store.records import LoggedEvent

CLICKED = frozenset({"select_item", "view_item", "add_to_cart", "purchase"})
SHOWN = "view_item_list"
PRIOR_SHOWN, LEAST_SHOWN = 20.0, 1.0


class ShownBuilder:
    """Collects who was shown what, and who followed."""

    def __init__(self, items: int) -> None:
        self._items = items
        self._shown: set[tuple[int, int]] = set()
        self._clicked: set[tuple[int, int]] = set()

    def add(self, event: LoggedEvent) -> None:
        """An event that may be learned from; a click counts only with the token of the list it came from."""
        if event.name == SHOWN:
            into = self._shown
        elif event.request and event.name in CLICKED:
            into = self._clicked
        else:
            return
        into.update((event.person, line.item) for line in event.lines if line.item < self._items)

    def counts(self, among: Collection[int] | None = None) -> NDArray[np.float32]:
        """People each product was shown to, and those of them who followed, [items, 2]; `among`: of these people."""
        found = np.zeros((self._items, 2), np.float32)
        for person, item in self._shown:
            if among is None or person in among:
                found[item] += (1, (person, item) in self._clicked)
        return found


def smoothed(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Click rates, drawn towards the mean of all as if of PRIOR_SHOWN people more, and of how many, [items, 2]."""
    shown, clicked = counts[:, 0], counts[:, 1]
    mean = clicked.sum() / max(float(shown.sum()), LEAST_SHOWN)
    rates = (clicked + PRIOR_SHOWN * mean) / (shown + PRIOR_SHOWN)
    return np.stack([rates, shown], axis=1).astype(np.float32)
