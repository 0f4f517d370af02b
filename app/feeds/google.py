"""Google Merchant Center's product feed, as RSS, as Atom and as a table (its product data specification)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from app.feeds.options import FeedOptions
from app.feeds.raw import FeedBroken, Raw, first, path_of
from app.feeds.table import read_table

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# What a product is, beyond the fields the catalogue has a column for; the rest is about shipping, tax and campaigns.
ATTRIBUTES = (
    "color", "size", "material", "pattern", "gender", "age_group", "condition", "adult", "item_group_id", "gtin", "mpn",
    "google_product_category", "size_type", "size_system", "multipack", "is_bundle", "energy_efficiency_class",
    "custom_label_0", "custom_label_1", "custom_label_2", "custom_label_3", "custom_label_4",
)  # fmt: skip
_MANY = ("product_type",)


def read_google_xml(path: Path, options: FeedOptions) -> Iterator[Raw]:
    """Every `item` of an RSS or `entry` of an Atom feed, one at a time in memory. Entities are not expanded.

    Raises FeedBroken for XML that is none, or that means harm.
    """
    number = 0
    with path.open("rb") as file:
        for element in _elements(file):
            number += 1
            yield raw_of(_values(element), f"item {number}", options)
    if not number:
        raise FeedBroken("no <item> and no <entry> in it; a Google Merchant feed is RSS 2.0 or Atom")


def read_google_table(path: Path, options: FeedOptions) -> Iterator[Raw]:
    """The same columns as tab-separated text: `image link` and `image_link` are one name."""
    for line, values in read_table(path, options):
        named = {name.removeprefix("g:").replace(" ", "_").lower(): text for name, text in values.items()}
        yield raw_of(named, f"line {line}", options)


def raw_of(told: Mapping[str, str], place: str, options: FeedOptions) -> Raw:
    """One product by Google's names, or by those the operator says."""
    values = dict(told)
    for ours, theirs in options.fields.items():
        values[_THEIRS.get(ours, ours)] = told.get(theirs, "")
    return Raw(
        place=place,
        id=first(values, "id"),
        title=first(values, "title"),
        description=first(values, "description"),
        url=first(values, "link", "canonical_link"),
        image=first(values, "image_link"),
        price=first(values, "price"),
        sale_price=first(values, "sale_price"),
        brand=first(values, "brand"),
        category=path_of(first(values, "product_type", "google_product_category").split("\n")[0]),
        availability=first(values, "availability"),
        hidden=first(values, "pause") == "all",
        published=first(values, "availability_date") if first(values, "availability") == "preorder" else "",
        attributes={name: text for name in ATTRIBUTES if (text := first(values, name))},
    )


_THEIRS = {"url": "link", "image": "image_link", "category": "product_type"}


def _elements(file: IO[bytes]) -> Iterator[Element]:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    inside: list[Element] = []
    try:
        for event, element in iterparse(file, events=("start", "end"), forbid_dtd=False):
            name = _local(element.tag)
            if event == "start":
                inside.append(element)
                continue
            inside.pop()
            if name in ("item", "entry"):
                yield element
                element.clear()
                if inside:
                    inside[-1].remove(element)
    except ParseError as error:
        raise FeedBroken(f"not well-formed XML: {error}") from None
    except DefusedXmlException as error:
        raise FeedBroken(f"refused: {type(error).__name__} (a feed needs no entities of its own)") from None
    except (UnicodeDecodeError, LookupError, ValueError) as error:
        raise FeedBroken(f"its encoding cannot be read: {error}; say the right one in <?xml … encoding?>") from None


def _values(element: Element) -> dict[str, str]:
    """Local name -> text; g: wins over RSS's own elements, the first of several counts."""
    found: dict[str, str] = {}
    for child in element:
        name = _local(child.tag)
        text = (child.text or child.get("href") or "").strip()
        if name in found and not (child.tag.startswith("{http://base.google.com") and name not in _MANY):
            continue
        if text:
            found[name] = text
    return found


def _local(tag: str) -> str:
    return tag.rpartition("}")[2].lower()
