"""What a plugin sees of a request: the visitor as far as consent allows, the candidates as columns, the model.

A plugin is one module with one frozen dataclass `Plugin`: its fields are its TOML options, its `@hookimpl` methods its
behaviour. See hookspecs.py for the hooks and plugins/README.md for a walk through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pluggy
from numpy.typing import NDArray

from plugins.board import Board
from plugins.links import Links, links_of
from plugins.model import Model
from plugins.ruling import Ruling
from store import loops
from store.once import once
from store.records import Floats, Ints, Mask, Purpose

if TYPE_CHECKING:
    from store.catalogue import Catalogue

hookspec = pluggy.HookspecMarker("personalize")
hookimpl = pluggy.HookimplMarker("personalize")

NO_ITEMS: Ints = np.empty(0, np.int32)
NO_FLOATS: Floats = np.empty(0, np.float32)

# How far a visit's evidence is followed, once per request, for whoever asks.
SESSION_DEPTH = 200
HISTORY_FOLLOWED = 16

# So few items are sooner compared one by one than looked up.
FEW = 4

__all__ = [
    "HISTORY_FOLLOWED", "NO_FLOATS", "NO_ITEMS", "SESSION_DEPTH", "Allowed", "Board", "Candidates", "Context",
    "Floats", "Ints", "Links",
    "Mask", "Model", "Purpose", "Ruling", "Visitor", "hookimpl", "hookspec", "scaled",
]  # fmt: skip


@dataclass(frozen=True)
class Visitor:
    """What the gatekeeper allows to be known of the person asking; all empty without consent."""

    purposes: Purpose = Purpose.NONE
    visit: int = 0
    """The keyed hash of this visit (as in `LoggedEvent.session`); 0 without the session purpose."""
    viewed: Ints = field(default_factory=NO_ITEMS.copy)
    """Items of this visit, newest last (from the session under consent, else from the page's own context)."""
    history: Ints = field(default_factory=NO_ITEMS.copy)
    """Items of profile, session and (if opted in) purchases, with `weights` decayed to now."""
    weights: Floats = field(default_factory=NO_FLOATS.copy)
    seen_at: Floats = field(default_factory=NO_FLOATS.copy)
    """Seconds *before now* each history item was last touched."""
    bought: Ints = field(default_factory=NO_ITEMS.copy)
    """Distinct items bought (vault.purchases), with how often and how many seconds ago."""
    bought_times: Floats = field(default_factory=NO_FLOATS.copy)
    bought_ago: Floats = field(default_factory=NO_FLOATS.copy)
    affinities: dict[str, float] = field(default_factory=dict)
    """"category:shoes", "brand:Alder", "band:3", "category_band:shoes|3" -> weight, decayed to now."""
    dismissed: Ints = field(default_factory=NO_ITEMS.copy)
    extra: dict[str, float] = field(default_factory=dict)
    """Features of `update_features` plugins, "plugin.name" -> value."""
    arms: Mapping[str, str] = field(default_factory=dict)
    """Experiment -> arm; empty without the `experiments` purpose."""
    segments: frozenset[str] = frozenset()
    """Keys of segments; empty without the `profile` purpose."""

    def but(self, **told: object) -> Visitor:
        """The same visitor, some of it told otherwise: `dataclasses.replace` at a fraction of its cost."""
        other = object.__new__(Visitor)
        other.__dict__.update(self.__dict__, **told)
        return other

    @property
    def known(self) -> bool:
        """Whether there is anything to personalize with."""
        return len(self.history) > 0 or len(self.viewed) > 0 or bool(self.affinities)


@dataclass(frozen=True, eq=False)
class Allowed:
    """The items a request may show at all: in stock, not hidden, for its region, passing its filter. Made once per
    filter and catalogue version and shared by requests, so treat it as read-only."""

    mask: Mask
    """[catalogue.size]"""
    servable: bool = False
    """Whether what is sold out, hidden or gone is known to be left out."""
    region: str | None = None
    """For which region it is known to be made; None: that is not known."""

    @once
    def items(self) -> Ints:
        """The numbers of the allowed items, ascending."""
        return np.flatnonzero(self.mask).astype(np.int32)

    @once
    def share(self) -> float:
        """Which part of the catalogue is allowed, 0..1."""
        return int(np.count_nonzero(self.mask)) / len(self.mask) if len(self.mask) else 0.0

    def first(self, items: Ints, limit: int) -> Ints:
        """The first `limit` of `items` that are allowed."""
        return loops.those_allowed(self.mask, items, limit)


@dataclass(frozen=True, eq=False)
class Context:
    """One question: what to show where, to whom, now."""

    now: float
    placement: str
    limit: int
    catalogue: Catalogue
    model: Model
    visitor: Visitor
    region: str = ""
    locale: str = ""
    currency: str = ""
    device: str = ""
    """What the page says it is shown on: "phone", "tablet", "desktop"; empty where it does not say."""
    segments: frozenset[str] = frozenset()
    """Keys of the segments the visitor's own features put them in; empty without the `profile` purpose."""
    arms: Mapping[str, str] = field(default_factory=dict)
    """Experiment -> arm of this visitor; empty without the `experiments` purpose."""
    rules_off: bool = False
    """True in the arm of an experiment that goes without the marketer's rules."""
    rules: Ruling = field(default_factory=Ruling)
    """The marketer's rules that hold for this request."""
    item: int = -1
    """The item the page is about, -1 for none."""
    cart: Ints = field(default_factory=NO_ITEMS.copy)
    searching: bool = False
    """True when the candidates come from a search; the query itself is not told to plugins."""
    seed: int = 0
    """Randomness of this request, for exploration; equal seeds give equal answers."""
    allowed: Allowed | None = None
    """What may be shown at all; None for everything (then `keep` alone decides)."""
    board: Board = field(default_factory=Board, repr=False)
    chances: dict[int, float] = field(default_factory=dict)
    """Item -> the probability with which it was drawn into the list, written by whoever draws; the rest was ranked."""

    @once
    def taste(self) -> Floats | None:
        """The visitor's folded-in vector, [d], computed once per request; None for an unknown visitor."""
        if len(self.visitor.history) == 0:
            return None
        return self.model.user_vector(self.visitor.history, self.visitor.weights)

    @once
    def content_taste(self) -> Floats | None:
        """Where the visitor's history lies among the content vectors, [d_content], unit length, or None."""
        items, weights = self.visitor.history, self.visitor.weights
        if len(items) == 0:
            items = self.visitor.viewed
            weights = np.ones(len(items), np.float32)
        if len(items) == 0:
            return None
        vectors = self.model.content_vectors(items)
        if vectors is None:
            return None
        vector: Floats = weights @ vectors
        length = float(np.sqrt(vector @ vector))
        return vector / np.float32(length) if length > 0 else None

    def scaled(self, scores: Floats) -> Floats:
        """Scores as parts of a sum: divided by their largest, but in a search as they are, cut to -1..1.

        Candidates of a list were proposed for the visitor, so the best of them is what they like best. Matches of a
        query were not: to raise the best of what leaves the visitor cold to full weight would be noise. So a scorer
        used in searches brings a scale of its own (docs/decisions/search-order.md).
        """
        return np.clip(scores, -1, 1) if self.searching else scaled(scores)

    @once
    def next_items(self) -> tuple[Ints, Floats]:
        """What visits like this one went on to, best first, with scores; empty for a visit that has only begun."""
        if len(self.visitor.viewed) == 0:
            return NO_ITEMS, NO_FLOATS
        return self.model.session_scores(self.visitor.viewed, SESSION_DEPTH)

    @once
    def history_links(self) -> Links:
        """The neighbours of the visitor's history (its HISTORY_FOLLOWED weightiest items), each weighted by its
        history item; `source` counts within `visitor.history`."""
        history, weights = self.visitor.history, self.visitor.weights
        if len(history) <= HISTORY_FOLLOWED:
            return links_of(self.model.neighbours, history, weights)
        weightiest = loops.best_places(weights, HISTORY_FOLLOWED)
        links = links_of(self.model.neighbours, history.take(weightiest), weights.take(weightiest))
        return Links(weightiest.take(links.source), links.items, links.scores)

    @once
    def anchors(self) -> Ints:
        """What the page itself is about: its item, else the cart; empty elsewhere."""
        return np.array([self.item], np.int32) if self.item >= 0 else self.cart


@dataclass(frozen=True, eq=False)
class Candidates:
    """Items under consideration, as columns. `items` are distinct item numbers, [n]; every column has n rows."""

    items: Ints
    catalogue: Catalogue
    board: Board = field(default_factory=Board, repr=False)
    """Shared by the requests of one loop, so that laying scores out costs what is laid out and not the catalogue."""
    passed: Allowed | None = None
    """What all of these are known to be among: nobody need look again."""

    def __len__(self) -> int:
        return len(self.items)

    @once
    def price(self) -> Floats:
        """What one pays now, sale price included; nan where unknown."""
        return self.catalogue.price.take(self.items)

    @once
    def log_price(self) -> Floats:
        """The natural logarithm of the price; -inf where it is 0 or unknown."""
        return self.catalogue.log_price.take(self.items)

    @once
    def published(self) -> NDArray[np.float64]:
        """Epoch seconds."""
        return self.catalogue.published.take(self.items)

    @once
    def category(self) -> Ints:
        """Code of the whole category path; `catalogue.category_names[code]` is its text."""
        return self.catalogue.category.take(self.items)

    @once
    def top_category(self) -> Ints:
        return self.catalogue.top_category.take(self.items)

    @once
    def brand(self) -> Ints:
        return self.catalogue.brand.take(self.items)

    @once
    def band(self) -> Ints:
        """Price band 0..9: deciles of the item's top category's prices; -1 where unknown."""
        return self.catalogue.band.take(self.items)

    @once
    def highest(self) -> int:
        """The largest item number among the candidates; -1 when there are none."""
        return int(self.items.max()) if len(self.items) else -1

    def lookup(self, values: Floats | None) -> Floats:
        """Rows of a learned column or matrix for these items, [n] or [n, d]; zeros for items that came after it was
        learned, and everywhere when it was not learned."""
        if values is None:
            return np.zeros(len(self.items), np.float32)
        if values.ndim == 1:
            return loops.rows(values, self.items)
        if self.highest < len(values):
            return values.take(self.items, axis=0)
        found = np.zeros((len(self.items), *values.shape[1:]), np.float32)
        known = self.items < len(values)
        found[known] = values[self.items[known]]
        return found

    def products(self, vectors: Floats, vector: Floats) -> Floats:
        """Inner products of these items' rows of a learned matrix with a vector, [n]; 0 for items that came after it
        was learned."""
        return loops.products(vectors, self.items, vector)

    def positions(self, items: Ints) -> Ints:
        """Where each of `items` (item numbers, any length) stands among these candidates; -1 for those not here."""
        return self.board.positions(self.items, items, self.catalogue.size)

    def spread(self, items: Ints, scores: Floats) -> Floats:
        """Scores given by item number, laid out over these candidates, [n]: 0 for the rest, sums where an item comes
        more than once."""
        return self.board.spread(self.items, items, scores, self.catalogue.size)

    def contains(self, items: Ints) -> Mask:
        """Which candidates are among `items`, [n]."""
        found = np.zeros(len(self.items), np.bool_)
        if len(items) <= FEW:
            for item in items:
                found |= self.items == item
        else:
            places = self.positions(items)
            found[places[places >= 0]] = True
        return found

    def select(self, mask_or_order: Mask | Ints) -> Candidates:
        return Candidates(self.items[mask_or_order], self.catalogue, self.board, self.passed)


def scaled(scores: Floats) -> Floats:
    """Scores divided by their largest magnitude, so that parts of any origin weigh alike; zeros stay zeros."""
    return loops.scaled(scores)
