"""Reads products as the shop's server sends them: each is taken or refused for itself, with all that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from app.problem import FieldError, field_error, not_json, read_json
from store.item_rules import item_problems
from store.records import Item


class Product(Item, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A product as it comes in; `id` may be left out where the path says it."""

    id: str = ""


class ItemResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one product."""

    id: str
    status: Literal["stored", "rejected"]
    errors: Sequence[FieldError] = ()


class ProductBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/items:batch; each product is read for itself."""

    items: list[msgspec.Raw]


class BatchAnswer(msgspec.Struct, frozen=True):
    """One result per product, in their order."""

    results: list[ItemResult]


_decode_item = msgspec.json.Decoder(Product).decode
_decode_batch = msgspec.json.Decoder(ProductBatch).decode


def read_item(body: bytes | msgspec.Raw, named: str = "") -> Item | list[FieldError]:
    """The product in some JSON, or everything that is wrong with it. `named`: the id where the path says it."""
    try:
        told = _decode_item(body)
    except msgspec.ValidationError as error:
        return [field_error(error, Product)]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return [FieldError("", f"not valid JSON: {not_json(error) if body else 'the body is empty'}")]
    if named and told.id not in ("", named):
        return [FieldError("/id", f"the path says '{named}', the body '{told.id}'; leave one out")]
    fields = {name: getattr(told, name) for name in Item.__struct_fields__}
    item = Item(**fields | {"id": told.id or named})
    problems = [FieldError(pointer, sentence) for pointer, sentence in item_problems(item)]
    return problems or item


def read_batch(body: bytes) -> list[msgspec.Raw]:
    """The products of a batch, still unread. Raises Problem 400 where it is no batch at all."""
    return read_json(_decode_batch, body, "Not a valid batch").items
