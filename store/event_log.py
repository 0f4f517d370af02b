"""The log of what happened: appended in order, kept in a table per day, dropped by the day."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import islice
from typing import Protocol

import msgspec

from store.database import Connection, Transaction
from store.records import LoggedEvent

_DAY_MS = 86_400_000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LoggedEvent).decode
_decode_parts = msgspec.msgpack.Decoder(dict[str, bytes]).decode

Numbered = tuple[int, LoggedEvent]
"""An event and its sequence number."""


class EventLog(Protocol):
    """What decouples producers from consumers. Sequence numbers grow, with gaps; 0 is before the first event."""

    async def append(self, transaction: Transaction, events: Sequence[LoggedEvent]) -> int:
        """Append in the caller's transaction; the last sequence number given (they are consecutive)."""

    async def read_from(self, position: int, limit: int) -> list[Numbered]:
        """Up to `limit` events after `position`, in order."""

    def head(self) -> int:
        """The last committed sequence number."""

    def first(self) -> int:
        """The oldest sequence number still kept; 0 = nothing is kept."""

    def epoch(self) -> str:
        """Names this log: positions of another epoch mean nothing here."""

    def kept_days(self) -> set[int]:
        """The days (since 1970) of which anything is still kept."""


@lru_cache(maxsize=4096)
def table_of(day: int) -> str:
    """The table of a day (since 1970, UTC)."""
    return f"events_{datetime.fromtimestamp(day * 86_400, UTC):%Y%m%d}"


def _date(table: str) -> date:
    return date(int(table[7:11]), int(table[11:13]), int(table[13:15]))


class SqliteEventLog:
    """The log inside person.db, so that event, feature and position commit together.

    A person's rows are found by scanning the days: an index on `person` would slow every append five times.
    """

    def __init__(self, reader: Connection) -> None:
        self._reader = reader
        self._tables = self._read_tables()
        self._next = self.head()

    def _read_tables(self) -> set[str]:
        rows = self._reader.execute("SELECT name FROM sqlite_schema WHERE name GLOB 'events_[0-9]*'").fetchall()
        return {name for (name,) in rows}

    async def append(self, transaction: Transaction, events: Sequence[LoggedEvent]) -> int:
        """Queue the rows. After a rollback the numbers are not used again: a gap, which consumers must bear anyway."""
        rows: dict[str, list[tuple[int, int, int, bytes]]] = {}
        sealed: list[tuple[int, int, bytes]] = []
        for event in events:
            self._next += 1
            if event.sealed:
                sealed.append((self._next, event.person, _encode(event.sealed)))
                event = msgspec.structs.replace(event, sealed={})
            row = (self._next, event.person, event.at_ms, _encode(event))
            rows.setdefault(table_of(event.at_ms // _DAY_MS), []).append(row)
        if not rows.keys() <= self._tables:
            self._tables = self._read_tables()
        for table, part in rows.items():
            if table not in self._tables:
                transaction.later(
                    f"CREATE TABLE IF NOT EXISTS {table}"
                    " (seq INTEGER PRIMARY KEY, person INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL)"
                )
            transaction.insert(f"INSERT INTO {table}(seq, person, at, body)", part)
        transaction.insert("INSERT INTO sealed(seq, person, parts)", sealed)
        transaction.later("UPDATE event_log SET head = ? WHERE one = 1", (self._next,))
        return self._next

    async def read_from(self, position: int, limit: int) -> list[Numbered]:
        """Up to `limit` events after `position`, in order, with what is sealed in them while it waits for the vault.

        Days lie interleaved in the sequence, so every day's table with newer rows is merged.
        """
        cursors = [
            self._reader.execute(f"SELECT seq, body FROM {table} WHERE seq > ? ORDER BY seq LIMIT ?", (position, limit))
            for table in sorted(self._read_tables())
        ]
        rows = list(islice(heapq.merge(*cursors), limit))
        for cursor in cursors:
            cursor.close()
        if not rows:
            return []
        waiting = dict(
            self._reader.execute(
                "SELECT seq, parts FROM sealed WHERE seq BETWEEN ? AND ?", (rows[0][0], rows[-1][0])
            ).fetchall()
        )
        return [(seq, _unsealed(_decode(body), waiting.get(seq))) for seq, body in rows]

    def head(self) -> int:
        (head,) = self._reader.execute("SELECT head FROM event_log").fetchone()
        return int(head)

    def first(self) -> int:
        firsts = [self._reader.execute(f"SELECT min(seq) FROM {table}").fetchone()[0] for table in self._read_tables()]
        return min((seq for seq in firsts if seq is not None), default=0)

    def epoch(self) -> str:
        (epoch,) = self._reader.execute("SELECT epoch FROM event_log").fetchone()
        return str(epoch)

    def days(self) -> list[date]:
        """The days (UTC, of event time) that have a table, oldest first."""
        return sorted(_date(table) for table in self._read_tables())

    def kept_days(self) -> set[int]:
        """The days (since 1970) that have a table."""
        return {(day - date(1970, 1, 1)).days for day in self.days()}

    def scan(self, days: Iterable[date] | None = None) -> Iterator[Numbered]:
        """Every event of these days (None = all), a day after the other, for training: give it a reader of its own."""
        for day in self.days() if days is None else sorted(days):
            table = f"events_{day:%Y%m%d}"
            for seq, body in self._reader.execute(f"SELECT seq, body FROM {table} ORDER BY seq"):
                yield seq, _decode(body)

    def latest_ms(self) -> int:
        """The time of the latest event kept; 0 = nothing is kept."""
        for day in reversed(self.days()):
            (latest,) = self._reader.execute(f"SELECT max(at) FROM events_{day:%Y%m%d}").fetchone()
            if latest is not None:
                return int(latest)
        return 0

    def waiting(self, position: int, limit: int) -> list[tuple[int, int, dict[str, bytes]]]:
        """(sequence number, person, sealed parts) after `position`, which the vault has still to take over."""
        rows = self._reader.execute(
            "SELECT seq, person, parts FROM sealed WHERE seq > ? ORDER BY seq LIMIT ?", (position, limit)
        ).fetchall()
        return [(seq, person, _decode_parts(parts)) for seq, person, parts in rows]

    def release(self, transaction: Transaction, position: int) -> None:
        """Queue the deletion of sealed parts up to `position`: the vault has them."""
        transaction.later("DELETE FROM sealed WHERE seq <= ?", (position,))

    async def drop_days(self, transaction: Transaction, before: date, passed: int) -> list[date]:
        """Drop whole days before `before`, but none that holds an event after `passed` (the slowest consumer)."""
        dropped: list[date] = []
        for day in self.days():
            if day >= before:
                break
            table = f"events_{day:%Y%m%d}"
            ((last,),) = await transaction.fetch(f"SELECT max(seq) FROM {table}")
            if (last or 0) <= passed:
                transaction.later(f"DROP TABLE {table}")
                self._tables.discard(table)
                dropped.append(day)
        return dropped


def _unsealed(event: LoggedEvent, parts: bytes | None) -> LoggedEvent:
    return event if parts is None else msgspec.structs.replace(event, sealed=_decode_parts(parts))
