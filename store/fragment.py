"""What an answer tells about an item, and how it is written down once as JSON."""

from __future__ import annotations

import msgspec

from store.records import Item


class Picture(msgspec.Struct, frozen=True):
    url: str
    alt: str


class ShownItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an answer says about an item (WEB.md); empty fields are left out."""

    id: str
    title: str
    url: str = ""
    image: Picture | None = None
    price: float | None = None
    sale_price: float | None = None
    currency: str = ""
    availability: str = ""


class Described(msgspec.Struct, frozen=True):
    """The fields of an `Item` that answers tell: where attributes are many, a tenth of the work of reading all."""

    id: str
    title: str
    url: str = ""
    image: str = ""
    price: float | None = None
    sale_price: float | None = None
    currency: str = ""
    availability: str = "in_stock"


def shown(item: Item | Described) -> ShownItem:
    return ShownItem(
        id=item.id,
        title=item.title,
        url=item.url,
        image=Picture(item.image, item.title) if item.image else None,
        price=item.price,
        sale_price=item.sale_price,
        currency=item.currency,
        availability=item.availability,
    )


def fragment_of(item: Item | Described) -> bytes:
    """The item as the JSON object of an answer, `{"id":…}`; an answer splices its own fields in before the brace."""
    return _encode_json(shown(item))


_encode_json = msgspec.json.Encoder().encode
