"""Reads a feed of any format into items and everything that is wrong with the others, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from app.feeds.google import read_google_table, read_google_xml
from app.feeds.jsonld import read_jsonld
from app.feeds.options import FeedOptions
from app.feeds.own import read_csv, read_ndjson, read_yaml
from app.feeds.product import item_of
from app.feeds.raw import FeedBroken, Raw
from app.feeds.shopify import read_shopify
from app.feeds.table import header_of
from app.feeds.woocommerce import read_woocommerce
from app.problem import FieldError
from store.records import Item

Reader = Callable[[Path, FeedOptions], Iterator[Raw]]
READERS: dict[str, Reader] = {
    "google-xml": read_google_xml, "google-tsv": read_google_table, "shopify": read_shopify,
    "woocommerce": read_woocommerce, "json-ld": read_jsonld, "ndjson": read_ndjson, "csv": read_csv, "yaml": read_yaml,
}  # fmt: skip


class RowError(msgspec.Struct, frozen=True):
    """A row that was not taken: where it stands, its id as far as it has one, what is wrong."""

    place: str
    id: str
    errors: list[FieldError]


def read_feed(path: Path, options: FeedOptions, currency: str) -> Iterator[Item | RowError]:
    """Every row of a feed in its order. Raises FeedBroken where it cannot be read on."""
    kind = options.format if options.format != "auto" else format_of(path, options)
    places: dict[str, str] = {}
    for raw in READERS[kind](path, options):
        item = item_of(raw, options, currency)
        if isinstance(item, Item) and item.id in places:
            item = [FieldError("/id", f"{item.id!r} is the id of {places[item.id]} as well; the first counts")]
        if isinstance(item, Item):
            places[item.id] = raw.place
            yield item
        else:
            yield RowError(raw.place, raw.id[:128], item)


def format_of(path: Path, options: FeedOptions) -> str:
    """The format by what stands in the file. Raises FeedBroken where nothing tells."""
    with path.open("rb") as file:
        begin = file.read(65_536).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not begin:
        raise FeedBroken("the file is empty")
    if begin.startswith(b"<"):
        return "google-xml" if b"<rss" in begin or b"<feed" in begin or begin.startswith(b"<?xml") else "json-ld"
    if begin[:1] in b"[{":
        return "json-ld" if b'"@type"' in begin or b'"@graph"' in begin else "ndjson"
    if begin.startswith((b"- ", b"---")):
        return "yaml"
    names = {name.strip() for name in header_of(path, options)}
    if names & {"Handle", "URL handle"}:
        return "shopify"
    if {"Type", "Name"} <= names:
        return "woocommerce"
    plain = {name.replace(" ", "_").lower() for name in names}
    if {"image_link", "id"} <= plain or {"link", "id"} <= plain:
        return "google-tsv"
    if options.fields or {"id", "title"} <= plain:
        return "csv"
    raise FeedBroken(f"no format is told by its columns {', '.join(sorted(names))[:200]}; say `format`, or `fields`")
