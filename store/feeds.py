"""Which items of the catalogue a feed brought, how its address was left, and what its imports came to."""

from __future__ import annotations

from collections.abc import Sequence

from store.database import Database, Transaction

IMPORTS_KEPT = 500


class Feeds:
    """Feeds by name; one that was never taken over holds nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def held(self, name: str) -> set[int]:
        """Numbers of the items the feed brought last."""
        rows = await self._database.fetch(
            "SELECT number FROM feed_items JOIN feeds ON feeds.id = feed_items.feed WHERE feeds.name = ?", (name,)
        )
        return {row[0] for row in rows}

    async def left(self, name: str) -> tuple[str, str]:
        """(ETag, Last-Modified) of what was taken over last; empty where nothing was."""
        rows = await self._database.fetch("SELECT etag, modified FROM feeds WHERE name = ?", (name,))
        return (rows[0][0], rows[0][1]) if rows else ("", "")

    async def note(
        self, transaction: Transaction, name: str, numbers: Sequence[int], gone: Sequence[int], etag: str, modified: str
    ) -> None:
        """The feed brings `numbers` now, and no longer `gone`."""
        rows = await transaction.fetch(
            "INSERT INTO feeds(name, etag, modified) VALUES (?, ?, ?)"
            " ON CONFLICT(name) DO UPDATE SET etag = excluded.etag, modified = excluded.modified RETURNING id",
            (name, etag, modified),
        )
        feed = rows[0][0]
        transaction.insert(
            "INSERT INTO feed_items(number, feed)", [(number, feed) for number in numbers],
            "ON CONFLICT(number) DO UPDATE SET feed = excluded.feed",
        )  # fmt: skip
        for number in gone:
            transaction.later("DELETE FROM feed_items WHERE number = ?", (number,))

    async def add_import(self, name: str, at: float, result: str) -> int:
        """Keep what an import came to; the oldest beyond IMPORTS_KEPT go. Returns its id."""
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch(
                "INSERT INTO imports(feed, at, result) VALUES (?, ?, ?) RETURNING id", (name, int(at), result)
            )
            transaction.later("DELETE FROM imports WHERE id <= ? - ?", (rows[0][0], IMPORTS_KEPT))
        return int(rows[0][0])

    async def imports(self, limit: int = 50) -> list[tuple[int, str, int, str]]:
        """(id, feed, epoch seconds, result as JSON), newest first."""
        rows = await self._database.fetch("SELECT id, feed, at, result FROM imports ORDER BY id DESC LIMIT ?", (limit,))
        return [(row[0], row[1], row[2], row[3]) for row in rows]
