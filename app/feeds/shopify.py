"""Shopify's product CSV in both generations of its header; variants of one handle become one product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from app.feeds.money import amount_or_zero
from app.feeds.options import FeedOptions
from app.feeds.raw import FeedBroken, Raw, first, path_of
from app.feeds.table import read_table

# Column of the present template -> that of the older one, which exports of many apps still have.
OLDER = {
    "URL handle": "Handle", "Description": "Body (HTML)", "Product category": "Product Category",
    "Published on online store": "Published", "SKU": "Variant SKU", "Price": "Variant Price",
    "Compare-at price": "Variant Compare At Price", "Inventory tracker": "Variant Inventory Tracker",
    "Inventory quantity": "Variant Inventory Qty", "Continue selling when out of stock": "Variant Inventory Policy",
    "Product image URL": "Image Src", "Image position": "Image Position",
    "Option1 name": "Option1 Name", "Option1 value": "Option1 Value", "Option2 name": "Option2 Name",
    "Option2 value": "Option2 Value", "Option3 name": "Option3 Name", "Option3 value": "Option3 Value",
}  # fmt: skip
Row = Mapping[str, str]


def read_shopify(path: Path, options: FeedOptions) -> Iterator[Raw]:
    """A product per handle, in the order of the file; its rows follow each other, as Shopify demands."""
    rows: list[Row] = []
    begun, handle = 0, ""
    for line, row in read_table(path, options):
        here = _of(row, "URL handle")
        if not begun and not here and "URL handle" not in row and "Handle" not in row:
            raise FeedBroken("no column 'URL handle' and no 'Handle'; export the products from Shopify's admin as CSV")
        if here != handle or not begun:
            if rows:
                yield _product(rows, begun, options)
            rows, begun, handle = [], line, here
        rows.append(row)
    if rows:
        yield _product(rows, begun, options)


def _product(rows: list[Row], line: int, options: FeedOptions) -> Raw:
    head = rows[0]
    variants = [row for row in rows if _of(row, "Price")]
    cheapest = min(variants, key=_asked, default=head)
    price, before = _of(cheapest, "Price"), _of(cheapest, "Compare-at price")
    dearer = bool(before) and amount_or_zero(before) > amount_or_zero(price)
    handle = _of(head, "URL handle")
    raw = Raw(
        place=f"line {line}",
        id=handle,
        title=_of(head, "Title"),
        description=_of(head, "Description"),
        url=f"/products/{handle}",
        image=next((image for row in rows if (image := _of(row, "Product image URL"))), ""),
        price=before if dearer else price,
        sale_price=price if dearer else "",
        brand=_of(head, "Vendor"),
        category=path_of(_of(head, "Type") or _of(head, "Product category")),
        availability="in_stock" if any(map(_sold, variants)) else "out_of_stock",
        hidden=_of(head, "Status").lower() in ("draft", "archived")
        or _of(head, "Published on online store").lower() == "false",
    )
    raw.attributes |= _options(rows)
    if tags := _of(head, "Tags"):
        raw.attributes["tags"] = tags
    raw.take(options.fields, lambda name: first(head, name))
    return raw


def _of(row: Row, name: str) -> str:
    return first(row, name, OLDER.get(name, name))


def _asked(row: Row) -> float:
    return amount_or_zero(_of(row, "Price"))


def _sold(row: Row) -> bool:
    """Not counted, still in stock, or sold on without any."""
    if not _of(row, "Inventory tracker") or _of(row, "Continue selling when out of stock").lower() in (
        "continue",
        "true",
    ):
        return True
    quantity = _of(row, "Inventory quantity")
    return not quantity or amount_or_zero(quantity) > 0


def _options(rows: list[Row]) -> dict[str, str | float | bool]:
    """Option name -> its values: "Size" -> "S, M, L"; Shopify's "Title: Default Title" is none."""
    found: dict[str, str | float | bool] = {}
    for number in ("1", "2", "3"):
        name = _of(rows[0], f"Option{number} name")
        values = dict.fromkeys(value for row in rows if (value := _of(row, f"Option{number} value")))
        if name and values and list(values) != ["Default Title"]:
            found[name.lower()] = ", ".join(values)
    return found
