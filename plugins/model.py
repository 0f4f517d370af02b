"""What was learned across people and of the catalogue, as plugins ask it: one generation at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from store.records import Floats, Ints
from store.sparse import Rows

if TYPE_CHECKING:
    from plugins.contract import Allowed


class Model(Protocol):
    """One generation of learned artefacts. Arrays are indexed by item number and have `size` rows; an artefact that
    was not learned is None. Items numbered `size` or more came after the training."""

    @property
    def id(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def item_vectors(self) -> Floats | None:
        """ALS item vectors, [size, d]; a row of zeros where the item had no behaviour."""

    @property
    def neighbours(self) -> Rows | None:
        """Item neighbours from everyone's histories, [size, size], top-k rows."""

    @property
    def together(self) -> Rows | None:
        """Bought together, from baskets, [size, size], top-k rows."""

    @property
    def taste_trust(self) -> float:
        """How far item vectors are more than noise, 0..1: so much scores by them count; 1 where there is none."""
        ...

    @property
    def neighbours_trust(self) -> float:
        """The same of `neighbours`."""
        ...

    @property
    def click_rates(self) -> Floats | None:
        """Smoothed click rate where a list showed it, and to how many people, [size, 2]; None where not learned."""

    def popularity(self, region: str) -> Floats | None:
        """Distinct buyers in the static window, [size]; of the region where it has enough, else of everyone."""

    def selling_now(self, region: str) -> Floats | None:
        """Distinct buyers of the last days as logarithms, divided by the largest, [size], 0..1; regions as above."""

    def trending(self, region: str) -> Floats | None:
        """Recent rate against the usual one, [size]."""

    def segments(self, affinities: Mapping[str, float]) -> frozenset[str]:
        """Keys of the segments somebody with these affinities belongs to."""

    def nearest_by_vector(self, vector: Floats, limit: int, allowed: Allowed | None = None) -> tuple[Ints, Floats]:
        """Items by inner product with a user vector, those allowed alone where that is told: numbers and scores, best
        first."""

    def user_vector(self, items: Ints, weights: Floats) -> Floats | None:
        """Closed-form fold-in of a history, [d]; None where no item of it is known."""

    def session_scores(self, viewed: Ints, limit: int) -> tuple[Ints, Floats]:
        """Next-item scores of a visit (VMIS-kNN), newest item last: numbers and scores, best first."""

    def content_vectors(self, items: Ints) -> Floats | None:
        """Content vectors of any items, new ones included, [len(items), d_content], unit length."""

    def nearest_by_content(self, vector: Floats, limit: int) -> tuple[Ints, Floats]:
        """Items, new ones included, by content: numbers and cosine, best first."""
