"""The generated visitors of the benchmark world: each keeps to a few categories and a price, and has a history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.bench.goods import LEAVES_PER_TOP, TOPS, leaves_of, prices_of
from app.learning.dataset import Dataset
from store.records import Floats, Ints, ProfileFeatures

CHUNK = 20_000
LEAST_ITEMS = 20
DAY = 86_400
HISTORY_DAYS = 60
_FAVOURITES = (0.5, 0.25, 0.15)
"""Shares of a history in a person's three favourite categories; the rest is anything."""


@dataclass(frozen=True)
class Histories:
    """What some people did, a row per (person, item), people in order; at least LEAST_ITEMS rows each."""

    starts: NDArray[np.int64]
    """Person p's rows are starts[p] … starts[p + 1]."""
    items: Ints
    days_ago: Floats
    weights: Floats
    """As of the moment it happened."""


class Crowd:
    """Everyone, drawn chunk by chunk; the same seed gives the same people."""

    def __init__(self, items: int, people: int, seed: int) -> None:
        self.items, self.people, self._seed = items, people, seed
        leaf = leaves_of(items, seed)
        price = prices_of(items, seed)
        # Within a category by price, so that a person's price is a place in it.
        self._shelf = np.lexsort((price, leaf)).astype(np.int32)
        self._begin = np.searchsorted(leaf[self._shelf], np.arange(TOPS * LEAVES_PER_TOP + 1))
        self._leaf_share = np.diff(self._begin) / items

    def chunks(self) -> Iterator[tuple[int, Histories]]:
        """(number of the first person, histories) until everyone was there."""
        for first in range(0, self.people, CHUNK):
            yield first, self.histories(first)

    def histories(self, first: int) -> Histories:
        """Of the people of the chunk that begins at `first`."""
        people = min(CHUNK, self.people - first)
        random = np.random.default_rng((self._seed, 4, first))
        wanted = LEAST_ITEMS + np.minimum(random.poisson(6, people), 40)
        owner = np.repeat(np.arange(people), wanted * 3)
        items = self._draw(owner, people, random)
        # The first `wanted` distinct items of each person.
        _, once = np.unique(owner.astype(np.int64) * self.items + items, return_index=True)
        once.sort()
        owner, items = owner[once], items[once]
        starts = np.searchsorted(owner, np.arange(people))
        kept = np.arange(len(owner)) - starts[owner] < wanted[owner]
        owner, items = owner[kept], items[kept]
        return Histories(
            starts=np.searchsorted(owner, np.arange(people + 1)).astype(np.int64),
            items=items.astype(np.int32),
            days_ago=(HISTORY_DAYS * random.beta(1, 2.5, len(items))).astype(np.float32),
            weights=random.choice(np.array([0.2, 0.4, 0.8, 1.6], np.float32), len(items), p=[0.6, 0.2, 0.12, 0.08]),
        )

    def _draw(self, owner: NDArray[np.int64], people: int, random: np.random.Generator) -> Ints:
        leaves = len(self._leaf_share)
        favourites = random.choice(leaves, (people, len(_FAVOURITES)), p=self._leaf_share)
        spends = random.beta(2, 2, people)
        which = np.searchsorted(np.cumsum(_FAVOURITES), random.random(len(owner)))
        leaf = favourites[owner, np.minimum(which, len(_FAVOURITES) - 1)]
        begin, size = self._begin[leaf], self._begin[leaf + 1] - self._begin[leaf]
        place = np.clip(spends[owner] + random.normal(0, 0.12, len(owner)), 0, 0.9999)
        near = self._shelf[np.minimum(begin + (place * size).astype(np.int64), self.items - 1)]
        anywhere = (self.items * random.random(len(owner)) ** 2).astype(np.int32)
        return np.where(which < len(_FAVOURITES), near, anywhere).astype(np.int32)


def profiles(
    histories: Histories, keys: Sequence[tuple[str, ...]], log_price: Floats, now: float, half_life_days: float
) -> Iterator[ProfileFeatures]:
    """What the feature updater would hold of each person by `now`; `keys` are the affinity keys of every item."""
    faded = (histories.weights * np.exp2(-histories.days_ago / half_life_days)).tolist()
    at = (int(now) - (histories.days_ago * DAY).astype(np.int64)).tolist()
    items, starts = histories.items.tolist(), histories.starts.tolist()
    prices = log_price[histories.items].tolist()
    for start, end in pairwise(starts):
        affinities: dict[str, float] = {}
        for place in range(start, end):
            weight = faded[place]
            for key in keys[items[place]]:
                affinities[key] = affinities.get(key, 0.0) + weight
        yield ProfileFeatures(
            updated=int(now),
            affinities=affinities,
            items={items[place]: (faded[place], at[place]) for place in range(start, end)},
            extra={
                "price_level.log_price": sum(prices[start:end]) / (end - start),
                "price_level.seen": 20.0,
            },
        )


def dataset(crowd: Crowd, people: int, now: float, seed: int) -> Dataset:
    """What the first `people` leave to be learned from: visits of about five items, one in five bought."""
    parts = [crowd.histories(first) for first in range(0, people, CHUNK)]
    counts = np.concatenate([np.diff(part.starts) for part in parts])
    person = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    ago = np.concatenate([part.days_ago for part in parts])
    order = np.lexsort((-ago, person))
    place = np.arange(len(person)) - np.repeat(np.cumsum(counts) - counts, counts)
    random = np.random.default_rng((seed, 5))
    bought = random.random(len(person)) < 0.2
    visit = np.unique(person.astype(np.int64) * 1000 + place // 5, return_inverse=True)[1].astype(np.int32)
    rows = np.argsort(-ago[order], kind="stable")
    taken = order[rows]
    bought, visit = bought[rows], visit[rows]
    return Dataset(
        items=crowd.items, people=len(counts), person=person[taken],
        item=np.concatenate([part.items for part in parts])[taken],
        at=(int(now) - (ago[taken] * DAY).astype(np.int64)),
        weight=np.concatenate([part.weights for part in parts])[taken],
        bought=bought, visit=np.where(bought, -1, visit).astype(np.int32),
        basket=np.where(bought, visit, -1).astype(np.int32),
        region=np.zeros(len(taken), np.int32), regions=[""], surrogates=np.arange(len(counts)),
    )  # fmt: skip
