"""The vault: purchases, searches and places of people who opted in to each, encrypted under the person's own key."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, overload

import msgspec
from cryptography.exceptions import InvalidTag

from store.database import Connection, Database, Transaction, open_database, open_reader
from store.event_log import SqliteEventLog
from store.keys import KeyRing
from store.records import PURPOSE_NAMES, VAULT, Purchase, Purpose
from store.removal import remove_rows


class Search(msgspec.Struct, frozen=True, array_like=True):
    """One search in the vault, as it was typed."""

    text: str
    at: int
    """Epoch seconds."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """One location in the vault, degrees."""

    lat: float
    lon: float
    at: int
    """Epoch seconds."""


Entry = Purchase | Search | Place
_TABLES = {Purpose.PURCHASES: "purchases", Purpose.SEARCHES: "searches", Purpose.LOCATION: "locations"}
_DECODERS: dict[Purpose, Callable[[bytes], Sequence[Entry]]] = {
    Purpose.PURCHASES: msgspec.msgpack.Decoder(list[Purchase]).decode,
    Purpose.SEARCHES: msgspec.msgpack.Decoder(list[Search]).decode,
    Purpose.LOCATION: msgspec.msgpack.Decoder(list[Place]).decode,
}
_READS = {category: f"SELECT body FROM {table} WHERE person = ?" for category, table in _TABLES.items()}
_REPLACE = "ON CONFLICT(person) DO UPDATE SET body = excluded.body"
CATEGORY_NAMES = {category: name for name, category in PURPOSE_NAMES.items() if category in _TABLES}
"""How `LoggedEvent.sealed` names a category: Purpose.PURCHASES -> "vault.purchases"."""
_NONCE = 12
_SLICE = 32
"""People encrypted at once on the event loop, about a millisecond."""
_encode = msgspec.msgpack.Encoder().encode

Sealed = tuple[int, int, dict[str, bytes]]
"""(sequence number in the log, person, category name -> ciphertext)."""


class VaultStore:
    """vault.db. A consumer of the log: what events carry sealed is taken over after their commit, exactly once.

    Nothing is readable without the person's key in keys.db: destroying that key shreds every row, in backups too.
    """

    def __init__(self, database: Database, reader: Connection, keys: KeyRing, most: int) -> None:
        self._database = database
        self._reader = reader
        self._keys = keys
        self._most = most

    def seal(self, person: int, category: Purpose, entries: Sequence[Entry]) -> bytes:
        """Ciphertext of entries for `LoggedEvent.sealed`; the person needs a key (`KeyRing.ensure_data_keys`) before.

        AES-256-GCM with a random nonce, bound to person and category. Raises KeyError without a key.
        """
        cipher = self._keys.data_key(person)
        if cipher is None:
            raise KeyError("no data key: call ensure_data_keys first")
        nonce = secrets.token_bytes(_NONCE)
        return nonce + cipher.encrypt(nonce, _encode(entries), _bound_to(person, category))

    def open(self, person: int, category: Purpose, sealed: bytes) -> list[Entry] | None:
        """What was sealed; None where the person's key is destroyed, or the bytes are not this person's."""
        cipher = self._keys.data_key(person)
        if cipher is None:
            return None
        try:
            plain = cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound_to(person, category))
        except (InvalidTag, ValueError):
            return None
        return list(_DECODERS[category](plain))

    @overload
    def read(self, person: int, category: Literal[Purpose.PURCHASES], decision: Purpose) -> list[Purchase] | None: ...
    @overload
    def read(self, person: int, category: Literal[Purpose.SEARCHES], decision: Purpose) -> list[Search] | None: ...
    @overload
    def read(self, person: int, category: Literal[Purpose.LOCATION], decision: Purpose) -> list[Place] | None: ...
    @overload
    def read(self, person: int, category: Purpose, decision: Purpose) -> Sequence[Entry] | None: ...
    def read(self, person: int, category: Purpose, decision: Purpose) -> Sequence[Entry] | None:
        """What a person keeps in one category, oldest first; None without the gatekeeper's purpose for exactly this
        category, or where nothing is kept. Two point reads on the event loop."""
        if not decision & category & VAULT:
            return None
        return self.kept(person, category)

    def kept(self, person: int, category: Purpose) -> list[Entry] | None:
        """The same without asking: for the person's own access, which needs no consent."""
        before = self._keys.lent.get(person)
        if before is not None:
            return self._of_both(before, person, category)
        found = self._reader.execute(_READS[category], (person,)).fetchone()
        return None if found is None else self.open(person, category, found[0])

    def _of_both(self, before: int, person: int, category: Purpose) -> list[Entry] | None:
        """While a move is open: what lies under either number, in one statement, so none is missed or told twice."""
        sql = f"SELECT person, body FROM {_TABLES[category]} WHERE person IN (?, ?)"
        found = self._reader.execute(sql, (before, person)).fetchall()
        entries = [entry for owner, body in found for entry in self.open(owner, category, body) or ()]
        return sorted(entries, key=lambda entry: entry.at) if found else None

    def applied(self, epoch: str) -> int:
        """How far into the log of that epoch the vault has come."""
        (known, position) = self._reader.execute("SELECT epoch, position FROM applied").fetchone()
        return int(position) if known == epoch else 0

    async def apply(self, epoch: str, sealed: Iterable[Sealed]) -> int:
        """Take sealed parts over, oldest first; those of positions already applied are passed over, so it may be
        repeated after a crash. Rows and position move in one transaction. Returns the position reached."""
        position = self.applied(epoch)
        parts: dict[tuple[int, Purpose], list[bytes]] = {}
        for seq, person, by_category in sorted(sealed, key=lambda entry: entry[0]):
            if seq > position:
                position = seq
                for name, body in by_category.items():
                    parts.setdefault((person, PURPOSE_NAMES[name]), []).append(body)
        if not parts:
            return position
        async with self._database.transaction() as transaction:
            await self._merge(transaction, parts)
            transaction.later("UPDATE applied SET epoch = ?, position = ? WHERE one = 1", (epoch, position))
        return position

    async def _merge(self, transaction: Transaction, parts: dict[tuple[int, Purpose], list[bytes]]) -> None:
        rows: dict[Purpose, list[tuple[int, bytes]]] = {}
        for count, ((person, category), bodies) in enumerate(parts.items()):
            if count % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
            kept = self._reader.execute(_READS[category], (person,)).fetchone()
            entries: list[Entry] = []
            for body in (*([kept[0]] if kept else []), *bodies):
                entries += self.open(person, category, body) or ()
            if entries:
                body = self.seal(person, category, entries[-self._most :])
                rows.setdefault(category, []).append((person, body))
        for category, changed in rows.items():
            transaction.insert(f"INSERT INTO {_TABLES[category]}(person, body)", sorted(changed), _REPLACE)

    async def expire(self, category: Purpose, before: int, after: int, rows: int) -> tuple[int | None, int, int | None]:
        """Remove entries older than `before` (epoch seconds) from the next `rows` people above the number `after`.

        Returns where the next slice begins (None: the end was reached), how many entries went, and the time of the
        oldest that stay. What nobody can open any more goes too.
        """
        table, gone = _TABLES[category], 0
        oldest: int | None = None
        changed: list[tuple[int, bytes]] = []
        empty: list[int] = []
        async with self._database.transaction() as transaction:
            sql = f"SELECT person, body FROM {table} WHERE person > ? ORDER BY person LIMIT ?"
            found = self._reader.execute(sql, (after, rows)).fetchall()
            for person, body in found:
                entries = self.open(person, category, body) or []
                kept = [entry for entry in entries if entry.at >= before]
                gone += len(entries) - len(kept)
                times = [entry.at for entry in kept]
                oldest = min([*times, *([] if oldest is None else [oldest])], default=None)
                if not kept:
                    empty.append(person)
                elif len(kept) < len(entries):
                    changed.append((person, self.seal(person, category, kept)))
            transaction.insert(f"INSERT INTO {table}(person, body)", changed, _REPLACE)
            if empty:
                marks = ",".join("?" * len(empty))
                transaction.later(f"DELETE FROM {table} WHERE person IN ({marks})", empty)
        return (found[-1][0] if len(found) == rows else None), gone, oldest

    async def rehome(self, moves: Iterable[tuple[int, int, int]]) -> None:
        """Hand over what people keep: each (from, to, categories) sealed anew for its new owner, in one transaction.

        What is already there stays beside it, by time; categories not named (a purpose set) are deleted. Both need
        their data keys; what cannot be opened is gone. Harmless when repeated.
        """
        moves = list(moves)
        async with self._database.transaction() as transaction:
            for category, table in _TABLES.items():
                rows = [
                    (new, body)
                    for old, new, categories in moves
                    if categories & category and (body := self._joined(old, new, category)) is not None
                ]
                transaction.insert(f"INSERT INTO {table}(person, body)", rows, _REPLACE)
            self._delete(transaction, [old for old, _, _ in moves])

    def _joined(self, old: int, new: int, category: Purpose) -> bytes | None:
        """What two numbers keep in a category, sealed for the second; None where the first keeps nothing."""
        sql = _READS[category]
        theirs = self._reader.execute(sql, (old,)).fetchone()
        if theirs is None or not self._keys.holds_data_key(new):
            return None
        own = self._reader.execute(sql, (new,)).fetchone()
        entries = [*(self.open(old, category, theirs[0]) or ())]
        if own is not None:
            entries += self.open(new, category, own[0]) or ()
            entries.sort(key=lambda entry: entry.at)
        return self.seal(new, category, entries[-self._most :]) if entries else None

    async def remove_category(self, person: int, categories: Purpose) -> bool:
        """Delete what one person keeps in these categories and leave the others; True once no byte is left of it in
        the write-ahead log either."""
        async with self._database.transaction() as transaction:
            for category, table in _TABLES.items():
                if categories & category:
                    transaction.later(f"DELETE FROM {table} WHERE person = ?", (person,))
        return await self._database.checkpoint_truncate()

    async def remove(self, people: Sequence[int]) -> None:
        """Delete everything kept of these people; their keys have to go first (`KeyRing.destroy_data_keys`)."""
        async with self._database.transaction() as transaction:
            self._delete(transaction, people)

    def _delete(self, transaction: Transaction, people: Sequence[int]) -> None:
        marks = ",".join("?" * len(people))
        for table in _TABLES.values():
            transaction.later(f"DELETE FROM {table} WHERE person IN ({marks})", people)

    async def checkpoint_truncate(self) -> bool:
        """Fold the write-ahead log into the file and empty it. False = a reader was open: repeat."""
        return await self._database.checkpoint_truncate()

    async def erase(self, people: Sequence[int]) -> dict[str, int]:
        """Delete everything of these people so that not even their numbers stay in the file; rows by category."""

        def work(connection: Connection) -> dict[str, int]:
            return {
                CATEGORY_NAMES[category]: remove_rows(connection, table, "person", people)
                for category, table in _TABLES.items()
            }

        async with self._database.transaction() as transaction:
            return await transaction.run(work)

    def ciphertexts(self, people: Sequence[int]) -> list[bytes]:
        """What lies in the file about these people, as it lies there: what to look for after they were erased."""
        return [
            body for person in people for sql in _READS.values() for (body,) in self._reader.execute(sql, (person,))
        ]

    @property
    def database(self) -> Database:
        """vault.db itself, for maintenance of the file."""
        return self._database

    async def catch_up(self, log: SqliteEventLog, group: int = 1_000) -> int:
        """Take over what the log still holds (after a crash, or whenever it fell behind); the position reached."""
        position = self.applied(log.epoch())
        while waiting := log.waiting(position, group):
            position = await self.apply(log.epoch(), waiting)
        return position


@asynccontextmanager
async def open_vault(
    path: Path, keys: KeyRing, *, most_entries: int = 1_000, cache_mb: int = 8, max_pages: int = 0
) -> AsyncIterator[VaultStore]:
    """Open vault.db; `most_entries` bounds each person's list per category, the oldest go first."""
    async with open_database(path, "vault", cache_mb=cache_mb, max_pages=max_pages) as database:
        reader = open_reader(path, cache_mb=cache_mb)
        try:
            yield VaultStore(database, reader, keys, most_entries)
        finally:
            reader.close()


def _bound_to(person: int, category: Purpose) -> bytes:
    return b"%d|%d" % (person, category)
