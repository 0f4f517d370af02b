"""Finds and removes what has outlived its time to live, a slice at a time, so that traffic never waits for it.

Every slice looks at a bounded number of rows in a few statements: SQLite works without the interpreter's lock, and the
event loop goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from store.database import Connection, Transaction
from store.records import Purpose

_LASTS = int(Purpose.PROFILE | Purpose.PURCHASES | Purpose.SEARCHES | Purpose.LOCATION)

_IDS = """
    SELECT max(id), count(*), min(CASE WHEN day >= ?1 THEN day END), sum(day < ?1)
    FROM (SELECT id, day FROM seen WHERE id > ?2 AND id < ?3 ORDER BY id LIMIT ?4)"""
_OLD_IDS = "DELETE FROM seen WHERE id > ? AND id <= ? AND day < ?"

_EXPIRED = f"""(f.surrogate IS NULL OR f.seen < :unseen
    OR (f.seen < :idle AND f.session IS NOT NULL AND NOT (f.consent | f.restricted) & {_LASTS}))"""
_IDLE = "(f.seen < :idle AND f.session IS NOT NULL)"
_PEOPLE = f"""
    SELECT max(p.key), count(*), min(CASE WHEN NOT {_EXPIRED} THEN f.seen END),
           min(CASE WHEN NOT {_IDLE} AND f.session IS NOT NULL THEN f.seen END), sum({_EXPIRED} OR {_IDLE})
    FROM (SELECT key, surrogate FROM people WHERE key > :after ORDER BY key LIMIT :rows) AS p
    LEFT JOIN profiles AS f ON f.surrogate = p.surrogate"""
_DUE_PEOPLE = f"""
    SELECT p.key, p.surrogate, {_EXPIRED}
    FROM people AS p LEFT JOIN profiles AS f ON f.surrogate = p.surrogate
    WHERE p.key > :after AND p.key <= :last AND ({_EXPIRED} OR {_IDLE}) ORDER BY p.key LIMIT :most"""
_CONSENTS = f"""
    SELECT f.consent, f.consent_version, f.consent_at > 0 OR f.objected OR f.restricted, count(*)
    FROM people AS p JOIN profiles AS f ON f.surrogate = p.surrogate
    WHERE p.key > :after AND p.key <= :last AND NOT {_EXPIRED} GROUP BY 1, 2, 3"""

Consents = Counter[tuple[int, str, bool]]
"""(purposes, version of the text, decided by the person) -> people."""


@dataclass(frozen=True)
class Slice:
    """How far one slice came. `after` is where the next begins; None = the table's end was reached."""

    after: int | None
    removed: int = 0
    gone: tuple[tuple[int, int], ...] = ()
    """(map key, surrogate) of people to be removed; their keys and vault go first."""
    idle: tuple[int, ...] = ()
    """Surrogates whose visit is over."""
    oldest: int | None = None
    """The least time (days or epoch seconds, as the table has it) among what stays."""
    oldest_visit: int | None = None
    consents: Consents = field(default_factory=Counter)


async def expire_event_ids(
    transaction: Transaction, before_day: int, after: int, rows: int, until: int = (1 << 63) - 1
) -> Slice:
    """Forget ids of events counted before a day (days since the epoch), among the next `rows` ids below `until`."""

    def work(connection: Connection) -> Slice:
        found = connection.execute(_IDS, (before_day, after, until, rows)).fetchone()
        last, looked, oldest, old = found
        if not looked:
            return Slice(None)
        if old:
            connection.execute(_OLD_IDS, (after, last, before_day))
        return Slice(last if looked == rows else None, old, oldest=oldest)

    return await transaction.run(work)


async def find_expired_people(
    transaction: Transaction, unseen_since: int, idle_since: int, after: int, rows: int, *, most: int = 500,
    consents: bool = False,
) -> Slice:  # fmt: skip
    """Among the next `rows` people: who was not seen for too long, and whose visit is over (epoch seconds).

    A person known for the visit only (no lasting purpose) goes with the visit. The slice ends with the first `most`
    who are due for something. `consents`: count decisions as well, of those who stay.
    """

    def work(connection: Connection) -> Slice:
        asked = {"unseen": unseen_since, "idle": idle_since, "after": after, "rows": rows}
        last, looked, oldest, oldest_visit, due = connection.execute(_PEOPLE, asked).fetchone()
        if not looked:
            return Slice(None)
        gone: list[tuple[int, int]] = []
        idle: list[int] = []
        if due:
            del asked["rows"]
            found = connection.execute(_DUE_PEOPLE, {**asked, "last": last, "most": most}).fetchall()
            gone = [(key, surrogate) for key, surrogate, expired in found if expired]
            idle = [surrogate for _, surrogate, expired in found if not expired]
            if len(found) == most:
                last, looked = found[-1][0], rows
        counted: Consents = Counter()
        if consents:
            stays = {"unseen": unseen_since, "idle": idle_since, "after": after, "last": last}
            for consent, version, decided, people in connection.execute(_CONSENTS, stays):
                counted[consent, version, bool(decided)] += people
        more = last if looked == rows else None
        return Slice(more, 0, tuple(gone), tuple(idle), oldest, oldest_visit, counted)

    return await transaction.run(work)


def end_visits(transaction: Transaction, people: Sequence[int]) -> None:
    """Queue the removal of what was kept for a visit that is over."""
    marks = ",".join("?" * len(people))
    transaction.later(f"UPDATE profiles SET session = NULL WHERE surrogate IN ({marks})", people)


def remove_people(transaction: Transaction, people: Sequence[tuple[int, int]]) -> None:
    """Queue the removal of people, by (map key, surrogate): the way that leads to them, and their features."""
    marks = ",".join("?" * len(people))
    transaction.later(f"DELETE FROM people WHERE key IN ({marks})", [key for key, _ in people])
    transaction.later(f"DELETE FROM profiles WHERE surrogate IN ({marks})", [surrogate for _, surrogate in people])
