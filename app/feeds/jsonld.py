"""schema.org Products as JSON-LD: a file of them, or pages that carry them in a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from app.feeds.options import FeedOptions
from app.feeds.raw import FeedBroken, Raw, path_of
from app.feeds.table import encoding_of

Node = dict[str, Any]
_DEEP = 40
_IDS = ("sku", "productID", "productGroupID", "mpn", "@id")


def read_jsonld(path: Path, options: FeedOptions) -> Iterator[Raw]:
    """Every Product, ProductGroup or IndividualProduct in the file. Raises FeedBroken."""
    try:
        text = path.read_text(encoding_of(path, options))
    except (UnicodeDecodeError, LookupError) as error:
        raise FeedBroken(f"not {options.encoding}: {error}; set `encoding` to what it is") from None
    number = 0
    for document in _documents(text):
        for node in _products(document, 0):
            number += 1
            yield _product(node, f"product {number}", options)
    if not number:
        raise FeedBroken(
            'no schema.org Product in it; one begins {"@context": "https://schema.org", "@type": "Product"'
        )


def _documents(text: str) -> Iterator[Any]:
    scripts = [text]
    if text.lstrip().startswith("<"):
        page = _Scripts()
        page.feed(text)
        scripts = page.found
    for script in scripts:
        try:
            yield json.loads(script)
        except (json.JSONDecodeError, RecursionError) as error:
            raise FeedBroken(f"not JSON: {error}") from None


class _Scripts(HTMLParser):
    """Collects what stands in <script type="application/ld+json">."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script" and dict(attrs).get("type") == "application/ld+json"
        if self._inside:
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1] += data


def _products(node: Any, depth: int) -> Iterator[Node]:  # noqa: ANN401  any JSON
    """Products anywhere in it (@graph, ItemList …), but not those inside another: its variants and related ones."""
    if depth > _DEEP:
        raise FeedBroken("nested too deep")
    if isinstance(node, list):
        for each in node:
            yield from _products(each, depth + 1)
    elif isinstance(node, dict):
        if {"Product", "ProductGroup", "IndividualProduct"} & set(_list(node.get("@type"))):
            yield node
            return
        for each in node.values():
            if isinstance(each, dict | list):
                yield from _products(each, depth + 1)


def _product(node: Node, place: str, options: FeedOptions) -> Raw:
    offers = [offer for offer in _list(node.get("offers")) if isinstance(offer, dict)]
    for variant in _list(node.get("hasVariant")):
        offers += [
            offer
            for offer in _list(variant.get("offers") if isinstance(variant, dict) else None)
            if isinstance(offer, dict)
        ]
    offer = min(offers, key=_asked, default={})
    stocks = [_text(one.get("availability")) for one in offers]
    raw = Raw(
        place=place,
        id=next((text for name in _IDS if (text := _text(node.get(name)))), ""),
        title=_text(node.get("name")),
        description=_text(node.get("description")),
        url=_text(node.get("url") or offer.get("url")),
        image=_text(node.get("image")),
        price=_price(offer),
        currency=_text(offer.get("priceCurrency") or _specification(offer).get("priceCurrency")),
        brand=_text(node.get("brand")),
        category=path_of(_text(node.get("category"))),
        availability=next((one for one in stocks if one.endswith("InStock")), stocks[0] if stocks else ""),
        published=_text(node.get("releaseDate")),
        attributes={
            name: text for name in ("color", "material", "size", "gtin", "gtin13", "model", "pattern")
            if (text := _text(node.get(name)))
        },
    )  # fmt: skip
    for more in _list(node.get("additionalProperty")):
        if isinstance(more, dict) and (name := _text(more.get("name"))):
            raw.attributes[name] = _text(more.get("value"))
    raw.take(options.fields, lambda name: _text(node.get(name)))
    return raw


def _asked(offer: Node) -> float:
    try:
        return float(_price(offer) or "inf")
    except ValueError:
        return float("inf")


def _price(offer: Node) -> str:
    return _text(
        next(
            (offer[key] for key in ("price", "lowPrice") if offer.get(key) not in (None, "")),
            _specification(offer).get("price"),
        )
    )


def _specification(offer: Node) -> Node:
    return next((one for one in _list(offer.get("priceSpecification")) if isinstance(one, dict)), {})


def _list(value: Any) -> list[Any]:  # noqa: ANN401  any JSON
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(value: Any) -> str:  # noqa: ANN401  any JSON
    """The words of a value that may be text, a number, a thing with a name or url, or a list of such."""
    if isinstance(value, list):
        return _text(value[0]) if value else ""
    if isinstance(value, dict):
        return _text(
            value.get("name") or value.get("url") or value.get("contentUrl") or value.get("@id") or value.get("@value")
        )
    return "" if value is None else str(value)
