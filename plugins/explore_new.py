"""Give a few slots to new items, so that they can show what they are worth, and more to those that are liked."""

from __future__ import annotations

import bisect
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from plugins.contract import Candidates, Context, Floats, Ints, hookimpl


@dataclass(frozen=True)
class Plugin:
    """A bounded share of the slots, never the first ones; which items and which slots follow from the seed.

    Among the new items that did not make it by themselves, the chance of one grows with the upper end of what its click
    rate may be (UCB1: Auer, Cesa-Bianchi, Fischer, 2002); where no rates are known all have the same. Every chance is
    told in `context.chances`, so that another way of choosing can be estimated from what was served.
    """

    share: Annotated[float, Meta(ge=0, le=0.5)] = 0.1
    new_days: Annotated[float, Meta(gt=0)] = 14.0
    first_slot: Annotated[int, Meta(ge=0)] = 3
    """Slots before this one are never explored."""
    among: Annotated[int, Meta(ge=1)] = 50
    """Drawn from this many of the best-ranked new items."""
    greed: Annotated[float, Meta(ge=0)] = 3.0
    """How much more often an item of twice the usual upper rate is drawn: e to this power; 0: all alike."""
    at_random: Annotated[float, Meta(gt=0, le=1)] = 0.2
    """Of all chances, what is dealt out evenly: every item keeps one, and estimates stay bounded."""

    @hookimpl
    def arrange(self, ranked: Candidates, context: Context) -> Ints | None:
        shown = min(context.limit, len(ranked))
        slots = min(int(self.share * context.limit), shown - self.first_slot)
        if slots <= 0 or shown == len(ranked):
            return None
        fresh = np.flatnonzero(ranked.published > context.now - self.new_days * 86_400).tolist()
        there = bisect.bisect_left(fresh, shown)
        waiting = fresh[there : there + self.among]
        slots = min(slots - there, len(waiting))
        if slots <= 0:
            return None
        draw = random.Random(context.seed)
        chosen = self._drawn(ranked, waiting, slots, draw, context)
        order = list(range(len(ranked)))
        for place in sorted(chosen, reverse=True):
            del order[place]
        for slot, place in zip(sorted(_drawn(draw, range(self.first_slot, shown), slots)), chosen, strict=True):
            order.insert(slot, place)
        return np.array(order, np.int32)

    def _drawn(
        self, ranked: Candidates, waiting: list[int], slots: int, draw: random.Random, context: Context
    ) -> list[int]:
        """`slots` of the places in `ranked` that wait, one after the other; the chance of each is told."""
        rates = context.model.click_rates if self.greed else None
        if rates is None:
            chosen = draw.sample(waiting, slots)
            for before, place in enumerate(chosen):
                context.chances[int(ranked.items[place])] = 1 / (len(waiting) - before)
            return chosen
        chances = self._chances(ranked.items[waiting], rates).tolist()
        chosen = []
        for _ in range(slots):
            at = draw.choices(range(len(waiting)), chances)[0]
            context.chances[int(ranked.items[waiting[at]])] = chances[at] / sum(chances)
            chosen.append(waiting[at])
            chances[at] = 0.0
        return chosen

    def _chances(self, items: Ints, rates: Floats) -> NDArray[np.float64]:
        """The chance of each to be drawn first, [len(items)]; never 0."""
        known = np.zeros((len(items), 2), np.float64)
        trained = items < len(rates)
        known[trained] = rates[items[trained]]
        if not trained.all():
            known[~trained, 0] = float(rates[:, 0].mean())
        rate, shown = known[:, 0], known[:, 1]
        upper = rate + np.sqrt(2 * np.log(2 + shown.sum()) * rate * (1 - rate) / (shown + 1))
        weights = np.exp(self.greed * (upper / max(float(upper.mean()), 1e-9) - 1).clip(-3, 3))
        chances: NDArray[np.float64] = self.at_random / len(items) + (1 - self.at_random) * weights / weights.sum()
        return chances


def _drawn(draw: random.Random, among: Sequence[int], count: int) -> list[int]:
    """`count` distinct ones, each as likely as any other; at a tenth of the cost of `Random.sample`."""
    if count == 1:
        return [among[int(draw.random() * len(among))]]
    return draw.sample(among, count)
