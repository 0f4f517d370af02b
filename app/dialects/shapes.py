"""Single events of other vendors' shapes as events of ours: Google Retail, Shopify web pixels, Algolia Insights.

Who did it is said by the batch's envelope; ids of visitors inside these events are not looked at.
"""

from __future__ import annotations

from app.dialects.names import ALGOLIA, ALIASES, GOOGLE_RETAIL, SHOPIFY
from app.dialects.reading import Json, digest, line, milliseconds, number, table, tables, without_gaps, word

Told = dict[str, object]


def translate(event: Json, raw: bytes) -> Told | None:
    """The event in our shape, as JSON values still to be checked; None where the shape is nobody's we know."""
    if "eventType" in event and ("objectIDs" in event or "userToken" in event):
        return _algolia(event, raw)
    if "eventType" in event:
        return _google_retail(event, raw)
    if "timestamp" in event and word(event.get("name")) in SHOPIFY:
        return _shopify(event)
    return None


def _google_retail(event: Json, raw: bytes) -> Told | None:
    name = GOOGLE_RETAIL.get(word(event.get("eventType")))
    if name is None:
        return None
    bought = table(event.get("purchaseTransaction"))
    lines = [
        line([table(detail.get("product")).get("id")], detail.get("quantity"))
        for detail in tables(event.get("productDetails"))
    ]
    return _told(
        digest("gr", raw), name, milliseconds(event.get("eventTime")), lines,
        search_term=word(event.get("searchQuery")), value=number(bought.get("revenue")),
        currency=word(bought.get("currencyCode")), token=word(event.get("attributionToken")),
    )  # fmt: skip


def _shopify(event: Json) -> Told:
    data = table(event.get("data"))
    checkout, added = table(data.get("checkout")), table(data.get("cartLine"))
    if checkout:
        lines = [_variant(table(one.get("variant")), one.get("quantity")) for one in tables(checkout.get("lineItems"))]
    elif added:
        lines = [_variant(table(added.get("merchandise")), added.get("quantity"))]
    else:
        found = tables(table(data.get("collection")).get("productVariants"))
        lines = [
            _variant(one, None) for one in ([table(data.get("productVariant"))] if "productVariant" in data else found)
        ]
    total = table(checkout.get("totalPrice"))
    return _told(
        word(event.get("id")), ALIASES[word(event.get("name"))], milliseconds(event.get("timestamp")), lines,
        search_term=word(table(data.get("searchResult")).get("query")), value=number(total.get("amount")),
        currency=word(total.get("currencyCode")),
    )  # fmt: skip


def _variant(variant: Json, quantity: object) -> Told:
    """Shopify names a variant; the catalogue may have its product, by number or handle, or its article number."""
    product = table(variant.get("product"))
    handle = word(product.get("url")).partition("?")[0].rpartition("/products/")[2]
    return line(
        [handle, product.get("id"), variant.get("sku"), variant.get("id")],
        quantity, table(variant.get("price")).get("amount"),
    )  # fmt: skip


def _algolia(event: Json, raw: bytes) -> Told | None:
    name = ALGOLIA.get(word(event.get("eventSubtype"))) or ALGOLIA.get(word(event.get("eventType")))
    ids = event.get("objectIDs")
    if name is None or not isinstance(ids, list):
        return None
    details = tables(event.get("objectData"))
    details += [{}] * (len(ids) - len(details))
    lines = [
        line([one], detail.get("quantity"), detail.get("price")) for one, detail in zip(ids, details, strict=False)
    ]
    return _told(
        digest("al", raw), name, milliseconds(event.get("timestamp")), lines, value=number(event.get("value")),
        currency=word(event.get("currency")),
    )  # fmt: skip


def _told(identity: str, name: str, at: int | None, lines: list[Told], **params: object) -> Told:
    return without_gaps({
        "id": identity[:128], "name": name, "ts": at,
        "params": without_gaps({"items": [one for one in lines if "item_id" in one], **params}),
    })  # fmt: skip
