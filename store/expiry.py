"""Finds and removes what has outlived its time to live, a slice at a time, so that traffic never waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from store.database import Transaction
from store.records import Purpose

_OLD_IDS = """
    DELETE FROM seen WHERE day < ?1 AND id > ?2 AND id <= ?3"""
_PEOPLE = """
    SELECT p.key, p.surrogate, f.consent, f.seen, f.session IS NOT NULL
    FROM people AS p LEFT JOIN profiles AS f ON f.surrogate = p.surrogate
    WHERE p.key > ? ORDER BY p.key LIMIT ?"""
_LASTS = int(Purpose.PROFILE | Purpose.PURCHASES | Purpose.SEARCHES | Purpose.LOCATION)


@dataclass(frozen=True)
class Slice:
    """How far one slice came. `after` is where the next begins; None = the table's end was reached."""

    after: int | None
    removed: int = 0
    gone: tuple[tuple[int, int], ...] = ()
    """(map key, surrogate) of people to be removed; their keys and vault go first."""
    idle: tuple[int, ...] = ()
    """Surrogates whose visit is over."""


async def expire_event_ids(transaction: Transaction, before_day: int, after: int, rows: int) -> Slice:
    """Forget ids of events counted before a day (days since the epoch), among the next `rows` ids."""
    found = await transaction.fetch("SELECT id FROM seen WHERE id > ? ORDER BY id LIMIT ?", (after, rows))
    if not found:
        return Slice(None)
    last = found[-1][0]
    removed = await transaction.run(lambda connection: connection.execute(_OLD_IDS, (before_day, after, last)).rowcount)
    return Slice(last if len(found) == rows else None, removed)


async def find_expired_people(
    transaction: Transaction, unseen_since: int, idle_since: int, after: int, rows: int
) -> Slice:
    """Among the next `rows` people: who was not seen for too long, and whose visit is over (epoch seconds).

    A person known for the visit only (no lasting purpose) goes with the visit.
    """
    found = await transaction.fetch(_PEOPLE, (after, rows))
    if not found:
        return Slice(None)
    gone, idle = [], []
    for key, surrogate, consent, seen, visiting in found:
        if consent is None or seen < unseen_since or (seen < idle_since and visiting and not consent & _LASTS):
            gone.append((key, surrogate))
        elif visiting and seen < idle_since:
            idle.append(surrogate)
    return Slice(found[-1][0] if len(found) == rows else None, 0, tuple(gone), tuple(idle))


def end_visits(transaction: Transaction, people: tuple[int, ...]) -> None:
    """Queue the removal of what was kept for a visit that is over."""
    marks = ",".join("?" * len(people))
    transaction.later(f"UPDATE profiles SET session = NULL WHERE surrogate IN ({marks})", people)


def remove_people(transaction: Transaction, people: tuple[tuple[int, int], ...]) -> None:
    """Queue the removal of people, by (map key, surrogate): the way that leads to them, and their features."""
    marks = ",".join("?" * len(people))
    transaction.later(f"DELETE FROM people WHERE key IN ({marks})", [key for key, _ in people])
    transaction.later(f"DELETE FROM profiles WHERE surrogate IN ({marks})", [surrogate for _, surrogate in people])
