"""A shop of sixty items with everything learned about it in plain arrays: small enough to reason about in a test."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.sparse import csr_matrix

from plugins.contract import Allowed, Context, Floats, Ints, Visitor
from store.catalogue import Catalogue
from store.records import Item, Purpose

SIZE = 60
NOW = 1_700_000_000.0
DAY = 86_400.0
SOLD_OUT, HIDDEN, ONLY_FR = 7, 11, 13
CATEGORIES = (("shoes", "running"), ("shoes", "walking"), ("bags",), ("hats",))
BRANDS = ("Alder", "Birch", "Cedar")
CONSENTED = Purpose.SESSION | Purpose.PROFILE | Purpose.PURCHASES


def small_catalogue(size: int = SIZE) -> Catalogue:
    """Item n: category n % 4, brand n % 3, price n + 1, published n days ago."""
    catalogue = Catalogue()
    for number in range(size):
        catalogue.put(number, item(number))
    return catalogue


def item(number: int) -> Item:
    return Item(
        id=f"SKU{number}",
        title=f"Item {number}",
        url=f"/p/SKU{number}",
        image=f"/img/SKU{number}.svg",
        price=float(number + 1),
        currency="EUR",
        category=CATEGORIES[number % 4],
        brand=BRANDS[number % 3],
        availability="out_of_stock" if number == SOLD_OUT else "in_stock",
        hidden=number == HIDDEN,
        regions=("FR",) if number == ONLY_FR else (),
        published=NOW - number * DAY,
    )


class SmallModel:
    """Item n is close to n ± 1 and n ± 2, is bought with n + 10, and is the less popular the higher its number."""

    def __init__(self, size: int = SIZE, name: str = "small") -> None:
        self.id = name
        self.size = size
        steps = np.array([1, 2, -1, -2])
        self.neighbours = _links(size, steps, np.array([1.0, 0.5, 0.9, 0.4]))
        self.together = _links(size, np.array([10, -10]), np.array([1.0, 0.5]))
        angles = np.arange(size) / size * np.pi
        self.click_rates: Floats | None = None
        self.taste_trust = self.neighbours_trust = 1.0
        self.item_vectors: Floats = np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)

    def popularity(self, region: str) -> Floats | None:
        return np.arange(self.size, 0, -1).astype(np.float32)

    def selling_now(self, region: str) -> Floats | None:
        sells: Floats = (np.log1p(np.arange(self.size, 0, -1)) / np.log1p(self.size)).astype(np.float32)
        return sells

    def trending(self, region: str) -> Floats | None:
        return np.arange(self.size).astype(np.float32)

    def segments(self, affinities: Mapping[str, float]) -> frozenset[str]:
        return frozenset(key.removeprefix("category:") for key in affinities if key.startswith("category:"))

    def nearest_by_vector(self, vector: Floats, limit: int, allowed: Allowed | None = None) -> tuple[Ints, Floats]:
        scores = self.item_vectors @ vector
        order = np.argsort(-scores, kind="stable")
        order = order[:limit] if allowed is None else order[allowed.mask[order]][:limit]
        return order.astype(np.int32), scores[order]

    def user_vector(self, items: Ints, weights: Floats) -> Floats | None:
        known = items < self.size
        if not known.any():
            return None
        vector: Floats = (
            weights[known] @ self.item_vectors[items[known]] / max(1.0, float(np.abs(weights[known]).sum()))
        )
        return vector.astype(np.float32)

    def session_scores(self, viewed: Ints, limit: int) -> tuple[Ints, Floats]:
        last = int(viewed[-1])
        items = np.array([n for n in (last + 1, last + 2) if n < self.size], np.int32)[:limit]
        return items, np.linspace(1, 0.5, len(items), dtype=np.float32)

    def content_vectors(self, items: Ints) -> Floats | None:
        vectors = np.zeros((len(items), 8), np.float32)
        vectors[np.arange(len(items)), items % 4] = 1
        return vectors

    def nearest_by_content(self, vector: Floats, limit: int) -> tuple[Ints, Floats]:
        alike = np.flatnonzero(np.arange(self.size) % 4 == int(vector.argmax())).astype(np.int32)[:limit]
        return alike, np.ones(len(alike), np.float32)


class NothingLearned(SmallModel):
    """Before the first training."""

    def __init__(self) -> None:
        self.id, self.size = "", 0
        self.neighbours = self.together = None  # type: ignore[assignment]
        self.click_rates = None
        self.item_vectors = None  # type: ignore[assignment]

    def popularity(self, region: str) -> Floats | None:
        return None

    def selling_now(self, region: str) -> Floats | None:
        return None

    def trending(self, region: str) -> Floats | None:
        return None

    def nearest_by_vector(self, vector: Floats, limit: int, allowed: Allowed | None = None) -> tuple[Ints, Floats]:
        return np.empty(0, np.int32), np.empty(0, np.float32)

    def user_vector(self, items: Ints, weights: Floats) -> Floats | None:
        return None

    def session_scores(self, viewed: Ints, limit: int) -> tuple[Ints, Floats]:
        return np.empty(0, np.int32), np.empty(0, np.float32)

    def content_vectors(self, items: Ints) -> Floats | None:
        return None

    def nearest_by_content(self, vector: Floats, limit: int) -> tuple[Ints, Floats]:
        return np.empty(0, np.int32), np.empty(0, np.float32)


def shopper(*history: int, bought: tuple[int, ...] = (), dismissed: tuple[int, ...] = (), visit: int = 1) -> Visitor:
    """A visitor who agreed to everything and looked at these items, the last one most recently."""
    items = np.array(history, np.int32)
    return Visitor(
        purposes=CONSENTED,
        visit=visit,
        viewed=items[-3:],
        history=items,
        weights=np.ones(len(items), np.float32),
        seen_at=np.arange(len(items), 0, -1).astype(np.float32) * 60,
        bought=np.array(bought, np.int32),
        bought_times=np.ones(len(bought), np.float32),
        bought_ago=np.full(len(bought), 10 * DAY, np.float32),
        dismissed=np.array(dismissed, np.int32),
    )


def asking(
    catalogue: Catalogue, model: SmallModel | None = None, visitor: Visitor | None = None, **told: object
) -> Context:
    """A question at NOW; everything not told is empty."""
    options: dict[str, object] = {"now": NOW, "placement": "home", "limit": 10, **told}
    return Context(
        catalogue=catalogue,
        model=model or SmallModel(),
        visitor=visitor or Visitor(),
        **options,  # type: ignore[arg-type]
    )


def _links(size: int, steps: Ints, scores: Floats) -> csr_matrix:
    rows = np.repeat(np.arange(size), len(steps))
    columns = rows + np.tile(steps, size)
    inside = (columns >= 0) & (columns < size)
    values = np.tile(scores, size)[inside].astype(np.float32)
    return csr_matrix((values, (rows[inside], columns[inside])), shape=(size, size))
