"""A product as a page of the demo shop shows it: title, picture, prices in words."""

from __future__ import annotations

from dataclasses import dataclass

from app.serving.money import money
from store.records import Item

LOCALE = "en-IE"
"""The widget formats with Intl for this locale as app/serving/money.py does: nothing moves when it takes over."""


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
