"""Keeps the marketer's rules in shop.db: drafts and versions, counts per day, and personas to look with."""

from __future__ import annotations

from collections.abc import Mapping

from store.database import Database
from store.versions import VersionStore


class RuleStore(VersionStore):
    """The rule tables of shop.db. Every write is one transaction."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "rule")

    # ---- counts

    async def count(self, day: int, counts: Mapping[str, tuple[int, int, int]]) -> None:
        """Add lists, items and clicks of a day, by rule."""
        async with self._database.transaction() as transaction:
            transaction.insert(
                "INSERT INTO rule_days(day, rule, lists, items, clicks)",
                [(day, rule, *three) for rule, three in counts.items()],
                "ON CONFLICT(day, rule) DO UPDATE SET lists = lists + excluded.lists,"
                " items = items + excluded.items, clicks = clicks + excluded.clicks",
            )

    async def counts(self, since_day: int) -> dict[str, tuple[int, int, int]]:
        """Lists, items and clicks since a day, by rule."""
        rows = await self._database.fetch(
            "SELECT rule, sum(lists), sum(items), sum(clicks) FROM rule_days WHERE day >= ? GROUP BY rule", (since_day,)
        )
        return {rule: (lists, items, clicks) for rule, lists, items, clicks in rows}

    async def forget_counts(self, before_day: int) -> None:
        await self._database.execute("DELETE FROM rule_days WHERE day < ?", (before_day,))

    # ---- personas

    async def personas(self) -> list[tuple[str, bytes]]:
        """All, by id."""
        return [(name, body) for name, body in await self._database.fetch("SELECT id, body FROM personas ORDER BY id")]

    async def put_persona(self, persona: str, body: bytes) -> None:
        await self._database.execute(
            "INSERT INTO personas(id, body) VALUES (?, ?) ON CONFLICT(id) DO UPDATE SET body = excluded.body",
            (persona, body),
        )

    async def remove_persona(self, persona: str) -> bool:
        """False where there is none."""
        return bool(await self._database.fetch("DELETE FROM personas WHERE id = ? RETURNING id", (persona,)))
