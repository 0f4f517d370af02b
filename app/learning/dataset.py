"""What may be learned from: consented, unexpired interactions as columns, bounded per person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app.learning.clicks import Click, ClicksBuilder
from app.learning.shown import ShownBuilder
from store.records import Floats, Ints, LoggedEvent, Mask, Purchase, Purpose

Seconds = NDArray[np.int64]

_LEAST_WEIGHT = np.float32(1e-6)
"""However long ago, an interaction is one: a weight that fades to 0 would be none."""

MAY_LEARN = Purpose.TRAINING
MAY_LEARN_PURCHASES = Purpose.TRAINING | Purpose.PURCHASES


@dataclass(frozen=True)
class Dataset:
    """One row per (person, item, event), in time order. `person`, `visit` are dense indices, `region` a code."""

    items: int
    people: int
    person: Ints
    item: Ints
    at: Seconds
    weight: Floats
    bought: Mask
    visit: Ints
    """The visit an interaction belongs to; -1 for purchases read from the vault."""
    basket: Ints
    """The order a purchase belongs to; -1 for what is no purchase."""
    region: Ints
    regions: list[str]
    surrogates: Seconds
    """Whose the dense indices are, [people]; never leaves the training."""
    shown: Floats = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    """People each item was shown to by one of our lists, and those who followed, [items, 2]."""
    each_person: bool = False
    """What someone wanted does not depend on what anybody else did."""
    clicks: list[Click] = field(default_factory=list)
    """What blend weights are learned from."""

    def __len__(self) -> int:
        return len(self.item)

    @property
    def demand(self) -> Mask:
        """What counts as wanting an item: purchases, or everything in a shop that has none (with `each_person`: of a
        person who has none)."""
        if self.each_person:
            buys = np.bincount(self.person[self.bought], minlength=self.people) > 0
            return self.bought | ~buys[self.person]
        return self.bought if self.bought.any() else np.ones(len(self), np.bool_)

    def interactions(self, now: float, half_life_days: float) -> csr_matrix:
        """People × items, summed weights, [people, items]; what happened so long before `now` counts half.

        The weights a visitor's history is read with (app/features/visitor.py) fade alike: a vector is solved from what
        the item vectors were learned from.
        """
        age = np.maximum(now - self.at, 0)
        faded = self.weight * np.exp2(age / (half_life_days * -86_400.0))
        matrix = _matrix(faded, self.person, self.item, (self.people, self.items))
        np.maximum(matrix.data, _LEAST_WEIGHT, out=matrix.data)
        return matrix

    def select(self, rows: Mask) -> Dataset:
        """The same people, visits and orders with some of the rows, [len(self)]."""
        columns = ("person", "item", "at", "weight", "bought", "visit", "basket", "region")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def touched(self) -> csr_matrix:
        """People × items, a one for each pair that ever met, [people, items]."""
        matrix = _matrix(np.ones(len(self), np.float32), self.person, self.item, (self.people, self.items))
        matrix.data[:] = 1
        return matrix

    def first_met(self) -> NDArray[np.int64]:
        """When each pair of `touched` first met, in the order of its entries, epoch seconds."""
        keys = self.person.astype(np.int64) * self.items + self.item
        _, first = np.unique(keys, return_index=True)  # rows are in time order
        met: NDArray[np.int64] = self.at[first]
        return met

    def baskets(self) -> csr_matrix:
        """Orders × items, ones, [orders, items]."""
        rows = self.basket >= 0
        count = int(self.basket.max(initial=-1)) + 1
        baskets = _matrix(np.ones(int(rows.sum()), np.float32), self.basket[rows], self.item[rows], (count, self.items))
        baskets.data[:] = 1
        return baskets


class DatasetBuilder:
    """Collects interactions row by row; `build` sorts them by time and bounds what one person can contribute."""

    def __init__(
        self,
        *,
        items: int,
        weights: dict[str, float],
        since: float,
        max_items_per_person: int,
        max_by_trust: Mapping[int, int] | None = None,
        sensitive: Mask | None = None,
        until: float = inf,
        clicks: bool = False,
        clicks_per_person: int = 0,
    ) -> None:
        """`max_by_trust`: so many interactions of a person that are trusted up to this much (LoggedEvent.trust) count,
        the newest; whoever can make visitors up, can make up little with each. `sensitive`, [items]: left out, also
        where an earlier list let them be collected. What happened before `since` or after `until` is left out.
        `clicks`: how often lists were followed is counted as well. `clicks_per_person`: so many clicks in lists are
        kept of a person, with what they were chosen among."""
        self._items = items
        self._sensitive = sensitive
        self._weights = weights
        self._since = since
        self._until = until
        self._bound = max_items_per_person
        self._bounds = dict(max_by_trust or {})
        self._shown = ShownBuilder(items) if clicks else None
        self._clicks = ClicksBuilder(clicks_per_person)
        self._clicks_per_person = clicks_per_person
        self._people: dict[int, int] = {}
        self._visits: dict[int, int] = {}
        self._baskets: dict[tuple[int, int], int] = {}
        self._regions: dict[str, int] = {"": 0}
        self._region_of_order: dict[tuple[int, int], int] = {}
        self._rows: list[tuple[int, int, int, float, bool, int, int, int, int]] = []

    def add_event(self, event: LoggedEvent) -> None:
        """A logged event; left out without `training` in the purposes it was collected under.

        A purchase's lines are in the vault: its event only tells the order's region.
        """
        at = event.at_ms // 1000
        if not event.purposes & MAY_LEARN or not event.trust or not self._since <= at <= self._until:
            return
        if self._shown is not None:
            self._shown.add(event)
        if self._clicks_per_person and self._may_be_learned(event):
            self._clicks.add(event)
        region = self._regions.setdefault(event.region, len(self._regions))
        if event.name == "purchase":
            self._region_of_order[event.person, at] = region
        weight = self._weights.get(event.name, 0.0)
        if weight <= 0 or not event.lines:
            return
        person = self._people.setdefault(event.person, len(self._people))
        visit = self._visits.setdefault(event.session, len(self._visits))
        for line in event.lines:
            if line.item < self._items:
                self._rows.append((person, line.item, at, weight, False, visit, -1, region, event.trust))

    def add_purchases(self, surrogate: int, consent: int, purchases: Iterable[Purchase]) -> None:
        """A person's vault; left out unless both `training` and `vault.purchases` are in force."""
        if consent & MAY_LEARN_PURCHASES != MAY_LEARN_PURCHASES:
            return
        person = self._people.setdefault(surrogate, len(self._people))
        for bought in purchases:
            if bought.quantity <= 0 or not self._since <= bought.at <= self._until:
                continue
            if bought.item >= self._items:
                continue
            basket = self._baskets.setdefault((person, bought.at), len(self._baskets))
            region = self._region_of_order.get((surrogate, bought.at), 0)
            weight = self._weights.get("purchase", 1.0)
            self._rows.append((person, bought.item, bought.at, weight, True, -1, basket, region, bought.trust))

    def _may_be_learned(self, event: LoggedEvent) -> bool:
        """Nothing about a click on something sensitive, also where an earlier list let it be collected."""
        sensitive = self._sensitive
        return sensitive is None or not any(line.item < len(sensitive) and sensitive[line.item] for line in event.lines)

    def _shown_counts(self, among: Collection[int] | None) -> Floats:
        if self._shown is None:
            return np.zeros((0, 2), np.float32)
        counts = self._shown.counts(among)
        if self._sensitive is not None:
            counts[self._sensitive] = 0
        return counts

    @property
    def people(self) -> list[int]:
        """Of whomever something was collected, by the number the store has for them."""
        some = {row[0] for row in self._rows}
        return [surrogate for surrogate, person in self._people.items() if person in some]

    def build(self, among: Collection[int] | None = None, *, each_person: bool = False) -> Dataset:
        """The dataset; `among`: of these people only. Clicks are of whoever has any row."""
        people = self.people if among is None else [person for person in self.people if person in among]
        rows = np.array(
            self._rows,
            dtype=[("person", "i4"), ("item", "i4"), ("at", "i8"), ("weight", "f4"), ("bought", "?"), ("visit", "i4"),
                   ("basket", "i4"), ("region", "i4"), ("trust", "i1")],
        )  # fmt: skip
        self._rows.clear()
        if among is not None:
            counts = np.array([surrogate in among for surrogate in self._people], np.bool_)
            rows = rows[counts[rows["person"]]]
        if self._sensitive is not None:
            rows = rows[~self._sensitive[rows["item"]]]
        rows = rows[np.argsort(rows["at"], kind="stable")]
        for trust, most in self._bounds.items():
            little = np.flatnonzero(rows["trust"] <= trust)
            over = little[~_newest_per_person(rows["person"][little], most)]
            rows = np.delete(rows, over)
        rows = rows[_newest_per_person(rows["person"], self._bound)]
        column = {name: np.ascontiguousarray(rows[name]) for name in rows.dtype.names or () if name != "trust"}
        surrogates = np.array(list(self._people), np.int64)
        return Dataset(
            items=self._items, people=len(self._people), regions=list(self._regions), surrogates=surrogates,
            shown=self._shown_counts(among), each_person=each_person, clicks=self._clicks.clicks(set(people)), **column,
        )  # fmt: skip


def _newest_per_person(person: Ints, bound: int) -> Mask:
    """Rows (in time order) that are among the newest `bound` of their person."""
    order = np.argsort(person, kind="stable")
    grouped = person[order]
    last = np.searchsorted(grouped, grouped, side="right")
    kept = np.zeros(len(person), np.bool_)
    kept[order] = last - np.arange(len(person)) <= bound
    return kept


def _matrix(weights: Floats, rows: Ints, columns: Ints, shape: tuple[int, int]) -> csr_matrix:
    return csr_matrix((weights, (rows, columns)), shape=shape, dtype=np.float32)
