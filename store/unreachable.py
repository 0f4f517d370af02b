"""People nobody can find any more: the key that made their pseudonyms is to die, and they were not seen since."""

from __future__ import annotations

from typing import NamedTuple

from store.database import Connection, Transaction

_WALK = "SELECT max(key), count(*) FROM (SELECT key FROM people WHERE key > ? ORDER BY key LIMIT ?)"
_OLD = "SELECT key, surrogate FROM people WHERE key > ? AND key <= ? AND epoch < ?"


class Unreachable(NamedTuple):
    """One slice of the map of people."""

    after: int | None
    """Where the next slice begins; None = the end was reached."""
    people: list[tuple[int, int]]
    """(map key, surrogate) of those to be removed; their data keys and vault go first."""


async def find_unreachable(transaction: Transaction, oldest_epoch: int, after: int, rows: int) -> Unreachable:
    """Among the next `rows` people those whose pseudonym was made before the epoch `oldest_epoch`."""

    def work(connection: Connection) -> Unreachable:
        last, looked = connection.execute(_WALK, (after, rows)).fetchone()
        if not looked:
            return Unreachable(None, [])
        old = connection.execute(_OLD, (after, last, oldest_epoch)).fetchall()
        return Unreachable(last if looked == rows else None, old)

    return await transaction.run(work)
