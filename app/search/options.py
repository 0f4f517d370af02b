"""What an operator can set about search: bounds, and how far what is known of a visitor may move the order."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]


class SearchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """[search]: with all weights 0 the order is the static one, matches by distinct buyers."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 24
    """Items in an answer, where the request does not say."""
    limit_at_most: Annotated[int, Meta(ge=1, le=200)] = 100
    candidates: Annotated[int, Meta(ge=50, le=5000)] = 500
    """The best matches in the static order; these are what is re-ranked and paged through."""
    query_characters: Annotated[int, Meta(ge=10, le=1000)] = 200
    """A longer query is answered with 400."""
    body_bytes: Count = 64 * 1024
    weights: dict[str, float] = msgspec.field(default_factory=lambda: {"taste": 0.7, "buy_again": 0.7, "affinity": 0.3})
    """Scorer plugins laid over what many buy, which counts from 0 to 1, for visitors of whom something is known. More
    for `buy_again` finds known items sooner and new ones later (docs/decisions/search-order.md)."""
    selling_now: Annotated[float, Meta(ge=0, le=1)] = 0.8
    """For the same visitors, which part of "what many buy" is of the last days and not of the static order's window.
    For everyone else the order is the static one."""
    meaning_matches: Count = 100
    """The best matches from which the affinities of a query are read."""
    meaning_keys: Count = 12
    """At most this many affinities are learned from a query."""
