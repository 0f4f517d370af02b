"""Empties old days of the log a slice at a time, or cuts them off from their people.

A whole day dropped at once would be overwritten page by page in one transaction, seconds of it for a large shop.
"""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime

import msgspec

from store.database import Connection, Transaction
from store.records import LoggedEvent

DAY_MS = 86_400_000
_NOBODY = 0
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LoggedEvent).decode


def day_number(day: date) -> int:
    """Days since 1970."""
    return day.toordinal() - date(1970, 1, 1).toordinal()


def date_of(day: int) -> date:
    """The calendar day of a number of days since 1970."""
    return datetime.fromtimestamp(day * 86_400, UTC).date()


def read_slice(connection: Connection, day: date, after: int, rows: int) -> list[tuple[int, LoggedEvent]]:
    """The next `rows` events of a day's table after a sequence number; nothing where there is no such day."""
    found = connection.execute(
        f"SELECT seq, body FROM {_table(day)} WHERE seq > ? ORDER BY seq LIMIT ?", (after, rows)
    ).fetchall()
    return [(seq, _decode(body)) for seq, body in found]


async def empty_slice(transaction: Transaction, day: date, passed: int, rows: int) -> int:
    """Remove a day's first `rows` rows up to the sequence number `passed`; how many there were.

    What of them still waits for the vault goes with them.
    """
    table = _table(day)

    def work(connection: Connection) -> int:
        count, last = connection.execute(
            f"SELECT count(*), max(seq) FROM (SELECT seq FROM {table} WHERE seq <= ? ORDER BY seq LIMIT ?)",
            (passed, rows),
        ).fetchone()
        if count:
            waiting = f"seq <= ?1 AND EXISTS (SELECT 1 FROM {table} AS day WHERE day.seq = sealed.seq)"
            connection.execute(f"DELETE FROM sealed WHERE {waiting}", (last,))
            connection.execute(f"DELETE FROM {table} WHERE seq <= ?", (last,))
        return int(count)

    return await transaction.run(work)


def anonymized_until(connection: Connection, day: date) -> int:
    """The last sequence number of a day that leads to nobody any more; 0 = none."""
    found = connection.execute("SELECT seq FROM anonymized WHERE day = ?", (day_number(day),)).fetchone()
    return int(found[0]) if found else 0


async def anonymize_slice(
    transaction: Transaction, day: date, passed: int, rows: int, people_at_least: int
) -> tuple[int, int]:
    """Cut a day's next `rows` events off from their people: (anonymized, removed); (0, 0) when none is left.

    Neighbours in the log are one person's batch, so the bodies change places at random; a time becomes its hour. A
    slice of fewer than `people_at_least` people would hide nobody: it is removed.
    """
    table = _table(day)

    def work(connection: Connection) -> tuple[int, int]:
        found: list[tuple[int, int, bytes]] = connection.execute(
            f"SELECT seq, person, body FROM {table} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (anonymized_until(connection, day), passed, rows),
        ).fetchall()
        if not found:
            return 0, 0
        first, last = found[0][0], found[-1][0]
        connection.execute("DELETE FROM sealed WHERE seq IN "
                           f"(SELECT seq FROM {table} WHERE seq BETWEEN ? AND ?)", (first, last))  # fmt: skip
        connection.execute(f"DELETE FROM {table} WHERE seq BETWEEN ? AND ?", (first, last))
        connection.execute("INSERT OR REPLACE INTO anonymized(day, seq) VALUES (?, ?)", (day_number(day), last))
        if len({person for _, person, _ in found}) < people_at_least:
            return 0, len(found)
        events = [_anonymous(_decode(body)) for _, _, body in found]
        secrets.SystemRandom().shuffle(events)
        kept = [(row[0], _NOBODY, event.at_ms, _encode(event)) for row, event in zip(found, events, strict=True)]
        transaction.insert(f"INSERT INTO {table}(seq, person, at, body)", kept)
        return len(found), 0

    return await transaction.run(work)


def _anonymous(event: LoggedEvent) -> LoggedEvent:
    """What was done and roughly when; nothing that leads to who did it, not even to the answer it was a click on."""
    return LoggedEvent(
        person=_NOBODY, session=0, at_ms=event.at_ms // 3_600_000 * 3_600_000, name=event.name, purposes=0,
        lines=event.lines, placement=event.placement,
    )  # fmt: skip


def _table(day: date) -> str:
    return f"events_{day:%Y%m%d}"
