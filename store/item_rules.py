"""What an item must be like to enter the catalogue: bounded in size, its links links, its prices prices."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator

from store.records import Item

AVAILABILITIES = ("in_stock", "out_of_stock", "preorder", "backorder")
LONGEST = {"id": 128, "title": 500, "description": 10_000, "url": 2_000, "image": 2_000, "brand": 200, "currency": 3}
CATEGORY_DEPTH = 8
WORD_LENGTH = 200
ATTRIBUTES_PER_ITEM = 64


def item_problems(item: Item) -> list[tuple[str, str]]:
    """Everything wrong with an item as (JSON pointer, sentence); empty where it is fine."""
    return [*_texts(item), *_money(item), *_paths(item), *_attributes(item)]


def _texts(item: Item) -> Iterator[tuple[str, str]]:
    for name, longest in LONGEST.items():
        if len(getattr(item, name)) > longest:
            yield f"/{name}", f"at most {longest} characters"
    if not item.id or item.id != item.id.strip() or any(unicodedata.category(sign)[0] == "C" for sign in item.id):
        yield "/id", "must not be empty, begin or end with a space or hold control characters"
    if not item.title.strip():
        yield "/title", "must not be empty"
    for name in ("url", "image"):
        link = getattr(item, name)
        if link and not link.startswith(("https://", "http://")) and (link[:1] != "/" or link[:2] == "//"):
            yield f"/{name}", "must begin with https://, http:// or a single /"
    if item.availability not in AVAILABILITIES:
        yield "/availability", f"must be one of {', '.join(AVAILABILITIES)}"


def _money(item: Item) -> Iterator[tuple[str, str]]:
    for name in ("price", "sale_price"):
        price = getattr(item, name)
        if price is not None and not (math.isfinite(price) and 0 <= price < 1e9):
            yield f"/{name}", "must be a number from 0 to 1,000,000,000"
    if not (math.isfinite(item.published) and item.published >= 0):
        yield "/published", "must be epoch seconds"


def _paths(item: Item) -> Iterator[tuple[str, str]]:
    if len(item.category) > CATEGORY_DEPTH:
        yield "/category", f"at most {CATEGORY_DEPTH} levels"
    for name in ("category", "regions"):
        if any(not part.strip() or len(part) > WORD_LENGTH for part in getattr(item, name)):
            yield f"/{name}", f"each part must have 1 to {WORD_LENGTH} characters"
    if any("/" in part or "|" in part for part in item.category):
        yield "/category", "a part must not contain / or |; give one part per level"


def _attributes(item: Item) -> Iterator[tuple[str, str]]:
    if len(item.attributes) > ATTRIBUTES_PER_ITEM:
        yield "/attributes", f"at most {ATTRIBUTES_PER_ITEM}"
    for name, value in item.attributes.items():
        if not name.strip() or len(name) > WORD_LENGTH or "`" in name:
            yield "/attributes", f"names must have 1 to {WORD_LENGTH} characters and no `"
        if isinstance(value, str) and len(value) > WORD_LENGTH:
            yield f"/attributes/{name}", f"at most {WORD_LENGTH} characters"
        if isinstance(value, float) and not math.isfinite(value):
            yield f"/attributes/{name}", "must be a finite number"
