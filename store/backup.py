"""Copies of the databases that can be taken beside a running server, and put back without bringing anyone back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from store.database import Connection, Database, open_database
from store.erasure import Known, erase_person
from store.keys import KeyRing
from store.removal import remove_rows
from store.suppression import Tombstone

DATABASES = {"person.db": "person", "vault.db": "vault", "shop.db": "shop", "admin.db": "admin", "budget.db": "budget"}
"""File -> schema, in the order in which they are copied: what refers to another file comes before it."""
KEYS = "keys.db"
VAULT_TABLES = ("purchases", "searches", "locations")
_AT_ONCE = 1_000

Remembered = tuple[Tombstone, int]
"""A tombstone and its end, epoch seconds."""


async def copy_database(source: Path, schema: str, target: Path) -> None:
    """A compact copy of a database as of now (VACUUM INTO): no page of it holds anything that was deleted before."""
    async with open_database(source, schema, cache_mb=4) as database:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        await database.execute("VACUUM INTO ?", (str(target),))
    with target.open("rb") as file:
        os.fsync(file.fileno())


async def tombstones_of(path: Path) -> list[Remembered]:
    """Who is remembered as erased in a person.db."""
    async with open_database(path, "person", cache_mb=4) as database:
        rows = await database.fetch("SELECT key, erased_ms, lifted_ms, until FROM suppressed")
    return [(Tombstone(*row[:3]), row[3]) for row in rows]


async def remember(database: Database, tombstones: Iterable[Remembered]) -> set[int]:
    """Add tombstones; of two for the same person the later erasure holds. Keys of the erasures that were not known."""
    rows = [(*tombstone, until) for tombstone, until in tombstones]
    before: dict[int, int] = dict(await database.fetch("SELECT key, erased_ms FROM suppressed"))
    async with database.transaction() as transaction:
        transaction.insert(
            "INSERT INTO suppressed(key, erased_ms, lifted_ms, until)", rows,
            "ON CONFLICT(key) DO UPDATE SET erased_ms = excluded.erased_ms, lifted_ms = excluded.lifted_ms,"
            " until = max(until, excluded.until) WHERE excluded.erased_ms >= erased_ms",
        )  # fmt: skip
    return {key for key, erased_ms, _, _ in rows if before.get(key, -1) < erased_ms}


async def erase_remembered(database: Database, keys: KeyRing, erased: set[int]) -> list[int]:
    """Delete everyone whom a restored person.db knows although they were erased since; their numbers.

    `erased`: what `remember` said is new. Whoever has decided anew since is back, but not with what was known before.
    The log is searched for them whole: restoring is rare, and a copy may be older than the traces.
    """

    def work(connection: Connection) -> list[int]:
        if not erased:
            return []
        found = [
            Known(key, surrogate, trace)
            for key, pseudonym, surrogate, trace in connection.execute(
                "SELECT p.key, p.pseudonym, p.surrogate, f.trace FROM people AS p"
                " LEFT JOIN profiles AS f ON f.surrogate = p.surrogate"
            )
            if not erased.isdisjoint(keys.suppression_keys("pseudonym", pseudonym.hex()))
        ]
        people = [known.surrogate for known in found]
        for start in range(0, len(found), _AT_ONCE):
            part = found[start : start + _AT_ONCE]
            erase_person(connection, part, [known.surrogate for known in part])
        _erase_untraced(connection, people)
        return people

    async with database.transaction() as transaction:
        return await transaction.run(work)


def _erase_untraced(connection: Connection, people: Sequence[int]) -> None:
    days = connection.execute("SELECT name FROM sqlite_schema WHERE name GLOB 'events_[0-9]*'").fetchall()
    for start in range(0, len(people), _AT_ONCE):
        part = people[start : start + _AT_ONCE]
        marks = ",".join("?" * len(part))
        for (table,) in days:
            connection.execute(f"DELETE FROM {table} WHERE person IN ({marks})", part)


async def forget_in_vault(path: Path, people: Sequence[int], head: int) -> None:
    """Delete these people's entries from a restored vault.db, and count on from the log it is put beside: its copy may
    have been taken later than the log's."""
    async with open_database(path, "vault", cache_mb=4) as database:

        def work(connection: Connection) -> None:
            for table in VAULT_TABLES:
                remove_rows(connection, table, "person", people)
            connection.execute("UPDATE applied SET position = min(position, ?)", (head,))

        async with database.transaction() as transaction:
            await transaction.run(work)
        await database.vacuum()
        await database.checkpoint_truncate()


def put_in_place(prepared: Path, folder: Path) -> None:
    """Replace the databases of a data directory by prepared ones; what was there is gone."""
    for file in sorted(prepared.iterdir()):
        for tail in ("-wal", "-shm"):
            (folder / f"{file.name}{tail}").unlink(missing_ok=True)
        file.replace(folder / file.name)
    shutil.rmtree(prepared)
