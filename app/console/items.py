"""Products as the console's lists show them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from app.serving.money import money
from store.catalogue import Catalogue


class ItemLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One product in a list."""

    id: str
    title: str
    image: str = ""
    price: str = ""
    was: str = ""
    brand: str = ""
    category: str = ""
    availability: str = "in_stock"
    shown: bool = True
    """Whether any list may show it."""
    score: float | None = None
    note: str = ""


def item_line(catalogue: Catalogue, number: int, *, score: float | None = None, note: str = "") -> ItemLine:
    """The product of a number. KeyError for a deleted one."""
    item = catalogue.item(number)
    reduced = item.sale_price is not None and item.price is not None and item.sale_price < item.price
    amount = item.sale_price if reduced else item.price
    currency = item.currency or "EUR"
    return ItemLine(
        item.id,
        item.title,
        picture(item.image),
        money(amount, currency) if amount is not None else "",
        money(item.price or 0.0, currency) if reduced else "",
        item.brand,
        " › ".join(item.category),
        item.availability,
        bool(catalogue.servable[number]),
        score,
        note,
    )


def item_lines(catalogue: Catalogue, numbers: Iterable[int]) -> list[ItemLine]:
    return [item_line(catalogue, number) for number in numbers if catalogue.exists(number)]


def picture(url: str) -> str:
    """An address the console's pages may load: the shop's own over TLS, or one of this server."""
    return url if url.startswith(("https://", "/")) and not url.startswith("//") else ""
