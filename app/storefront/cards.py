"""A product as a page of the demo shop shows it: title, picture, prices in words."""

from __future__ import annotations

from dataclasses import dataclass

from store.records import Item

SIGNS = {"EUR": "€", "GBP": "£", "USD": "US$"}
LOCALE = "en-IE"
"""The widget formats with Intl for this locale, and `money` writes the same: nothing moves when it takes over."""


@dataclass(frozen=True)
class Card:
    """What a card shows. `price` and `was` are text; `amount` is what one pays, in `currency`."""

    id: str
    title: str
    url: str
    image: str
    price: str
    was: str
    amount: float
    currency: str


def money(amount: float, currency: str) -> str:
    """`€1,234.50`, as Intl.NumberFormat writes it for LOCALE."""
    sign = SIGNS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
    return f"{sign}{amount:,.2f}"


def card_of(item: Item) -> Card:
    reduced = item.sale_price is not None and item.price is not None and item.sale_price < item.price
    amount = (item.sale_price if reduced else item.price) or 0.0
    currency = item.currency or "EUR"
    return Card(
        id=item.id,
        title=item.title,
        url=item.url,
        image=item.image,
        price=money(amount, currency) if item.price is not None else "",
        was=money(item.price or 0.0, currency) if reduced else "",
        amount=amount,
        currency=currency,
    )
