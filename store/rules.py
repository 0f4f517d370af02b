"""Keeps the marketer's rules in shop.db: numbered versions, the draft, counts per day, and personas to look with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store.database import Connection, Database


@dataclass(frozen=True)
class RuleVersion:
    """A published version; the highest number is in force."""

    number: int
    body: bytes
    author: str
    at: int
    """Epoch seconds."""
    note: str
    copy_of: int
    """The version that was rolled back to; 0 for one written anew."""
    rules: int
    """How many; -1 where it cannot be read."""


@dataclass(frozen=True)
class Draft:
    """What is being written."""

    body: bytes
    revision: int
    """Counts the changes, also over discarded drafts."""
    based_on: int
    author: str
    at: int


NO_DRAFT = Draft(b"[]", 0, 0, "", 0)


class DraftChanged(Exception):
    """Somebody else changed the draft meanwhile: nothing was written."""


class RuleStore:
    """The rule tables of shop.db. Every write is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self) -> RuleVersion | None:
        """The version in force."""
        return await self._one("ORDER BY number DESC LIMIT 1")

    async def version(self, number: int) -> RuleVersion | None:
        return await self._one("WHERE number = ?", number)

    async def latest_number(self) -> int:
        """0 where nothing was ever published."""
        ((number,),) = await self._database.fetch("SELECT coalesce(max(number), 0) FROM rule_versions")
        return int(number)

    async def versions(self, limit: int) -> list[RuleVersion]:
        """The newest first, without their bodies."""
        select = _SELECT.replace("body,", "x'',", 1)
        rows = await self._database.fetch(f"{select} ORDER BY number DESC LIMIT ?", (limit,))
        return [RuleVersion(*row) for row in rows]

    async def draft(self) -> Draft:
        """What is being written; what is published where nothing is."""
        rows = await self._database.fetch("SELECT body, revision, based_on, author, at FROM rule_draft")
        if rows:
            return Draft(*rows[0])
        latest = await self.latest()
        return NO_DRAFT if latest is None else Draft(latest.body, 0, latest.number, latest.author, latest.at)

    async def write_draft(self, body: bytes, *, revision: int, based_on: int, author: str, now: float) -> Draft:
        """Replace the draft whose revision was read. Raises DraftChanged."""
        made = Draft(body, revision + 1, based_on, author, int(now))

        def work(connection: Connection) -> None:
            if _revision(connection) != revision:
                raise DraftChanged
            _write(connection, made)

        async with self._database.transaction() as transaction:
            await transaction.run(work)
        return made

    async def publish(
        self, body: bytes, *, revision: int, author: str, now: float, note: str, count: int = -1, copy_of: int = 0,
        draft: bytes | None = None, keep: int = 200,
    ) -> RuleVersion:  # fmt: skip
        """A new version in force, and the draft as given (None: as the version). The oldest versions beyond `keep` go.

        Raises DraftChanged where the draft is not of the revision that was read.
        """

        def work(connection: Connection) -> RuleVersion:
            if _revision(connection) != revision:
                raise DraftChanged
            (latest,) = connection.execute("SELECT coalesce(max(number), 0) FROM rule_versions").fetchone()
            made = RuleVersion(latest + 1, body, author, int(now), note, copy_of, count)
            connection.execute(
                "INSERT INTO rule_versions(number, body, author, at, note, copy_of) VALUES (?, ?, ?, ?, ?, ?)",
                (made.number, made.body, made.author, made.at, made.note, made.copy_of),
            )
            connection.execute("DELETE FROM rule_versions WHERE number <= ?", (made.number - keep,))
            _write(connection, Draft(body if draft is None else draft, revision + 1, made.number, author, int(now)))
            return made

        async with self._database.transaction() as transaction:
            return await transaction.run(work)

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

    async def _one(self, which: str, *parameters: int) -> RuleVersion | None:
        rows = await self._database.fetch(f"{_SELECT} {which}", parameters)
        return RuleVersion(*rows[0]) if rows else None


_COUNT = "CASE WHEN json_valid(CAST(body AS TEXT)) THEN json_array_length(CAST(body AS TEXT)) ELSE -1 END"
_SELECT = f"SELECT number, body, author, at, note, copy_of, {_COUNT} FROM rule_versions"


def _revision(connection: Connection) -> int:
    row = connection.execute("SELECT revision FROM rule_draft").fetchone()
    return int(row[0]) if row else 0


def _write(connection: Connection, draft: Draft) -> None:
    connection.execute(
        "INSERT INTO rule_draft(one, body, revision, based_on, author, at) VALUES (1, ?, ?, ?, ?, ?)"
        " ON CONFLICT(one) DO UPDATE SET body = excluded.body, revision = excluded.revision,"
        " based_on = excluded.based_on, author = excluded.author, at = excluded.at",
        (draft.body, draft.revision, draft.based_on, draft.author, draft.at),
    )
