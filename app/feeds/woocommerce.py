"""WooCommerce's product CSV (its product CSV import schema); variations are folded into their product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from app.feeds.money import amount_or_zero
from app.feeds.options import FeedOptions
from app.feeds.raw import FeedBroken, Raw, first, path_of
from app.feeds.table import read_table

Row = Mapping[str, str]


def read_woocommerce(path: Path, options: FeedOptions) -> Iterator[Raw]:
    """A product per row that is no variation. A variation may stand before or after its product, so all are read first.

    Variations give a variable product its price (the lowest) and its stock (any of them).
    """
    products: list[tuple[int, Row]] = []
    variations: dict[str, list[Row]] = {}
    row: Row
    for line, row in read_table(path, options):
        if "Type" not in row or "Name" not in row:
            raise FeedBroken("no columns 'Type' and 'Name'; export the products from WooCommerce as CSV")
        if "variation" in first(row, "Type").lower():
            variations.setdefault(first(row, "Parent").removeprefix("id:"), []).append(row)
        else:
            products.append((line, row))
    for line, row in products:
        own = [
            variation for key in (first(row, "ID"), first(row, "SKU")) if key for variation in variations.get(key, ())
        ]
        yield _product(row, own, line, options)


def _product(row: Row, variations: list[Row], line: int, options: FeedOptions) -> Raw:
    sold = variations or [row]
    cheapest = min((one for one in sold if _asked(one)), key=lambda one: amount_or_zero(_asked(one)), default=row)
    raw = Raw(
        place=f"line {line}",
        id=first(row, "ID", "SKU"),
        title=first(row, "Name"),
        description=first(row, "Description", "Short description"),
        url=first(row, "External URL", "Permalink"),
        image=first(row, "Images").split(",")[0].strip(),
        price=first(cheapest, "Regular price", "Sale price"),
        sale_price=first(cheapest, "Sale price"),
        brand=first(row, "Brands", "Brand"),
        category=path_of(first(row, "Categories").split(",")[0]),
        availability=_availability(sold),
        hidden=first(row, "Published") in ("0", "-1") or first(row, "Visibility in catalog") in ("hidden", "search"),
        attributes=_attributes(row),
    )
    raw.take(options.fields, lambda name: first(row, name))
    return raw


def _asked(row: Row) -> str:
    return first(row, "Sale price", "Regular price")


def _availability(rows: list[Row]) -> str:
    stocks = [first(row, "In stock?", "Stock").lower() for row in rows]
    if any(stock not in ("0", "no", "false", "backorder") for stock in stocks):
        return "in_stock"
    backorders = any(first(row, "Backorders allowed?").lower() in ("1", "yes", "notify") for row in rows)
    return "backorder" if "backorder" in stocks or backorders else "out_of_stock"


def _attributes(row: Row) -> dict[str, str | float | bool]:
    found: dict[str, str | float | bool] = {}
    for number in range(1, 21):
        name = first(row, f"Attribute {number} name")
        if name and (values := first(row, f"Attribute {number} value(s)")):
            found[name.lower()] = values
    if tags := first(row, "Tags"):
        found["tags"] = tags
    if first(row, "Is featured?") == "1":
        found["featured"] = True
    return found
