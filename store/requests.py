"""What people asked for under data protection law, when it is due, and what became of it."""

from __future__ import annotations

from typing import NamedTuple

from store.database import Connection, Transaction

_COLUMNS = "id, kind, jurisdiction, state, opened, acknowledge_by, due, extended, closed, commitment, subject, receipt"


class RequestRow(NamedTuple):
    """One request. Times are epoch seconds, 0 = never. `subject` is sealed, and gone once the request is answered."""

    id: int
    kind: str
    jurisdiction: str
    state: str
    opened: int
    acknowledge_by: int
    due: int
    extended: int
    closed: int
    commitment: bytes
    subject: bytes | None
    receipt: bytes | None


class Requests:
    """person.db's list of them; `save` belongs to the writer's turn."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def get(self, number: int) -> RequestRow | None:
        found = self._reader.execute(f"SELECT {_COLUMNS} FROM privacy_requests WHERE id = ?", (number,)).fetchone()
        return None if found is None else RequestRow(*found)

    def open(self, limit: int) -> list[RequestRow]:
        """Those not answered, the most urgent first."""
        sql = f"SELECT {_COLUMNS} FROM privacy_requests WHERE closed = 0 ORDER BY due, id LIMIT ?"
        return [RequestRow(*row) for row in self._reader.execute(sql, (limit,)).fetchall()]

    def closed(self, limit: int) -> list[RequestRow]:
        """Those answered, the latest first."""
        sql = f"SELECT {_COLUMNS} FROM privacy_requests WHERE closed > 0 ORDER BY closed DESC, id LIMIT ?"
        return [RequestRow(*row) for row in self._reader.execute(sql, (limit,)).fetchall()]

    def count_open(self) -> int:
        (count,) = self._reader.execute("SELECT count(*) FROM privacy_requests WHERE closed = 0").fetchone()
        return int(count)

    def save(self, transaction: Transaction, row: RequestRow) -> None:
        """Queue the row as it is now."""
        marks = ",".join("?" * len(row))
        transaction.later(f"INSERT OR REPLACE INTO privacy_requests({_COLUMNS}) VALUES ({marks})", row)

    def expire(self, transaction: Transaction, before: int) -> None:
        """Queue the removal of requests answered before then (epoch seconds)."""
        transaction.later("DELETE FROM privacy_requests WHERE closed > 0 AND closed < ?", (before,))
