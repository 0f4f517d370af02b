"""The wire's shape of a search, and how its answer is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from app.privacy.visitor import Short, VisitorOnWire
from app.problem import FieldError, Problem, read_json
from app.search.options import SearchOptions
from app.serving.answer import ServedBy, ShelfItem, served_by_of, shelf_json
from app.serving.explanations import Explanation
from app.serving.recommend import Shelf
from app.serving.request import ContextOnWire, Ids
from app.serving.trials import ExperimentOnWire
from store.catalogue import Catalogue

_encode = msgspec.json.Encoder().encode


class SearchOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/search: a query never stands in a URL."""

    query: str
    visitor: VisitorOnWire = VisitorOnWire()
    context: ContextOnWire = ContextOnWire()
    limit: Annotated[int, Meta(ge=1, le=200)] | None = None
    offset: Annotated[int, Meta(ge=0)] = 0
    exclude: Ids = []
    filter: Annotated[str, Meta(max_length=4096)] = ""
    fields: Annotated[list[Short], Meta(max_length=64)] = []
    key: Short = ""
    dry_run: bool = False
    explain: bool = False


class SearchAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a search."""

    placement: str
    title: str
    request_id: str
    token: str
    strategy: Literal["personalized", "contextual", "popular", "fallback"]
    """`popular` is the static order, matches by distinct buyers."""
    items: list[ShelfItem]
    missing_ids: list[str]
    total: int
    """How many items match and may be shown."""
    corrected: dict[str, str]
    """Words nobody has -> what was searched instead."""
    served_by: ServedBy
    took_ms: float
    experiment: ExperimentOnWire | None = None
    explanation: Explanation | None = None


_decode = msgspec.json.Decoder(SearchOnWire).decode


def read_search(body: bytes, options: SearchOptions) -> SearchOnWire:
    """The search in a body. Raises Problem 400 saying where it is wrong."""
    told = read_json(_decode, body)
    bounds = [
        ("/query", len(told.query), options.query_characters),
        ("/limit", told.limit or 0, options.limit_at_most),
        ("/offset", told.offset, options.candidates),
        ("/exclude", len(told.exclude), options.candidates),
    ]
    beyond = [FieldError(pointer, f"{count} is more than {most}") for pointer, count, most in bounds if count > most]
    if beyond:
        raise Problem(400, "Not a valid request", "a bound is passed", errors=beyond)
    return told


def search_json(
    shelf: Shelf, catalogue: Catalogue, *, fields: Collection[str], missing: list[str], total: int,
    corrected: Mapping[str, str], took_ms: float, explain: bool,
    inside: bool = False,
) -> bytes:  # fmt: skip
    """The body of an answer: a list as any other, with what only a search has."""
    shown = shelf_json(shelf, catalogue, fields, missing, explain, inside)
    tail = (total, _encode(corrected), _encode(served_by_of(shelf, inside)), took_ms)
    return b'%b,"total":%d,"corrected":%b,"served_by":%b,"took_ms":%.2f}' % (shown[:-1], *tail)
