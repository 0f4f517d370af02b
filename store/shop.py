"""Keeps the catalogue on disk: what a shop puts is committed first, and from that moment every answer obeys it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec

from store.catalogue import Catalogue, CatalogueFull
from store.catalogue_cache import Row, Seen, read_cache, seen_in, write_cache
from store.database import Database, Transaction, open_database, open_reader
from store.feeds import Feeds
from store.records import Item
from store.search_index import SearchIndex, searched_fields
from store.sensitive import Sensitive

_encode = msgspec.msgpack.Encoder().encode
_PER_QUERY = 500
CACHED_FROM = 10_000
"""Smaller catalogues are read anew at every start: that takes a fifth of a second."""
_AT_ONCE = 5_000
"""Items of a feed handed to the database together."""
_BETWEEN = 50
"""Items of a feed shown before requests get their turn: some 2 ms."""


@asynccontextmanager
async def open_shop(
    path: Path,
    *,
    items_at_most: int = 1_000_000,
    attributes_at_most: int = 256,
    cache_mb: int = 16,
    max_pages: int = 0,
    sensitive: Sensitive | None = None,
    cached_from: int = CACHED_FROM,
) -> AsyncIterator[ShopStore]:
    """Open shop.db, with the live catalogue and its search index loaded; those of `cached_from` items or more are kept
    in a file beside it for the next start."""
    async with open_database(path, "shop", cache_mb=cache_mb, max_pages=max_pages) as database:
        catalogue = Catalogue(attributes_at_most=attributes_at_most, sensitive=sensitive)
        shop = ShopStore(database, catalogue, items_at_most, cached_from)
        await shop._load()
        yield shop


def read_catalogue(path: Path, sensitive: Sensitive | None = None) -> Catalogue:
    """The catalogue of a shop.db as it stands, for a process of its own such as a training."""
    catalogue = Catalogue(sensitive=sensitive)
    with closing(open_reader(path)) as reader:
        for number, body in reader.execute("SELECT number, body FROM items ORDER BY number"):
            catalogue.load(number, body)
    catalogue.settle()
    return catalogue


class ShopStore:
    """The one that changes `catalogue` and `search`, each time after its commit."""

    def __init__(
        self, database: Database, catalogue: Catalogue, items_at_most: int = 1_000_000, cached_from: int = CACHED_FROM
    ) -> None:
        self.database = database
        self.catalogue = catalogue
        self.search = SearchIndex(catalogue)
        self.feeds = Feeds(database)
        self.items_at_most = items_at_most
        self._cached_from = cached_from
        self._cache = database.path.with_suffix(".cache")
        self._seen: Seen | None = None
        """What was read from the database and is not kept for the next start yet."""
        self._loaded = 0
        self._turn = asyncio.Lock()

    async def put_items(self, items: Sequence[Item], now: float) -> list[int]:
        """Add or replace items, all or none; returns their numbers. Of equal ids the last one counts.

        An item that does not say when it was published is as old as its first put, `now` (epoch seconds).
        Raises CatalogueFull or a StoreFault, with nothing changed. What is put must have passed `item_problems`.
        """
        async with self._turn:
            self.catalogue.check(items)
            async with self.database.transaction() as transaction:
                numbers = await self._numbers(transaction, [item.id for item in items])
                dated = [self._dated(item, now) for item in items]
                latest = {numbers[item.id]: (item, _encode(item)) for item in dated}
                transaction.insert(
                    "INSERT INTO items(number, id, body, updated)",
                    [(number, item.id, body, int(now)) for number, (item, body) in latest.items()],
                    "ON CONFLICT(number) DO UPDATE SET body = excluded.body, updated = excluded.updated",
                )
            for number, (item, body) in latest.items():
                self._show(number, item, body)
            await self.search.compact()
        return [numbers[item.id] for item in items]

    async def replace(
        self, items: Sequence[Item], gone: Sequence[int], note: Callable[[Transaction, list[int]], Awaitable[None]],
        now: float,
    ) -> None:  # fmt: skip
        """A whole feed in one transaction: put `items`, take `gone` out, and what `note` writes beside their numbers.

        On disk it is all or nothing. In memory it follows item by item, and lets requests through in between.
        Raises CatalogueFull or a StoreFault, with nothing changed.
        """
        async with self._turn:
            self.catalogue.check(items)
            async with self.database.transaction() as transaction:
                numbers = await self._numbers(transaction, [item.id for item in items])
                dated = [(numbers[item.id], self._dated(item, now)) for item in items]
                latest = [(number, item, _encode(item)) for number, item in dated]
                for start in range(0, len(latest), _AT_ONCE):
                    transaction.insert(
                        "INSERT INTO items(number, id, body, updated)",
                        [(number, item.id, body, int(now)) for number, item, body in latest[start : start + _AT_ONCE]],
                        "ON CONFLICT(number) DO UPDATE SET body = excluded.body, updated = excluded.updated",
                    )
                    await asyncio.sleep(0)
                for number in gone:
                    transaction.later("UPDATE items SET body = x'', updated = ? WHERE number = ?", (int(now), number))
                await note(transaction, [number for number, _ in dated])
            for number in gone:
                self.catalogue.remove(number)
                self.search.remove(number)
            for index, (number, item, body) in enumerate(latest):
                self._show(number, item, body)
                if index % _BETWEEN == _BETWEEN - 1:
                    await asyncio.sleep(0)
            await self.search.compact()

    async def finish_search(self) -> None:
        """Run once beside the server, after opening: the part of the search index that opening did not wait for."""
        await self.search.read_descriptions()
        async with self._turn:
            await self.search.compact(whole=self._seen is not None)
        if self._seen is not None and self.catalogue.version == self._loaded and self.search.whole:
            await asyncio.to_thread(write_cache, self._cache, self._seen, self.catalogue, self.search)
            self._seen = None

    async def delete(self, item_id: str, now: float) -> bool:
        """Take an item out; False where there is none. Its number waits for it, should it come back."""
        async with self._turn:
            number = self.catalogue.number(item_id)
            if number is None:
                return False
            async with self.database.transaction() as transaction:
                transaction.later("UPDATE items SET body = x'', updated = ? WHERE number = ?", (int(now), number))
            self.catalogue.remove(number)
            self.search.remove(number)
        return True

    def get(self, item_id: str) -> Item | None:
        number = self.catalogue.number(item_id)
        return None if number is None else self.catalogue.item(number)

    def list(self, after: int, limit: int) -> list[tuple[int, Item]]:
        """Items with a number above `after` (-1 to begin) in the order they came, with their numbers."""
        found: list[tuple[int, Item]] = []
        for number in range(max(after + 1, 0), self.catalogue.size):
            if len(found) == limit:
                break
            if self.catalogue.exists(number):
                found.append((number, self.catalogue.item(number)))
        return found

    async def _load(self) -> None:
        rows = await self.database.fetch("SELECT number, body FROM items ORDER BY number")
        if len(rows) >= self._cached_from:
            self._seen = seen_in(rows, self.catalogue)
            changed = read_cache(self._cache, self._seen, rows, self.catalogue, self.search)
            if changed is not None:
                self._renew(changed)
                return
        titles, descriptions = dict[int, str](), dict[int, str]()
        for number, body in rows:
            item = self.catalogue.load(number, body)
            if item is not None:
                titles[number], descriptions[number] = item.title, item.description
        self.catalogue.settle()
        self.search.build(titles, descriptions)
        self._loaded = self.catalogue.version

    def _renew(self, changed: Sequence[Row]) -> None:
        """What changed since the cache was written."""
        for number, body in changed:
            if number < self.catalogue.size:
                self.catalogue.remove(number)
            item = self.catalogue.load(number, body)
            if item is None:
                self.search.remove(number)
            else:
                self.search.put(number, item)
        self.catalogue.settle()
        self._loaded = self.catalogue.version
        if not changed:
            self._seen = None

    def _show(self, number: int, item: Item, body: bytes) -> None:
        """What is committed is what the next request sees."""
        before = self.catalogue.item(number) if self.catalogue.exists(number) else None
        self.catalogue.put(number, item, body)
        if before is None or searched_fields(before) != searched_fields(item):
            self.search.put(number, item)

    def _dated(self, item: Item, now: float) -> Item:
        if item.published:
            return item
        before = self.get(item.id)
        return msgspec.structs.replace(item, published=before.published if before else now)

    async def _numbers(self, transaction: Transaction, ids: Sequence[str]) -> dict[str, int]:
        """Numbers of these ids: the ones they have, or had before they were deleted, or new ones."""
        known = {item_id: number for item_id in ids if (number := self.catalogue.number(item_id)) is not None}
        unknown = [item_id for item_id in dict.fromkeys(ids) if item_id not in known]
        for start in range(0, len(unknown), _PER_QUERY):
            some = unknown[start : start + _PER_QUERY]
            marks = ",".join("?" * len(some))
            known.update(await transaction.fetch(f"SELECT id, number FROM items WHERE id IN ({marks})", some))
        new = [item_id for item_id in unknown if item_id not in known]
        size = self.catalogue.size
        if size + len(new) > self.items_at_most:
            raise CatalogueFull(f"the catalogue holds {size} of at most {self.items_at_most} items")
        known.update({item_id: size + index for index, item_id in enumerate(new)})
        return known
