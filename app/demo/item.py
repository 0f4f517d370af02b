"""One product of the demo shop, in the shape that the item API takes."""

from __future__ import annotations

from typing import TypedDict


class Item(TypedDict):
    """A catalogue record. Prices in EUR; `sale_price` is None when there is none; `published` in epoch seconds.

    `regions` lists where the product may be sold; empty means everywhere.
    """

    id: str
    title: str
    description: str
    url: str
    image: str
    price: float
    sale_price: float | None
    currency: str
    category: list[str]
    brand: str
    availability: str
    published: int
    regions: list[str]
    attributes: dict[str, str | float | bool]
