"""Keeps what staff write in drafts and publish in numbered versions: the rules, and the pages of the shop."""

from __future__ import annotations

from dataclasses import dataclass

from store.database import Connection, Database


@dataclass(frozen=True)
class Version:
    """A published version; the highest number is in force."""

    number: int
    body: bytes
    author: str
    at: int
    """Epoch seconds."""
    note: str
    copy_of: int
    """The version that was rolled back to; 0 for one written anew."""
    size: int
    """How many parts it has; -1 where it cannot be read."""


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


_COUNT = "CASE WHEN json_valid(CAST(body AS TEXT)) THEN json_array_length(CAST(body AS TEXT)) ELSE -1 END"


class VersionStore:
    """Two tables of shop.db, NAME_versions and NAME_draft. Every write is one transaction."""

    def __init__(self, database: Database, name: str) -> None:
        """`name`: of the tables, "rule" or "page"; their bodies are JSON lists."""
        self._database = database
        self._versions, self._draft = f"{name}_versions", f"{name}_draft"
        self._select = f"SELECT number, body, author, at, note, copy_of, {_COUNT} FROM {self._versions}"

    async def latest(self) -> Version | None:
        """The version in force."""
        return await self._one("ORDER BY number DESC LIMIT 1")

    async def version(self, number: int) -> Version | None:
        return await self._one("WHERE number = ?", number)

    async def latest_number(self) -> int:
        """0 where nothing was ever published."""
        ((number,),) = await self._database.fetch(f"SELECT coalesce(max(number), 0) FROM {self._versions}")
        return int(number)

    async def versions(self, limit: int) -> list[Version]:
        """The newest first, without their bodies."""
        select = self._select.replace("body,", "x'',", 1)
        rows = await self._database.fetch(f"{select} ORDER BY number DESC LIMIT ?", (limit,))
        return [Version(*row) for row in rows]

    async def draft(self) -> Draft:
        """What is being written; what is published where nothing is."""
        rows = await self._database.fetch(f"SELECT body, revision, based_on, author, at FROM {self._draft}")
        if rows:
            return Draft(*rows[0])
        latest = await self.latest()
        return NO_DRAFT if latest is None else Draft(latest.body, 0, latest.number, latest.author, latest.at)

    async def write_draft(self, body: bytes, *, revision: int, based_on: int, author: str, now: float) -> Draft:
        """Replace the draft whose revision was read. Raises DraftChanged."""
        made = Draft(body, revision + 1, based_on, author, int(now))

        def work(connection: Connection) -> None:
            if self._revision(connection) != revision:
                raise DraftChanged
            self._write(connection, made)

        async with self._database.transaction() as transaction:
            await transaction.run(work)
        return made

    async def publish(
        self, body: bytes, *, revision: int, author: str, now: float, note: str, count: int = -1, copy_of: int = 0,
        draft: bytes | None = None, keep: int = 200,
    ) -> Version:  # fmt: skip
        """A new version in force, and the draft as given (None: as the version). The oldest versions beyond `keep` go.

        Raises DraftChanged where the draft is not of the revision that was read.
        """

        def work(connection: Connection) -> Version:
            if self._revision(connection) != revision:
                raise DraftChanged
            (latest,) = connection.execute(f"SELECT coalesce(max(number), 0) FROM {self._versions}").fetchone()
            made = Version(latest + 1, body, author, int(now), note, copy_of, count)
            connection.execute(
                f"INSERT INTO {self._versions}(number, body, author, at, note, copy_of) VALUES (?, ?, ?, ?, ?, ?)",
                (made.number, made.body, made.author, made.at, made.note, made.copy_of),
            )
            connection.execute(f"DELETE FROM {self._versions} WHERE number <= ?", (made.number - keep,))
            self._write(
                connection, Draft(body if draft is None else draft, revision + 1, made.number, author, int(now))
            )
            return made

        async with self._database.transaction() as transaction:
            return await transaction.run(work)

    async def _one(self, which: str, *parameters: int) -> Version | None:
        rows = await self._database.fetch(f"{self._select} {which}", parameters)
        return Version(*rows[0]) if rows else None

    def _revision(self, connection: Connection) -> int:
        row = connection.execute(f"SELECT revision FROM {self._draft}").fetchone()
        return int(row[0]) if row else 0

    def _write(self, connection: Connection, draft: Draft) -> None:
        connection.execute(
            f"INSERT INTO {self._draft}(one, body, revision, based_on, author, at) VALUES (1, ?, ?, ?, ?, ?)"
            " ON CONFLICT(one) DO UPDATE SET body = excluded.body, revision = excluded.revision,"
            " based_on = excluded.based_on, author = excluded.author, at = excluded.at",
            (draft.body, draft.revision, draft.based_on, draft.author, draft.at),
        )
