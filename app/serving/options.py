"""What an operator can set about answering: bounds, retrieval, and what each placement shows."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

WIDE_ENOUGH = 0.4
WIDEST = 4000
Count = Annotated[int, Meta(ge=1)]


class RetrievalOptions(msgspec.Struct, frozen=True):
    """[retrieval]: the index over item vectors. Figures: docs/decisions/retrieval-index.md."""

    m: Annotated[int, Meta(ge=4, le=64)] = 24
    """Links per item of the HNSW graph."""
    ef_construction: Annotated[int, Meta(ge=16, le=1000)] = 200
    ef: Annotated[int, Meta(ge=16, le=2000)] = 128
    """Width of a search: more finds more of the truly nearest and takes longer."""
    exact_below: Annotated[int, Meta(ge=0)] = 10_000
    """Catalogues smaller than this are scanned whole: as fast, and nothing is missed."""

    def width(self, share: float) -> int:
        """How widely to search where only a share of the items may be found: as widely as without a filter down to two
        fifths of them, then ever more widely. Measured: docs/decisions/retrieval-index.md."""
        return min(WIDEST, int(self.ef * max(1.0, WIDE_ENOUGH / max(share, 1e-6)) ** 1.5))


class ServingOptions(msgspec.Struct, frozen=True):
    """[serving]: bounds of a request and of what is remembered of answers."""

    candidates: Annotated[int, Meta(ge=10, le=5000)] = 500
    """At most this many items are scored for one list."""
    proposals: Annotated[int, Meta(ge=10, le=2000)] = 100
    """At most this many from each retriever."""
    limit_at_most: Annotated[int, Meta(ge=1, le=200)] = 50
    """Items in one list."""
    requests_at_most: Count = 12
    """Lists in one request."""
    exclude_at_most: Count = 500
    cart_at_most: Count = 100
    viewed_at_most: Count = 50
    body_bytes: Count = 64 * 1024
    """A larger request is answered with 413."""
    filters: Count = 256
    """Compiled filters, and their masks over the catalogue, kept for the next request."""
    explanations: Annotated[int, Meta(ge=0)] = 2000
    """Answers that can be asked "why?"; kept in memory, without the visitor."""
    explain_minutes: Annotated[float, Meta(gt=0)] = 15.0
    token_hours: Annotated[float, Meta(gt=0)] = 24.0
    """How long a click can still be attributed to the list it came from."""
    distinct: bool = True
    """Lists asked for in one request do not repeat each other's items."""


class RankingOptions(msgspec.Struct, frozen=True):
    """[ranking]: blend weights of placements, learned from what people clicked in their lists."""

    learned: bool = True
    """False: nothing of it is kept or learned, and every placement keeps the weights it is configured with."""
    lists: Annotated[int, Meta(ge=0)] = 10_000
    """Lists of which it is remembered, in memory, what each scorer said, until somebody clicks in them."""
    minutes: Annotated[float, Meta(gt=0, le=1_440)] = 60.0
    """For so long, at most."""
    sampled: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """The part of all lists that is remembered: less where a list is gone from memory before its click comes."""
    people_at_least: Annotated[int, Meta(ge=10)] = 200
    """Of fewer who clicked in a placement's lists nothing is learned for it."""
    clicks_per_person: Count = 4
    """Of one person so many clicks count, drawn by lot; together as much as one click of anybody else."""
    spread: Annotated[float, Meta(gt=0, le=10)] = 0.3
    """How far a weight is expected to lie from the configured one, before any click says so; smaller keeps closer."""
    range: Annotated[float, Meta(ge=1, le=100)] = 4.0
    """A learned weight is at most so many times the configured one, and at least that part of it."""
    held_out: Annotated[float, Meta(gt=0, lt=1)] = 0.25
    """Of the people: weights are not learned from their clicks but judged by them."""


class PlacementOptions(msgspec.Struct, frozen=True, kw_only=True):
    """[placements.NAME]: what one place of the shop shows. What is left out stays as it ships; a placement of a new
    name starts from `home`."""

    title: str | None = None
    fill_title: str | None = None
    """The title of a list that nothing but `fill` made: what sells well was not "bought together". Empty: `title`."""
    limit: Annotated[int, Meta(ge=1, le=200)] | None = None
    """Items, where the request does not say."""
    retrieve: tuple[str, ...] | None = None
    """Plugins that propose candidates; those dropped in always do."""
    weights: dict[str, float] | None = None
    """Weights of scorer plugins, laid over those that ship; 0 switches one off."""
    arrange: tuple[str, ...] | None = None
    """Plugins that give the final order, in this order."""
    fill: tuple[str, ...] | None = None
    """Plugins that propose what fills a list that came out short; empty: it stays short."""
    filter: str | None = None
    """A filter every item of this placement has to pass."""
    exclude_bought: bool | None = None
    """Leave out what the visitor has bought before (where that is allowed to be known)."""
    distinct: bool | None = None
    """Leave out what other lists of the same request show; not for lists of what one has viewed or bought."""
