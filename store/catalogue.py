"""Every product of the shop in memory, as columns: what filters, scores and answers read without asking a database.

An item's number is its row in every column. Columns returned are views of length `size`, valid until the next change:
take them anew for each request. Only `store.shop.ShopStore` changes a catalogue, after its commit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from store.affinities import AffinityNames, category_bands
from store.columns import FIRST_CAPACITY, AttributeColumns, Column, Words
from store.fragment import Described, fragment_of
from store.price_bands import PriceBands
from store.records import Floats, Ints, Item, Mask
from store.sensitive import Sensitive

EVERYWHERE = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
REGIONS_AT_MOST = 63
CHANGES_KEPT = 2048


class _Titled(msgspec.Struct):
    """An item of which nothing but the title is read: a tenth of the work where attributes are many."""

    title: str


_decode_title = msgspec.msgpack.Decoder(_Titled).decode
_decode_described = msgspec.msgpack.Decoder(Described).decode
_decode_item = msgspec.msgpack.Decoder(Item).decode
_encode_item = msgspec.msgpack.Encoder().encode


def discount_of(item: Item) -> float:
    """Percent that the sale price is below the full one; 0 without both."""
    if not item.price or item.sale_price is None or item.sale_price >= item.price:
        return 0.0
    return 100.0 * (item.price - item.sale_price) / item.price


class CatalogueFull(ValueError):
    """The item would pass a bound of the catalogue; the message names it."""


class Catalogue:
    """The live columns. Numbers are dense from 0; a deleted item keeps its row and is never servable."""

    def __init__(self, *, attributes_at_most: int = 256, sensitive: Sensitive | None = None) -> None:
        """`sensitive`: which products nothing is learned from; the list that ships where None."""
        self.denied = sensitive or Sensitive()
        self.size = 0
        self.version = 0
        """Counts the changes."""
        self.attributes_at_most = attributes_at_most
        self.ids: list[str] = []
        self.attributes = AttributeColumns()
        self._numbers: dict[str, int] = {}
        self._bodies: list[bytes] = []
        self._fragments: list[bytes] = []
        self._changes: list[int] = []
        self._capacity = FIRST_CAPACITY
        self._price = Column(np.float32, np.nan)
        self._log_price = Column(np.float32, -np.inf)
        self._discount = Column(np.float32, 0)
        self._published = Column(np.float64, 0)
        self._category = Column(np.int32, -1)
        self._top_category = Column(np.int32, -1)
        self._brand = Column(np.int32, -1)
        self._availability = Column(np.int32, -1)
        self._servable = Column(np.bool_, False)
        self._sensitive = Column(np.bool_, False)
        self._regions = Column(np.uint64, 0)
        self._bands = PriceBands()
        self.names = AffinityNames(self.denied)
        self.availabilities, self.regions_named = Words(), Words()
        self._region_masks: dict[str, tuple[int, Mask]] = {}

    # ---- columns, a row per item

    @property
    def price(self) -> Floats:
        """What one pays now, sale price included; nan where unknown."""
        return self._price.values[: self.size]

    @property
    def log_price(self) -> Floats:
        """The natural logarithm of `price`; -inf where it is 0 or unknown."""
        return self._log_price.values[: self.size]

    @property
    def discount(self) -> Floats:
        """Percent below the full price; 0 for what is not on sale."""
        return self._discount.values[: self.size]

    @property
    def published(self) -> NDArray[np.float64]:
        """Epoch seconds; 0 where unknown."""
        return self._published.values[: self.size]

    @property
    def category(self) -> Ints:
        """Code of the whole path into `category_names`, -1 for none."""
        return self._category.values[: self.size]

    @property
    def top_category(self) -> Ints:
        """Code of the path's first part into `top_category_names`, -1 for none."""
        return self._top_category.values[: self.size]

    @property
    def brand(self) -> Ints:
        """Code into `brand_names`, -1 for none."""
        return self._brand.values[: self.size]

    @property
    def band(self) -> Ints:
        """Price band 0..9: the decile among its top category's prices; -1 where category or price is unknown."""
        return self._bands.of_all(self.top_category, self.price)

    @property
    def availability(self) -> Ints:
        """Code into `availability_names`."""
        return self._availability.values[: self.size]

    @property
    def servable(self) -> Mask:
        """In stock (or to be ordered ahead), not hidden, not deleted."""
        return self._servable.values[: self.size]

    @property
    def sensitive(self) -> Mask:
        """Nothing may be learned of a person from this item (store/sensitive.py)."""
        return self._sensitive.values[: self.size]

    @property
    def regions(self) -> NDArray[np.uint64]:
        """A bit per region of `region_names`; all bits where an item may be shown everywhere."""
        return self._regions.values[: self.size]

    # ---- names of codes

    @property
    def category_names(self) -> list[str]:
        """Paths as text: "shoes/running"."""
        return self.names.categories.names

    @property
    def top_category_names(self) -> list[str]:
        return self.names.tops.names

    @property
    def brand_names(self) -> list[str]:
        return self.names.brands.names

    @property
    def availability_names(self) -> list[str]:
        return self.availabilities.names

    @property
    def region_names(self) -> list[str]:
        return self.regions_named.names

    # ---- items

    def number(self, item_id: str) -> int | None:
        """The number of the item with this id; None for unknown and deleted ones."""
        return self._numbers.get(item_id)

    def exists(self, number: int) -> bool:
        """False for a deleted item and for a number never given."""
        return 0 <= number < self.size and bool(self._bodies[number])

    def item(self, number: int) -> Item:
        """The whole item, decoded anew (about 2 µs). KeyError for a deleted one."""
        body = self._bodies[number]
        if not body:
            raise KeyError(number)
        return _decode_item(body)

    def title(self, number: int) -> str:
        """The item's title alone; "" for a deleted one."""
        body = self._bodies[number]
        return _decode_title(body).title if body else ""

    def fragment(self, number: int) -> bytes:
        """The item's fields of an answer as JSON bytes, `{"id":…}`; b"" for a deleted one. Encoded once."""
        found = self._fragments[number]
        if not found and self._bodies[number]:
            found = self._fragments[number] = fragment_of(_decode_described(self._bodies[number]))
        return found

    # ---- what filters ask

    def categories_below(self, path: str) -> Ints:
        """Codes of the category named by a path ("shoes" or "shoes/running") and of all below it."""
        return np.array(self.names.below.get(path, ()), np.int32)

    def region_bit(self, region: str) -> np.uint64:
        """Test `regions & bit`; a region no item names has the bit only items shown everywhere have."""
        code = self.regions_named.find(region)
        return np.uint64(1 << (code if code >= 0 else REGIONS_AT_MOST))

    def in_region(self, region: str) -> Mask:
        """What may be shown in a region, [size]; everything where no region is told."""
        version, mask = self._region_masks.get(region, (-1, None))
        if mask is None or version != self.version:
            mask = (self.regions & self.region_bit(region)) != 0 if region else np.ones(self.size, np.bool_)
            if len(self._region_masks) > REGIONS_AT_MOST:
                self._region_masks.clear()
            self._region_masks[region] = (self.version, mask)
        return mask

    def changed_since(self, version: int) -> Ints | None:
        """Numbers changed after a version, distinct; None where that is too long ago to tell."""
        behind = self.version - version
        if behind > len(self._changes):
            return None
        return np.array(sorted(set(self._changes[len(self._changes) - behind :])), np.int32)

    # ---- affinities: one naming for what events teach and for what scores look up

    def affinity_keys(self, number: int) -> tuple[str, ...]:
        """What liking this item says: "category:shoes/running", "brand:Alder", "band:3", "category_band:shoes|3";
        nothing for a sensitive one."""
        if self._sensitive.values[number]:
            return ()
        return self.names.keys(
            int(self._category.values[number]),
            int(self._brand.values[number]),
            int(self.band[number]),
            int(self._top_category.values[number]),
        )

    def affinity_key(self, kind: str, code: int) -> str:
        """The key of one of AFFINITY_KINDS with a code of `affinity_codes`."""
        return self.names.key(kind, code)

    def affinity_codes(self, items: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Codes of these items' keys, [len(items)] for each of AFFINITY_KINDS; -1 for none and for sensitive ones."""
        bands, tops = self.band.take(items), self.top_category.take(items)
        codes = self.category.take(items), self.brand.take(items), bands, category_bands(tops, bands)
        hidden = self.sensitive.take(items)
        if hidden.any():
            for column in codes:
                column[hidden] = -1
        return codes

    @property
    def unspoken_keys(self) -> set[str]:
        """Affinity keys of sensitive categories: not learned, and left out where an earlier list let them be."""
        return self.names.unspoken

    def affinity_of(self, items: Ints, affinities: Mapping[str, float]) -> Floats:
        """What a visitor's affinities say of these items, a row for each of AFFINITY_KINDS, [4, len(items)]."""
        columns = (self.sensitive, self.category, self.brand, self.band, self.top_category)
        return self.names.fondness(affinities, items, columns)

    # ---- changing

    def check(self, items: Sequence[Item]) -> None:
        """Raise CatalogueFull where these items would pass a bound; to be asked before they are committed."""
        attributes = {name for item in items for name in item.attributes} | self.attributes.keys()
        if len(attributes) > self.attributes_at_most:
            raise CatalogueFull(
                f"items may use {self.attributes_at_most} attribute names in all, with these it would be "
                f"{len(attributes)}: drop rare ones or raise the bound"
            )
        regions = {name for item in items for name in item.regions} | set(self.regions_named)
        if len(regions) > REGIONS_AT_MOST:
            raise CatalogueFull(
                f"items may name {REGIONS_AT_MOST} regions in all, with these it would be {len(regions)}"
            )

    def load(self, number: int, body: bytes) -> Item | None:
        """Take over a row of the database: a msgpack Item, or the empty body of a deleted one (answers None).

        Attributes appear with `settle`: written column by column they cost a fraction.
        """
        item = _decode_item(body) if body else None
        if item is None:
            self._reserve(number + 1)
        else:
            self._put_fields(number, item, body)
            self.attributes.put_later(number, item.attributes)
        self._changed(number)
        return item

    def take_over(self, ids: list[str], bodies: Mapping[int, bytes], columns: Mapping[str, NDArray[Any]]) -> None:
        """Fill an empty catalogue with columns that were kept (store/catalogue_cache.py), but names and attributes."""
        size = len(ids)
        self.ids = ids
        self._bodies = [bodies.get(number, b"") for number in range(size)]
        self._fragments = [b""] * size
        self._numbers = {item_id: number for number, item_id in enumerate(ids) if self._bodies[number]}
        for name, values in columns.items():
            getattr(self, name).values = values
        self._bands.column = Column(np.int32, -1, size)
        self._bands.anew()
        self.size = self._capacity = self.version = size
        self.attributes.grow(size)

    def settle(self) -> None:
        """To be called after loading: what came in bulk, and what the first request would wait for."""
        self.attributes.write_waiting()
        self._bands.of_all(self.top_category, self.price)

    def put(self, number: int, item: Item, body: bytes = b"") -> None:
        """Set an item's row; readers see it from now on. `body` is the item as msgpack, where at hand."""
        self._put_fields(number, item, body)
        self.attributes.put(number, item.attributes)
        self._changed(number)

    def _put_fields(self, number: int, item: Item, body: bytes) -> None:
        self._reserve(number + 1)
        if self._bodies[number]:
            self._forget(number)
        self._bodies[number] = body or _encode_item(item)
        self.ids[number] = item.id
        self._numbers[item.id] = number
        price = item.price if item.sale_price is None else item.sale_price
        top = self.names.top(item.category)
        self._price.values[number] = np.nan if price is None else price
        self._log_price.values[number] = math.log(price) if price and price > 0 else -math.inf
        self._discount.values[number] = discount_of(item)
        self._published.values[number] = item.published
        self._category.values[number] = self.names.category(item.category)
        self._top_category.values[number] = top
        self._brand.values[number] = self.names.brand(item.brand)
        self._availability.values[number] = self.availabilities.code(item.availability)
        self._sensitive.values[number] = self.denied.item(item)
        self._servable.values[number] = item.availability != "out_of_stock" and not item.hidden
        self._regions.values[number] = self._region_bits(item.regions)
        self._bands.put(number, top, price, self.size)

    def remove(self, number: int) -> None:
        """Take an item out; its number stays taken, and is its own again should it come back."""
        self._numbers.pop(self.ids[number], None)
        self._forget(number)
        self._changed(number)

    # ---- how

    def _forget(self, number: int) -> None:
        self._bodies[number] = self._fragments[number] = b""
        for column in self._item_columns():
            column.clear(number)
        self.attributes.clear_row(number)

    def _item_columns(self) -> Iterator[Column[Any]]:
        yield from (
            self._price,
            self._log_price,
            self._published,
            self._category,
            self._top_category,
            self._brand,
            self._availability,
        )
        yield from (self._servable, self._sensitive, self._regions, self._bands.column, self._discount)

    def _reserve(self, size: int) -> None:
        missing = size - self.size
        if missing <= 0:
            return
        self.ids.extend([""] * missing)
        self._bodies.extend([b""] * missing)
        self._fragments.extend([b""] * missing)
        if size > self._capacity:
            self._capacity = max(size, 2 * self._capacity)
            for column in self._item_columns():
                column.grow(self._capacity)
            self.attributes.grow(self._capacity)
        first, self.size = self.size, size
        for number in range(first, size - 1):  # rows never used: absent, and masks kept elsewhere must hear of them
            self._changed(number)

    def _changed(self, number: int) -> None:
        self.version += 1
        self._changes.append(number)
        if len(self._changes) > 2 * CHANGES_KEPT:
            del self._changes[:CHANGES_KEPT]

    def _region_bits(self, regions: tuple[str, ...]) -> np.uint64:
        if not regions:
            return EVERYWHERE
        bits = 0
        for region in regions:
            bits |= 1 << self.regions_named.code(region)
        return np.uint64(bits)
