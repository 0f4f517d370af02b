"""Who did what to the node, and when: the book that operators and privacy officers look things up in."""

from __future__ import annotations

from dataclasses import dataclass

from store.database import Connection, Database

_LETTERS = 200


@dataclass(frozen=True)
class AuditEntry:
    """One line of the book."""

    seq: int
    at: int
    """Epoch seconds, of the wall's clock."""
    actor: str
    """An account's name; `server key 3`, `shell` or `node` where no person signed in."""
    action: str
    """What was done, such as `login`, `key created`, `privacy request executed`."""
    target: str
    """What to: an account, a key's number, a request's random id. Never a visitor."""
    outcome: str
    """`done`, or why not."""


class AuditLog:
    """admin.db's audit table."""

    def __init__(self, database: Database, reader: Connection) -> None:
        self._database = database
        self._reader = reader

    async def note(self, actor: str, action: str, target: str, outcome: str, now: float) -> None:
        """Durable on return."""
        await self._database.execute(
            "INSERT INTO audit(at, actor, action, target, outcome) VALUES (?, ?, ?, ?, ?)",
            (int(now), actor[:_LETTERS], action[:_LETTERS], target[:_LETTERS], outcome[:_LETTERS]),
        )

    def page(self, before: int | None, limit: int) -> list[AuditEntry]:
        """The newest first, from before a sequence number on."""
        rows = self._reader.execute(
            "SELECT seq, at, actor, action, target, outcome FROM audit WHERE ? IS NULL OR seq < ?"
            " ORDER BY seq DESC LIMIT ?",
            (before, before, limit),
        ).fetchall()
        return [AuditEntry(*row) for row in rows]

    async def forget(self, before: float) -> int:
        """Remove what is older; how many lines."""
        async with self._database.transaction() as transaction:
            gone = await transaction.fetch("DELETE FROM audit WHERE at < ? RETURNING seq", (int(before),))
        return len(gone)
