"""Reads a request for recommendations: the wire's shape, its bounds, and what its ids mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from app.filters.masks import FilterError
from app.privacy.visitor import Short, VisitorOnWire
from app.problem import FieldError, Problem, read_json
from app.serving.options import ServingOptions
from app.serving.recommend import Ask, Page
from plugins.contract import NO_ITEMS, Ints
from store.catalogue import Catalogue

Ids = Annotated[list[Short], Meta(max_length=10_000)]


class ContextOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the visitor is."""

    region: Annotated[str, Meta(max_length=64)] = ""
    currency: Annotated[str, Meta(max_length=8)] = ""
    locale: Annotated[str, Meta(max_length=35)] = ""
    device: Annotated[str, Meta(max_length=32)] = ""
    """"phone", "tablet" or "desktop", where the page knows; rules may ask for it."""
    category: Annotated[str, Meta(max_length=400)] = ""
    """What a page without an item is about: "shoes" or "shoes/running"; rules may ask for it."""
    item: Short | None = None
    cart: Ids = []
    viewed: Ids = []
    """Items of this visit, newest last, as far as the page knows them; for visitors nothing is kept of."""


class AskOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One list."""

    placement: Short
    limit: Annotated[int, Meta(ge=1, le=200)] | None = None
    exclude: Ids = []
    filter: Annotated[str, Meta(max_length=4096)] = ""
    fields: Annotated[list[Short], Meta(max_length=64)] = []


class RecommendationsOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/recommendations."""

    requests: Annotated[list[AskOnWire], Meta(min_length=1)]
    visitor: VisitorOnWire = VisitorOnWire()
    context: ContextOnWire = ContextOnWire()
    key: Short = ""
    dry_run: bool = False
    explain: bool = False


_decode = msgspec.json.Decoder(RecommendationsOnWire).decode


def read_request(body: bytes, options: ServingOptions) -> RecommendationsOnWire:
    """The request in a body. Raises Problem 400 saying where it is wrong, every bound that it passes at once."""
    told = read_json(_decode, body)
    check_bounds(told, options)
    return told


def check_bounds(told: RecommendationsOnWire, options: ServingOptions) -> None:
    """Raises Problem 400 with every bound of [serving] that the request passes."""
    bounds = [
        ("/requests", len(told.requests), options.requests_at_most),
        ("/context/cart", len(told.context.cart), options.cart_at_most),
        ("/context/viewed", len(told.context.viewed), options.viewed_at_most),
    ]
    for index, ask in enumerate(told.requests):
        bounds.append((f"/requests/{index}/exclude", len(ask.exclude), options.exclude_at_most))
        bounds.append((f"/requests/{index}/limit", ask.limit or 0, options.limit_at_most))
    beyond = [FieldError(pointer, f"{count} is more than {most}") for pointer, count, most in bounds if count > most]
    if beyond:
        raise Problem(400, "Not a valid request", "a bound is passed", errors=beyond)


def page_of(context: ContextOnWire, catalogue: Catalogue) -> Page:
    """The page in item numbers; ids that the catalogue does not know are left out."""
    item = catalogue.number(context.item) if context.item else None
    return Page(
        region=context.region,
        locale=context.locale,
        currency=context.currency,
        device=context.device,
        category=context.category,
        item=-1 if item is None else item,
        cart=numbers_of(context.cart, catalogue),
        # Newest last: what was looked at twice stands where it was looked at last.
        viewed=numbers_of(reversed(context.viewed), catalogue)[::-1],
    )


def ask_of(ask: AskOnWire, catalogue: Catalogue) -> Ask:
    """The list asked for, in item numbers."""
    return Ask(ask.placement, ask.limit or 0, numbers_of(ask.exclude, catalogue), ask.filter)


def missing_ids(ask: AskOnWire, context: ContextOnWire, catalogue: Catalogue) -> list[str]:
    """Ids that a request names and the catalogue does not know."""
    named = [*context.cart, *ask.exclude, *([context.item] if context.item else [])]
    return [item_id for item_id in dict.fromkeys(named) if catalogue.number(item_id) is None]


def numbers_of(ids: Iterable[str], catalogue: Catalogue) -> Ints:
    """Item numbers of ids, distinct, in their order; unknown ones are left out."""
    numbers = [number for item_id in ids if (number := catalogue.number(item_id)) is not None]
    return np.array(list(dict.fromkeys(numbers)), np.int32) if numbers else NO_ITEMS


def filter_problem(error: FilterError, asks: Iterable[AskOnWire]) -> Problem:
    """The answer to a filter that cannot be read, pointing at the list it came with."""
    errors = [FieldError(f"/requests/{index}/filter", str(error)) for index, ask in enumerate(asks) if ask.filter]
    return Problem(400, "The filter cannot be read", str(error), errors=errors[:1])
