"""Makes of what a feed tells an item of the catalogue, or says everything that is wrong with it."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from app.feeds.money import NotMoney, money_of
from app.feeds.options import FeedOptions
from app.feeds.raw import Raw
from app.feeds.text import words_of
from app.problem import FieldError
from app.suggestion import suggest
from store.item_rules import ATTRIBUTES_PER_ITEM, CATEGORY_DEPTH, LONGEST, WORD_LENGTH, item_problems
from store.records import Item

# Spellings of Google Merchant, schema.org, WooCommerce and of shops that export a number or a yes.
_AVAILABLE = {
    "": "in_stock", "instock": "in_stock", "limitedavailability": "in_stock", "onlineonly": "in_stock",
    "instoreonly": "in_stock", "available": "in_stock", "availablefororder": "in_stock", "true": "in_stock",
    "yes": "in_stock", "outofstock": "out_of_stock", "soldout": "out_of_stock", "discontinued": "out_of_stock",
    "unavailable": "out_of_stock", "notavailable": "out_of_stock", "false": "out_of_stock", "no": "out_of_stock",
    "preorder": "preorder", "presale": "preorder", "backorder": "backorder", "onbackorder": "backorder",
    "madetoorder": "backorder", "reserved": "out_of_stock",
}  # fmt: skip


def item_of(raw: Raw, options: FeedOptions, shop_currency: str) -> Item | list[FieldError]:
    """The item, or all that keeps it out. Texts that are too long are cut, links without an address are left out."""
    errors: list[FieldError] = []
    price, currency = _money("price", raw.price, errors)
    if not raw.price:
        errors.append(FieldError("/price", "missing; write one like 19.90 EUR"))
    sale, _ = _money("sale_price", raw.sale_price, errors)
    item = Item(
        id=raw.id.strip(),
        title=words_of(raw.title)[: LONGEST["title"]],
        description=words_of(raw.description)[: LONGEST["description"]],
        url=_link(raw.url, options.link_base),
        image=_link(raw.image, options.image_base or options.link_base),
        price=price,
        sale_price=sale if sale is not None and price is not None and 0 < sale < price else None,
        currency=_currency(currency or raw.currency or options.currency or shop_currency, errors),
        category=tuple(words_of(part)[:WORD_LENGTH] for part in raw.category[:CATEGORY_DEPTH]),
        brand=words_of(raw.brand)[: LONGEST["brand"]],
        availability=_availability(raw.availability, errors),
        hidden=raw.hidden,
        published=_published(raw.published, errors),
        regions=raw.regions,
        attributes=_attributes(raw.attributes),
    )
    errors += [FieldError(pointer, sentence) for pointer, sentence in item_problems(item)]
    return errors or item


def _money(name: str, text: str, errors: list[FieldError]) -> tuple[float | None, str]:
    if not text.strip():
        return None, ""
    try:
        return money_of(text)
    except NotMoney as error:
        errors.append(FieldError(f"/{name}", str(error)))
        return None, ""


def _currency(written: str, errors: list[FieldError]) -> str:
    try:
        return money_of(f"0 {written}")[1]
    except NotMoney as error:
        errors.append(FieldError("/currency", str(error).removeprefix("'0' ")))
        return ""


def _availability(text: str, errors: list[FieldError]) -> str:
    word = "".join(sign for sign in text.rpartition("/")[2].lower() if sign.isalnum() or sign in "-.")
    plain = word.replace("-", "").replace(".", "")
    if plain in _AVAILABLE:
        return _AVAILABLE[plain]
    try:
        return "in_stock" if float(word) > 0 else "out_of_stock"
    except ValueError:
        known = ("in_stock", "out_of_stock", "preorder", "backorder")
        errors.append(FieldError("/availability", f"{text[:40]!r} is none of {', '.join(known)}{suggest(text, known)}"))
        return "out_of_stock"


def _published(text: str, errors: list[FieldError]) -> float:
    if not text:
        return 0.0
    try:
        number = float(text)
        return number / 1000 if number > 1e11 else number
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(text)
        return max((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp(), 0.0)
    except (ValueError, OverflowError):
        errors.append(FieldError("/published", f"{text[:40]!r} is no time; write one like 2026-11-27T12:00:00Z"))
        return 0.0


def _link(text: str, base: str) -> str:
    link = text.strip()
    if link and base and not link.startswith(("https://", "http://", "/")):
        link = base.rstrip("/") + "/" + link
    whole = link.startswith(("https://", "http://")) or (link.startswith("/") and not link.startswith("//"))
    return link if whole and len(link) <= LONGEST["url"] else ""


def _attributes(told: dict[str, str | float | bool]) -> dict[str, str | float | bool]:
    kept: dict[str, str | float | bool] = {}
    for name, value in told.items():
        name = name.replace("`", "").strip()[:WORD_LENGTH]
        if isinstance(value, str):
            value = words_of(value)[:WORD_LENGTH]
        if name and value != "" and not (isinstance(value, float) and not math.isfinite(value)):
            kept[name] = value
        if len(kept) == ATTRIBUTES_PER_ITEM:
            break
    return kept
